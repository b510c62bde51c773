"""How what a store holds is distributed, as figures and as pictures.

Every distribution is an array of values. Of what is costly to look at, a part is drawn from a seed, and that is said.
Pictures hold no text of the store's: titles may be anything.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sfdata.schema import SPLITS
from sfdata.store import Store
from sfdata.windows import nearest_frame

WIDTH_IN, HEIGHT_IN, DOTS_PER_IN = 5.3, 2.5, 150
COLOURS = ("#0072B2", "#D55E00", "#009E73")  # Okabe and Ito's, told apart by colour-blind eyes too
LEVEL_RENDITIONS = 24
TEMPO_VARIANTS = 200
TEMPO_STRETCH_S = 2.0
BINS = 40
QUANTILES = {"p5": 5, "p25": 25, "median": 50, "p75": 75, "p95": 95}

FloatArray = NDArray[np.floating]


@dataclass(frozen=True)
class Distribution:
    """Values of one kind.

    Attributes
    ----------
    key, title, unit : str
    values : dict of str to ndarray
        Name of a group to its values; empty groups are left out.
    caption : str
        What it shows, in full sentences.
    logarithmic : bool
        Whether ratios of the values matter, not differences.
    whole : bool
        Whether values are whole numbers.
    """

    key: str
    title: str
    unit: str
    caption: str
    values: dict[str, FloatArray] = field(default_factory=dict)
    logarithmic: bool = False
    whole: bool = False

    def summary(self) -> dict[str, dict[str, float]]:
        """Name of each group to ``count``, ``p5``, ``p25``, ``median``, ``p75`` and ``p95``."""
        return {
            name: {"count": len(values)}
            | {
                key: round(float(value), 4)
                for key, value in zip(QUANTILES, np.percentile(values, list(QUANTILES.values())), strict=True)
            }
            for name, values in self.values.items()
        }


def distribution(store: Store, key: str, seed: int = 0) -> Distribution:
    """Look at where targets lie, at pitches, notes' lengths, tempo, or the level of snippets.

    Parameters
    ----------
    store : Store
    key : str
        One of :data:`KINDS`.
    seed : int
        Of drawing the renditions and performances that are looked at, where there are many.

    Returns
    -------
    Distribution
        Without any group where the store holds nothing of the kind.

    Raises
    ------
    ValueError
        If there is no such kind, or what it needs of the store is damaged.
    """
    if key not in KINDS:
        raise ValueError(f"distribution {key!r}; expected one of {', '.join(KINDS)}")
    return KINDS[key](store, np.random.default_rng(seed))


def _groups(values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    finite = {name: np.asarray(one, dtype=float)[np.isfinite(one)] for name, one in values.items()}
    return {name: one for name, one in finite.items() if len(one)}


def _targets(store: Store, rng: np.random.Generator) -> Distribution:
    values = {split: store.pairs["target_s"][store.pair_rows(split)] for split in SPLITS}
    return Distribution(
        "target_s",
        "Targets (s)",
        "position in the reference (s)",
        "Where in their reference the targets lie, by split. A network that always says the same place is right as "
        "often as the highest bar says.",
        _groups(values),
    )


def _pitches(store: Store, rng: np.random.Generator) -> Distribution:
    notes = store.pairs["note"]
    values = {split: store.notes["pitch"][notes[store.pair_rows(split)]].astype(float) for split in SPLITS}
    return Distribution(
        "pitch",
        "Pitches (MIDI)",
        "MIDI pitch (60: middle C)",
        "Pitches of the onsets that snippets are centred on, by split.",
        _groups(values),
        whole=True,
    )


def _lengths(store: Store, rng: np.random.Generator) -> Distribution:
    columns, length_s = store.performances, store.notes["offset_s"] - store.notes["onset_s"]
    is_variant = np.zeros(len(length_s), dtype=bool)
    for row in np.flatnonzero(columns["role"] == "variant").tolist():
        first = int(columns["first_note"][row])
        is_variant[first : first + int(columns["note_count"][row])] = True
    values = {"scores": length_s[~is_variant & (length_s > 0)], "variants": length_s[is_variant & (length_s > 0)]}
    return Distribution(
        "note_length_s",
        "Lengths of notes (s)",
        "from onset to end (s)",
        "How long notes last, on the score sides (references) and in the variants (snippets).",
        _groups(values),
        logarithmic=True,
    )


def _tempi(store: Store, rng: np.random.Generator) -> Distribution:
    columns = store.performances
    variants = np.flatnonzero(columns["role"] == "variant")
    scores = {
        (int(columns["piece"][row]), int(columns["voice"][row])): int(row)
        for row in np.flatnonzero(columns["role"] == "score")
    }
    chosen = np.sort(rng.choice(variants, min(TEMPO_VARIANTS, len(variants)), replace=False))
    ratios = []
    for row in chosen.tolist():
        score = scores.get((int(columns["piece"][row]), int(columns["voice"][row])))
        if score is not None:
            ratios.append(_local_tempo(store, score, row))
    part = "" if len(chosen) == len(variants) else f" Of {len(variants):,} variants, {len(chosen)} were looked at."
    return Distribution(
        "tempo",
        "Tempo of variants (× score)",
        "tempo, relative to the score side",
        f"How fast variants are, stretch by stretch of about {TEMPO_STRETCH_S:g} s: 2 is twice as fast as the score "
        f"side.{part}",
        _groups({"variants": np.concatenate(ratios)} if ratios else {}),
        logarithmic=True,
    )


def _local_tempo(store: Store, score: int, variant: int) -> FloatArray:
    """Tempo relative to the score side in stretches between notes that both have."""
    written, played = store.performance_notes(score), store.performance_notes(variant)
    shared, of_score, of_variant = np.intersect1d(written["source"], played["source"], return_indices=True)
    times_s = np.stack([written["onset_s"][of_score], played["onset_s"][of_variant]])[:, shared >= 0]
    times_s = times_s[:, np.lexsort((times_s[1], times_s[0]))]
    kept: list[int] = []
    for i, time_s in enumerate(times_s[0]):
        if not kept or time_s - times_s[0, kept[-1]] >= TEMPO_STRETCH_S:
            kept.append(i)
    took_s = np.diff(times_s[:, kept], axis=1)
    took_s = took_s[:, took_s[1] > 0]
    return np.asarray(took_s[0] / took_s[1])


def _levels(store: Store, rng: np.random.Generator) -> Distribution:
    used = np.unique(store.pairs["snippet_rendition"])
    chosen = np.sort(rng.choice(used, min(LEVEL_RENDITIONS, len(used)), replace=False))
    rate, length = store.spectrogram.frame_rate_hz, store.snippet_frames
    by_split: dict[str, list[FloatArray]] = {split: [] for split in SPLITS}
    for rendition in chosen.tolist():
        frames = store.rendition_frames(rendition).astype(float)
        power = np.square(np.expm1(frames) / store.spectrogram.gain).sum(axis=1)
        until = np.concatenate([[0.0], np.cumsum(power)])  # (frames + 1,)
        rows = np.flatnonzero(store.pairs["snippet_rendition"] == rendition)
        start = nearest_frame(store.pairs["snippet_centre_s"][rows] * rate) - length // 2
        low, high = (np.clip(edge, 0, len(power)) for edge in (start, start + length))
        level = 10 * np.log10(np.maximum(until[high] - until[low], 1e-12) / length)
        for number, split in enumerate(SPLITS):
            by_split[split].append(level[store.pairs["split"][rows] == number])
    part = "" if len(chosen) == len(used) else f" Those of {len(chosen)} of {len(used):,} renditions were looked at."
    return Distribution(
        "snippet_level_db",
        "Level of snippets (dB)",
        "level (dB)",
        f"How loud snippets are, summed over their spectrogram's bins; 0 dB is about a full-scale sine.{part}",
        _groups({split: np.concatenate(parts) for split, parts in by_split.items() if parts}),
    )


KINDS: dict[str, Callable[[Store, np.random.Generator], Distribution]] = {
    "target_s": _targets,
    "pitch": _pitches,
    "note_length_s": _lengths,
    "tempo": _tempi,
    "snippet_level_db": _levels,
}


def draw_distribution(distribution: Distribution) -> bytes:
    """Draw a distribution's groups as shares of each, into a PNG; the same values give the same bytes."""
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    axes = figure.subplots()
    edges = _edges(distribution)
    for number, (name, values) in enumerate(distribution.values.items()):
        shown = np.clip(values, edges[0], edges[-1])  # what lies beyond is counted at the edge
        share = 100 * np.histogram(shown, edges)[0] / len(values)
        colour = COLOURS[number % len(COLOURS)]
        axes.stairs(share, edges, color=colour, linewidth=1.6, linestyle=("-", "--", ":")[number % 3], label=name)
        axes.stairs(share, edges, color=colour, fill=True, alpha=0.12)
    if distribution.logarithmic:
        _logarithmic(axes, edges)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0)
    axes.set_xlabel(distribution.unit)
    axes.set_ylabel("share (%)")
    axes.spines[["top", "right"]].set_visible(False)
    if len(distribution.values) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False, fontsize=9)
    return png_bytes(figure, DOTS_PER_IN)


def png_bytes(figure: Figure, dots_per_in: int) -> bytes:
    """Encode a figure as PNG; the same figure gives the same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_in, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _edges(distribution: Distribution) -> FloatArray:
    everything = np.concatenate(list(distribution.values.values()))
    if distribution.whole:
        return np.arange(everything.min() - 0.5, everything.max() + 1)
    low, high = np.percentile(everything, [0.2, 99.8])
    if distribution.logarithmic:
        low, high = max(low, 1e-6), max(high, 1e-6)
        return np.asarray(np.geomspace(low / 1.02, high * 1.02, BINS + 1))
    return np.linspace(low, high if high > low else low + 1, BINS + 1)


def _logarithmic(axes: Axes, edges: FloatArray) -> None:
    axes.set_xscale("log")
    for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), (1, 1.2, 1.4, 1.6, 1.8, 2, 3, 4, 5, 6, 7, 8, 9)):
        ticks = np.array([n * 10.0**power for power in range(-6, 6) for n in digits])
        within = ticks[(ticks >= edges[0]) & (ticks <= edges[-1])]
        if len(within) >= 4:
            break
    else:
        within = np.unique(np.round(np.geomspace(edges[0], edges[-1], 5)[1:-1], 3))
    axes.set_xticks(within, [f"{tick:g}" for tick in within])
    axes.minorticks_off()
