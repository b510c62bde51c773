"""The page docs/benchmarks.md: the table that compares, how to read it, and what each command printed."""

import textwrap
from collections.abc import Mapping
from typing import Any

from sfmodel.tables import markdown_table

Results = Mapping[str, Mapping[str, Any]]
Row = tuple[str, str, str, str, str, str]

INTRODUCTION = """# Benchmarks

How fast the pipeline is, next to the least that its work can cost on the same machine, and to what is usually written.
One command runs all benchmarks and makes this page; it wants an idle machine, and twenty minutes on two cores:

```
make bench        # python benchmarks/run_all.py
```

Machines differ in speed; ratios between programs that take turns on one of them differ little. So nearly everything
here is a ratio of CPU times: all contenders do the same work on the same pieces (those of GiantMIDI-Piano that ship
with sfdata), repetitions are interleaved after a warm-up, and their medians are compared. What is absolute
(milliseconds, megabytes a second, wall-clock time) holds for this machine; and where that is a virtual one that shares
its processor, ratios stray by a tenth: nothing that calls FluidSynth can really cost less than FluidSynth alone.
"""

READING = {
    "synthesis": """**Synthesis.** The bound calls libfluidsynth's `fluid_synth_write_float` by ctypes into a buffer
that is used again and again: the same events at the same samples, 22.05 kHz, no reverb, no chorus, by one synth that
is made once. Ours makes a fresh synth for each rendition, since a used one does not repeat itself bit for bit.
pyfluidsynth makes stereo of 16 bits and copies it; pretty_midi loads the font for each call; the program starts a
process, loads the font and writes a file. It is FluidSynth in each case: nothing that calls it can go below 1.""",
    "fresh": """**A fresh synth** for each rendition is had by loading the font again, as everybody does, or by
borrowing it from a synth that owns it, as we do. Ours is the time to render one note that ends at once, so it holds
everything that `sfdata.render` does besides.""",
    "spectrogram": """**Spectrograms.** The bound is scipy's real FFT of float32 frames that lie ready: no cutting of
frames, no window, no magnitudes, no filterbank, no logarithm. A filterbank that is a dense matrix is a product which
BLAS spreads over threads that wait for each other at full speed: this costs CPU time, and with a worker on each core
brings nothing. Ours is sparse and calls no BLAS.""",
    "midi": """**Reading MIDI.** symusic only parses; we add a clock that keeps to the tempo map, the right ends of
notes that are struck again, a checksum, and refusals that give a reason. Whether the notes are right is measured
beside the speed: pitches and onsets, compared with those of other readers to the millisecond.""",
    "build": """**The whole build** is one process that goes from MIDI files to a store that is written, read back and
given its name. Its bound is the sum of the two bounds above for the renditions that the store holds. Effects have no
bound of their own, so with rooms and noise the ratio says what these cost, not what is wasted. Where the time goes is
told by a signal every two milliseconds of CPU time, in a build of its own; sums stray by a few hundredths.""",
    "scaling": """**Two workers** are measured in wall-clock time, which only an idle machine tells rightly. Threads
share the work too, since ctypes lets go of Python's lock while FluidSynth works, but what Python does between the
calls they do one by one. The command starts its workers first, which a long build does not notice: *without its
start* compares what all pieces take longer than two short ones, with one worker and with two.""",
    "student": """**What is usually written** makes pairs one by one, and the student is spared the voices, the
augmentation and the finding of pairs. The least clever version and the most clever one are both there. What is left
between the latter and ours is, above all, that a rendition is synthesised once, and not anew for each of the many
pairs whose windows share it.""",
    "storage": """**Storage.** Sizes are for an hour of one rendition's spectrogram; speeds count the CPU time of Zarr
and codec with files in the cache. `changed` is the share of test pairs for which a method finds another frame than
with float32, bucket 1 the share for which it finds the right one. The network is `reduced`, trained for some minutes
on float16.""",
}


PRINTED = """The table's figures are from the command that its last column names. Where one takes a `STORE`, that is
built by `sfdata build pipelines/demo.toml -o STORE`."""


def ratio(value: float) -> str:
    """A ratio as the table shows it."""
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}" if value >= 3 else f"{value:.2f}"


def listed(ratios: Mapping[str, float], names: Mapping[str, str]) -> str:
    """Ratios of the contenders whose names begin with a key, under the names that the page gives them."""
    found = [f"{label} {ratio(ratios[n])}" for key, label in names.items() for n in ratios if n.startswith(key)]
    return "; ".join(found) or "–"


def synthesis_row(own: Mapping[str, Any]) -> Row:
    names = {
        "pyfluidsynth": "pyfluidsynth's `get_samples`",
        "pretty_midi.fluidsynth, 22": "pretty_midi",
        "pretty_midi.fluidsynth, its": "pretty_midi at its 44.1 kHz default",
        "the program": "the program `fluidsynth -F`",
        "the bound with": "the bound with FluidSynth's reverb and chorus",
    }
    bound = "raw libfluidsynth: `write_float` into a reused buffer"
    ours = ratio(own["ratios"]["sfdata.render"])
    return "synthesis, 22.05 kHz, effects off", bound, listed(own["ratios"], names), ours, "≤ 1.1", "synthesis"


def fresh_row(own: Mapping[str, Any]) -> Row:
    times = {font: list(by_way.values()) for font, by_way in own["fresh_ms"].items()}
    others = "font loaded again: " + "; ".join(f"{font} {loaded:,.0f}" for font, (loaded, _) in times.items())
    same = "" if own["same_in_any_order"] else " NOT"
    ours = f"{max(lent for _, lent in times.values()):.1f},{same} bit for bit the same in any order"
    return "a fresh synth for each rendition, in ms", "", others, ours, "≤ 2", "synthesis"


def spectrogram_row(own: Mapping[str, Any]) -> Row:
    dense = "blocks, scipy's FFT, dense filterbank: "
    names = {
        "librosa": "librosa",
        "torch": "torch.stft",
        "scipy": "scipy's ShortTimeFFT",
        f"{dense}one": "FFT in blocks and a dense filterbank, one BLAS thread",
        f"{dense}two": "the same, two BLAS threads",
    }
    ours = ratio(own["ratios"]["sfdata.spectrogram"])
    bound = "scipy's bare real FFT of the same frames"
    return "log-frequency spectrogram", bound, listed(own["ratios"], names), ours, "≤ 1.4", "spectrogram"


def midi_row(own: Mapping[str, Any]) -> Row:
    others = listed(own["ratios"], {"pretty_midi": "pretty_midi", "mido": "mido"})
    agree = "; ".join(f"{name} {found['same']:,} of {found['notes']:,}" for name, found in own["agree"].items())
    ours = f"{listed(own['ratios'], {'sfdata': ''}).strip()}; notes that are the same: {agree}"
    return "reading MIDI", "symusic", others, ours, "its notes agree", "midi"


def build_row(own: Mapping[str, Any]) -> Row:
    ours = "; ".join(f"`{name}` {ratio(found['ratio'])}" for name, found in own["recipes"].items())
    bound = "the bounds of synthesis and FFT, added"
    return "the whole build, MIDI to store", bound, "–", ours, "≤ 1.2, writing included", "build"


def scaling_row(own: Mapping[str, Any]) -> Row:
    chain, (whole, steady) = own["chain"], own["build"].values()
    others = (
        f"synthesis and spectrogram alone: processes {ratio(chain['processes'])}, threads {ratio(chain['threads'])}"
    )
    ours = f"{ratio(steady)} without its start, {ratio(whole)} with it"
    return "the whole build by two workers, in wall-clock time", "2.0", others, ours, "≥ 1.8", "scaling"


def student_row(own: Mapping[str, Any]) -> Row:
    each, over = own["ms_a_pair"], own["ratios"]
    ours, shared, *rest = each
    others = "; ".join(f"{name} {each[name]:,.0f} ms" for name in (*reversed(rest), shared))
    times = " and ".join(f"{over[name]:,.0f} ×" for name in reversed(rest) if name.startswith("as usually"))
    told = f"{each[ours]:.2f} ms: {times} faster than as usually written, {over[shared]:,.0f} × than with one synth"
    return "a pair, CPU time: pretty_midi and librosa", "", others, told, "≥ 400 × and ≥ 40 ×", "student"


ROWS = {
    "synthesis": (synthesis_row, fresh_row),
    "spectrogram": (spectrogram_row,),
    "midi": (midi_row,),
    "build": (build_row,),
    "scaling": (scaling_row,),
    "student": (student_row,),
}


def page(machine: Mapping[str, str], results: Results) -> str:
    """The whole page, in Markdown."""
    parts = [INTRODUCTION, ", ".join(f"{name} {value}" for name, value in machine.items()) + ".", ""]
    parts += ["## Side by side", "", "Ratios of CPU time to the bound, where nothing else is said.", ""]
    rows = []
    for name, makers in ROWS.items():
        if results.get(name, {}).get("figures"):
            for *cells, script in (make(results[name]["figures"]) for make in makers):
                rows.append([*cells, f"`{script}.py`"])
    parts.append(markdown_table(["work", "bound = 1.00", "what others cost", "ours", "required", "by"], rows))
    parts += ["", "## How to read it", ""]
    for name, text in READING.items():
        if ("synthesis" if name == "fresh" else name) in results:
            parts += [textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False, break_long_words=False), ""]
    parts += [
        "## What each command printed",
        "",
        PRINTED,
    ]
    for result in results.values():
        parts += ["", f"### `{result['command']}`", ""]
        if result["failed"]:
            parts += ["**It failed on this machine; this is what it printed until then.**", ""]
        parts += ["```", result["text"], "```"]
    return "\n".join(parts) + "\n"
