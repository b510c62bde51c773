"""The page docs/benchmarks.md: the table that compares, how to read it, and what each command printed."""

from collections.abc import Mapping
from typing import Any

Results = Mapping[str, Mapping[str, Any]]

INTRODUCTION = """# Benchmarks

How fast the pipeline is, next to the least that its work can cost on the same machine and to what is usually written.
This page is made by one command, which runs all benchmarks and takes some twelve minutes on two cores:

```
make bench        # python benchmarks/run_all.py
```

Speeds of machines differ, ratios between programs that take turns on one hardly do: so nearly everything here is a
ratio of CPU times. Each contender does the same work on the same pieces (GiantMIDI-Piano's, that ship with sfdata); after
a warm-up, repetitions are interleaved, and their medians compared. What is absolute (milliseconds, megabytes a second,
wall-clock time) holds for this machine:
"""

READING = {
    "synthesis": """**Synthesis.** The bound is libfluidsynth's `fluid_synth_write_float`, called by ctypes into a buffer
that is used again and again: the same events at the same samples, 22.05 kHz, no reverb, no chorus, one synth that is
made once. Ours makes a fresh synth for each rendition, which a used one cannot replace: it does not repeat itself bit
for bit. pyfluidsynth makes 16-bit stereo and copies it twice; pretty_midi loads the font for each call; the program
starts a process, loads the font, and writes a file. The synth is FluidSynth in each case, so nothing written in Python
can go below 1.""",
    "fresh": """**A fresh synth** for each rendition is had by loading the font again, as everybody does, or by borrowing it
from a host synth, as we do. Ours is measured as the rendering of one note that ends at once, and holds all that
`sfdata.render` does besides.""",
    "spectrogram": """**Spectrograms.** The bound is scipy's real FFT of float32 frames that lie ready in memory: no cutting of
frames, no window, no magnitudes, no filterbank, no logarithm. The filterbank as a dense matrix is a product that BLAS
spreads over threads, which wait for each other at work: that costs CPU time, and with a worker on each core it brings
nothing. Ours is sparse and calls no BLAS.""",
    "midi": """**Reading MIDI.** symusic parses; we add a tempo clock in float64, the right ends of notes that are struck
again, a checksum, and refusals that say why. Whether its notes are right is measured beside its speed: pitches and onsets
agree with two independent readers, to the millisecond. (pretty_midi drops some notes: those struck again at the very
tick at which they end.)""",
    "build": """**The whole build** is one process that goes from MIDI files to a store that is checked and closed; its
bound is the sum of the two bounds above, for the renditions that the store holds. Effects have no bound of their own, so
the recipe with rooms and noise shows what they cost, not what is wasted. Shares come from a signal every two
milliseconds of CPU time, and the steps' sums may stray by a few hundredths of the bound.""",
    "scaling": """**Two workers** are measured in wall-clock time, which only an idle machine tells rightly. Threads can share
the work since ctypes lets go of Python's lock while FluidSynth works; what is Python between the calls remains, and
processes have none of it. The whole command starts its workers first, which a long build does not notice: without its
start means all pieces less two short ones, with one worker and with two.""",
    "student": """**What is usually written** is kind to the student: finding voices, augmenting and finding the pairs are
given. The difference is not in cleverness with samples: most of it is that each piece is rendered once rather than each
second of it some hundred times (references overlap, and each onset has its own), and that no font is loaded twice.""",
    "storage": """**Storage.** Sizes are for one hour of one rendition's spectrogram. `changed` is the share of test pairs for
which a method finds another frame than it does with float32; bucket 1 is the share that it finds to the frame.""",
}


def ratio(value: float | None) -> str:
    """A ratio as the table shows it."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 20 else f"{value:.2f}" if value < 3 else f"{value:.1f}"


def _others(ratios: Mapping[str, float], names: Mapping[str, str]) -> str:
    """Ratios of contenders whose names begin with some words, called by others."""
    found = [(label, value) for key, label in names.items() for name, value in ratios.items() if name.startswith(key)]
    return "; ".join(f"{label} {ratio(value)}" for label, value in found) or "–"


def rows(results: Results) -> list[tuple[str, ...]]:
    """Rows of the table, of the benchmarks that there are."""
    table: list[tuple[str, ...]] = []
    figures = {name: result["figures"] for name, result in results.items() if result["figures"]}
    if own := figures.get("synthesis"):
        names = {"pyfluidsynth": "pyfluidsynth's `get_samples`", "pretty_midi.fluidsynth, 22": "pretty_midi",
                 "pretty_midi.fluidsynth, its": "at its 44.1 kHz default", "the program": "the program `fluidsynth -F`",
                 "the bound with": "the bound with FluidSynth's reverb and chorus"}  # fmt: skip
        table.append(("synthesis, 22.05 kHz, effects off", "raw libfluidsynth, `write_float` into a reused buffer",
                      _others(own["ratios"], names), ratio(own["ratios"]["sfdata.render"]), "≤ 1.1", "synthesis"))  # fmt: skip
        loads = [(font, *times.values()) for font, times in own["fresh_ms"].items()]
        exact = "bit for bit the same in any order" if own["same_in_any_order"] else "NOT the same in any order"
        table.append(("a fresh synth for each rendition, ms", "",
                      "; ".join(f"{font} loaded again {loaded:,.0f}" for font, loaded, _ in loads),
                      f"{max(lent for *_, lent in loads):.1f}; {exact}", "≤ 2", "synthesis"))  # fmt: skip
    if own := figures.get("spectrogram"):
        names = {"librosa": "librosa", "torch": "torch.stft", "scipy": "scipy's ShortTimeFFT",
                 "blocks, scipy's FFT, dense filterbank: one": "blocks with a dense filterbank, one BLAS thread",
                 "blocks, scipy's FFT, dense filterbank: two": "two BLAS threads"}  # fmt: skip
        table.append(("log-frequency spectrogram", "scipy's bare real FFT of the same frames",
                      _others(own["ratios"], names), ratio(own["ratios"]["sfdata.spectrogram"]), "≤ 1.4", "spectrogram"))  # fmt: skip
    if own := figures.get("midi"):
        agree = own["agree"]["mido"]
        table.append(("reading MIDI", "symusic", _others(own["ratios"], {"pretty_midi": "pretty_midi", "mido": "mido"}),
                      f"{_others(own['ratios'], {'sfdata': ''}).strip()}; {agree['same']:,} of mido's {agree['notes']:,} notes "
                      "the same", "notes agree", "midi"))  # fmt: skip
    if own := figures.get("build"):
        each = [f"{ratio(value['ratio'])} ({name})" for name, value in own["recipes"].items()]
        table.append(("whole build, MIDI to store", "both bounds for the same renditions", "–", "; ".join(each),
                      "≤ 1.2 incl. writing", "build"))  # fmt: skip
    if own := figures.get("scaling"):
        chain, (whole, steady) = own["chain"], own["build"].values()
        table.append(("two workers over one, wall-clock", "2.0",
                      f"synthesis and spectrogram alone: processes {ratio(chain['processes'])}, threads {ratio(chain['threads'])}",
                      f"{ratio(steady)}; {ratio(whole)} with its start", "≥ 1.8", "scaling"))  # fmt: skip
    if own := figures.get("student"):
        each, over = own["ms_a_pair"], own["ratios"]
        names = list(each)
        shared, usual = names[1], names[3:]
        table.append(("per pair: pretty_midi and librosa, ms of CPU", "",
                      "; ".join(f"{name} {each[name]:,.0f}" for name in names[1:]),
                      f"{each[names[0]]:.2f}: {' and '.join(f'{over[name]:,.0f}' for name in usual)} × faster than as usually "
                      f"written, {over[shared]:,.0f} × with one synth", "≥ 400 × and ≥ 40 ×", "student"))  # fmt: skip
    return table


def page(machine: Mapping[str, str], results: Results) -> str:
    """The whole page, in Markdown."""
    parts = [INTRODUCTION, ", ".join(f"{name} {value}" for name, value in machine.items()) + ".", ""]
    parts += ["## The table", "", "Ratios to the bound, CPU time, unless it says otherwise.", ""]
    parts += ["| work | bound = 1.00 | what others cost | ours | required | command |", "|---|---|---|---|---|---|"]
    parts += ["| " + " | ".join([*cells, f"`{name}.py`"]) + " |" for *cells, name in rows(results)]
    parts += ["", "## How to read it", ""]
    for name, text in READING.items():
        if ("synthesis" if name == "fresh" else name) in results:
            parts += [text, ""]
    parts += ["## What the commands print", "", "Each figure above is from the command of its row; all of it:", ""]
    for result in results.values():
        parts += [f"### `{result['command']}`", ""]
        if result["failed"]:
            parts += ["**This benchmark failed here; what follows is what it gave before.**", ""]
        parts += ["```", result["text"], "```", ""]
    return "\n".join(parts)
