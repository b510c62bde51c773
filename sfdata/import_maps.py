"""MAPS, or a set like it, becomes a store: its recordings are the snippets, of one another or of a rendered reference.

Items of one name on several instruments form one piece where their notes agree (chords of the same name need not: they
were drawn for each instrument anew). The reference is either one instrument's recording, or the annotation rendered by
a soundfont with all notes equally loud, so that every item can be used.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sfdata.locks import only_builder
from sfdata.maps import VELOCITY, MapsItem, Rights, find_items, item_notes, item_rights
from sfdata.maps_settings import ITEMS, MapsSettings
from sfdata.midi import printable
from sfdata.naming import PieceName, work_keys
from sfdata.notes import NoteArray, snap_to_event_grid
from sfdata.outline import outline_of
from sfdata.place import Place
from sfdata.plan import Performance, PiecePlan, RenditionPlan, Skipped, skip
from sfdata.progress import Progress
from sfdata.recipe import Recipe
from sfdata.render import read_audio, rendered_samples
from sfdata.soundfonts import DEFAULT_INSTRUMENT, Instrument, file_sha256, resolve_instrument
from sfdata.spectrogram import frame_count
from sfdata.workers import Workers
from sfdata.writing import BuildResult, check_target, write_store

SAME_TIMING_S = 0.05


@dataclass(frozen=True)
class MapsResult(BuildResult):
    """What an import made; `stand_ins` tells which code stands in for which of MAPS's instruments."""

    stand_ins: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Recording:
    item: MapsItem
    notes: NoteArray
    samples: int
    sha256: str
    rights: Rights


def import_maps(
    folder: str | Path,
    output: str | Path,
    settings: MapsSettings | None = None,
    recipe: Recipe | None = None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> MapsResult:
    """Build a store from MAPS or a part of it.

    Parameters
    ----------
    folder : path
        All of MAPS, one instrument, one subset, or any folder with some of its files.
    output : path
        The store to write.
    settings : MapsSettings, optional
        In place of the recipe's ``[maps]``.
    recipe : Recipe, optional
        Its ``[maps]``, spectrogram, windows, rendering, splits, store settings and seed; other parts are not used.

    Returns
    -------
    MapsResult

    Raises
    ------
    FileNotFoundError
        If the folder is not there, or the reference's soundfont is not on this machine.
    ValueError
        If the target exists, an instrument is unknown, or nothing can be used.
    """
    began, recipe, target = time.monotonic(), recipe or Recipe(), Place(output)
    settings = settings or recipe.maps or MapsSettings()
    if settings.split == ITEMS and recipe.splits.by != "piece":
        raise ValueError(
            f"maps: split 'items' with [splits] by = {recipe.splits.by!r}: items of one work may be named for several "
            "splits; expected by = 'piece'"
        )
    found, skipped = find_items(folder)
    chosen = [item for item in found if settings.holds(item.name.subset)]
    if not chosen:
        there = ", ".join(sorted({item.name.subset for item in found})) or "none"
        raise ValueError(
            f"{folder} holds no sound of MAPS in subsets {', '.join(settings.subsets) or 'of any name'}; there are: "
            f"{there} ({len(skipped)} files skipped); expected names like MAPS_ISOL_ST_F_S0_M21_AkPnBcht.wav"
        )
    stand_ins = settings.standing_in({item.name.instrument for item in chosen})
    asked, settings = settings, settings.with_stand_ins(stand_ins)
    reference, snippets = _instruments(chosen, settings, asked)
    together: dict[tuple[str, str], list[MapsItem]] = {}
    for item in chosen:
        if item.name.instrument in (*snippets, reference):
            together.setdefault((item.name.subset, item.name.music), []).append(item)
    settings.check_names([music for _, music in together])
    attrs = recipe.as_dict() | {
        "maps": asdict(settings),
        "sources": [
            {
                "maps": printable(Path(folder).absolute().name),
                "subsets": sorted({subset for subset, _ in together}),
                "split": settings.split,
            }
        ],
        "instruments": {
            "references": [reference.name if isinstance(reference, Instrument) else reference],
            "snippets": list(snippets),
        },
    }
    with only_builder(target), Workers(workers) as crew:
        check_target(target, overwrite)
        planned: dict[int, list[PiecePlan | Skipped]] = {}
        for index, plans in crew.run(_plan_music, list(together.values()), reference, snippets, settings, recipe):
            planned[index] = plans
            if progress:
                progress("plan", len(planned), len(together))
        results = [plan for index in range(len(together)) for plan in planned[index]]
        skipped += [plan for plan in results if isinstance(plan, Skipped)]
        pieces = [outline_of(plan, recipe) for plan in results if isinstance(plan, PiecePlan)]
        result = write_store(recipe, attrs, pieces, skipped, target, crew, began, progress, overwrite=overwrite)
        return MapsResult(**vars(result), stand_ins={code: one.code for code, one in stand_ins.items()})


def same_music(one: NoteArray, other: NoteArray) -> NDArray[np.int64] | None:
    """For each note of `other`, the index of its counterpart in `one`; None where they are not the same music.

    They are when each key is struck as often, at times that differ by at most 50 ms, but for one shift of all.

    Examples
    --------
    >>> from sfdata.notes import make_notes
    >>> one = make_notes([0.5, 0.501], [1, 1], [60, 64], [64, 64])
    >>> other = make_notes([0.701, 0.7], [1, 1], [60, 64], [64, 64])
    >>> same_music(one, other).tolist(), same_music(one, one[:1])
    ([1, 0], None)
    """
    orders = [np.lexsort((notes["onset_s"], notes["pitch"])) for notes in (one, other)]
    if len(one) != len(other) or not np.array_equal(one["pitch"][orders[0]], other["pitch"][orders[1]]):
        return None
    difference_s = other["onset_s"][orders[1]] - one["onset_s"][orders[0]]
    if np.abs(difference_s - np.median(difference_s)).max(initial=0) > SAME_TIMING_S:
        return None
    counterpart = np.empty(len(other), dtype=np.int64)
    counterpart[orders[1]] = orders[0]
    return counterpart


def _instruments(
    items: Sequence[MapsItem], settings: MapsSettings, asked: MapsSettings
) -> tuple[str | Instrument, tuple[str, ...]]:
    """The reference, a code or a soundfont's preset, and the codes of the snippets."""
    codes = sorted({item.name.instrument for item in items})
    reference: str | Instrument = settings.references
    for code in (settings.references, *settings.snippets):
        if code not in codes and code in asked.stand_ins:
            raise ValueError(
                f"neither {code} nor its stand-in {asked.stand_ins[code].code} is among {', '.join(codes)}; "
                "'sfdata isol --recipe RECIPE.toml -o DIR' makes the stand-ins"
            )
    if reference not in codes:
        try:
            reference = resolve_instrument(settings.references)
        except ValueError as error:
            raise ValueError(f"references {settings.references!r} is none of {', '.join(codes)}, and {error}") from None
    unknown = [code for code in settings.snippets if code not in codes]
    if unknown:
        raise ValueError(f"snippets {', '.join(unknown)}; expected some of {', '.join(codes)}")
    snippets = tuple(dict.fromkeys(settings.snippets)) or tuple(code for code in codes if code != reference)
    if not snippets:
        raise ValueError(
            f"{reference} is the only instrument there; take a soundfont for the references (--references "
            f"{DEFAULT_INSTRUMENT}), or pair its recordings with themselves (--snippets {reference})"
        )
    return reference, snippets


def _plan_music(
    items: Sequence[MapsItem],
    reference: str | Instrument,
    snippets: Sequence[str],
    settings: MapsSettings,
    recipe: Recipe,
) -> list[PiecePlan | Skipped]:
    """Plan all recordings of one name: one piece for each set of them whose notes agree."""
    results: list[PiecePlan | Skipped] = []
    groups: list[list[tuple[_Recording, NDArray[np.int64]]]] = []
    for item in sorted(items, key=lambda item: item.name.instrument != reference):  # the reference comes first
        try:
            recording = _listen(item, settings, recipe.spectrogram.sample_rate_hz)
        except Exception as error:  # whatever a damaged file brings up
            told = skip(item.sound.name, error)
            results.append(Skipped(told.source, told.reason.replace(str(item.sound), told.source)))
            continue
        for group in groups:
            counterpart = same_music(group[0][0].notes, recording.notes)
            if counterpart is not None:
                group.append((recording, counterpart))
                break
        else:
            groups.append([(recording, np.arange(len(recording.notes)))])
    for group in groups:
        if isinstance(reference, str):
            first = group[0][0].item.name.instrument
            if first != reference:
                results += [Skipped(told.item.sound.name, f"{reference} has no recording of it") for told, _ in group]
                continue
            if not any(told.item.name.instrument in snippets for told, _ in group):
                results.append(Skipped(group[0][0].item.sound.name, "no other instrument has a recording of it"))
                continue
        results.append(_plan_piece(group, reference, snippets, settings, recipe))
    return results


def _listen(item: MapsItem, settings: MapsSettings, rate: int) -> _Recording:
    notes, rights = item_notes(item), item_rights(item)
    try:
        own_rate = soundfile.info(item.sound).samplerate
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{item.sound} cannot be read as sound: {error}") from None
    samples = -(-len(read_audio(item.sound, own_rate)) * rate // own_rate)  # decoded whole: damage shows here
    if notes["onset_s"].max() > samples / rate:
        raise ValueError(f"lasts {samples / rate:.2f} s, its last note begins at {notes['onset_s'].max():.2f} s")
    return _Recording(
        item,
        notes,
        samples,
        file_sha256(item.sound),
        Rights(
            settings.licence or rights.licence,
            settings.licence or rights.instrument_licence,
            settings.attribution or rights.attribution,
        ),
    )


def _later(notes: NoteArray, lead_s: float) -> NoteArray:
    later = notes.copy()
    for column in ("onset_s", "offset_s"):
        later[column] += lead_s
    return later


def _plan_piece(
    group: Sequence[tuple[_Recording, NDArray[np.int64]]],
    reference: str | Instrument,
    snippets: Sequence[str],
    settings: MapsSettings,
    recipe: Recipe,
) -> PiecePlan:
    """One piece: the reference's performance as score, and what differs from it, if only in timing, as variants."""
    first, name, rate = group[0][0], group[0][0].item.name, recipe.spectrogram.sample_rate_hz
    lead_samples = settings.lead_samples(name.music, recipe.seed, rate)
    score = _later(first.notes, lead_samples / rate)
    score["source"] = np.arange(len(score))
    piece_note = np.arange(len(score), dtype=np.int32)
    renditions: list[RenditionPlan] = []
    if isinstance(reference, Instrument):
        score["velocity"] = VELOCITY
        score = snap_to_event_grid(score, rate)
        samples = rendered_samples(score, rate, recipe.render)
        renditions.append(
            RenditionPlan(
                performance=0,
                instrument=reference,
                samples=samples,
                frames=frame_count(samples, recipe.spectrogram),
                is_reference=True,
                is_snippet=False,
            )
        )
    performances = [Performance(voice=0, method="all", role="score", copy=0, notes=score, piece_note=piece_note)]
    for recording, counterpart in group:
        notes, code = _later(recording.notes, lead_samples / rate), recording.item.name.instrument
        notes["source"] = counterpart
        same = [index for index, known in enumerate(performances) if np.array_equal(known.notes, notes)]
        if not same:
            same = [len(performances)]
            performances.append(replace(performances[0], role="variant", copy=len(performances), notes=notes))
        renditions.append(
            RenditionPlan(
                performance=same[0],
                instrument=Instrument(code, code, "", 0, 0, recording.rights.instrument_licence),
                samples=lead_samples + recording.samples,
                frames=frame_count(lead_samples + recording.samples, recipe.spectrogram),
                is_reference=code == reference,
                is_snippet=code in snippets,
                audio=str(recording.item.sound.absolute()),
                lead_samples=lead_samples,
            )
        )
    facts = {
        "title": name.title,
        "composer": name.composer,
        "source_id": "",
        "file": printable(first.item.sound.name),
        "sha256": first.sha256,
        "licence": first.rights.licence,
        "attribution": first.rights.attribution,
        "split": settings.split_of(name.music),
        "cut_s": 0.0 - lead_samples / rate,
    }
    keys = work_keys(PieceName(name.title, name.composer), first.sha256, score)
    return PiecePlan(facts, frozenset(keys), tuple(performances), tuple(renditions))
