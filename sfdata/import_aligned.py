"""Recorded sets become a store: the score is rendered, the recordings are the snippets.

Score times of the store are those of ``score.mid`` less ``cut_s``: the first note is moved to the recipe's lead-in.
Performed times are those of the sound, not snapped to any grid.
"""

import hashlib
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.aligned import RecordingFiles, RecordingMeta, find_recorded, read_meta, recording_files
from sfdata.locks import only_builder
from sfdata.match import AsapFacts, read_asap_metadata
from sfdata.midi import MAX_DURATION_S, printable
from sfdata.naming import PieceName, work_keys
from sfdata.notes import NoteArray, snap_to_event_grid
from sfdata.outline import outline_of
from sfdata.performed import Coverage, read_performance, read_score
from sfdata.place import Place
from sfdata.plan import Performance, PiecePlan, RenditionPlan, Skipped, skip
from sfdata.progress import Progress
from sfdata.recipe import Recipe
from sfdata.render import read_audio, rendered_samples
from sfdata.schema import SPLITS
from sfdata.soundfonts import DEFAULT_INSTRUMENT, Instrument, file_sha256, resolve_instrument
from sfdata.spectrogram import frame_count
from sfdata.workers import Workers
from sfdata.writing import BuildResult, check_target, write_store

SHARES = "shares"


@dataclass(frozen=True)
class ImportResult(BuildResult):
    """What an import made; `performances` tells for each recording how much of it is labelled."""

    performances: tuple[Coverage, ...] = ()


@dataclass(frozen=True)
class AlignedSettings:
    """How recorded sets are read.

    Attributes
    ----------
    soundfont : str
        Instrument that renders the scores.
    velocity : int
        Of all notes of the score, so that nothing of the performance's dynamics shows in the reference.
    split : str
        ``train``, ``validation`` or ``test``, or ``shares``: as the recipe shares works out.
    performed_by : str
        Instrument that renders performances of which there is a match file but no sound; empty for none.
    """

    soundfont: str = DEFAULT_INSTRUMENT
    velocity: int = 64
    split: str = "test"
    performed_by: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.velocity <= 127:
            raise ValueError(f"aligned: velocity {self.velocity}; expected 1 to 127")
        if self.split not in (*SPLITS, SHARES):
            raise ValueError(f"aligned: split {self.split!r}; expected one of {', '.join(SPLITS)}, {SHARES}")


def import_aligned(
    folder: str | Path,
    output: str | Path,
    settings: AlignedSettings | None = None,
    recipe: Recipe | None = None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ImportResult:
    """Build a store from recorded sets.

    Parameters
    ----------
    folder : path
        Holds the folders of recordings (see :mod:`sfdata.aligned`), or is one; or (n)ASAP's main folder.
    output : path
        The store to write.
    settings : AlignedSettings, optional
    recipe : Recipe, optional
        Lead-in, rendering, spectrogram, windows, splits, store settings and seed; its other parts are not used.

    Returns
    -------
    ImportResult

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no recorded set, or a soundfont is not on this machine.
    ValueError
        If the target exists or nothing could be used.
    """
    began, recipe, target = time.monotonic(), recipe or Recipe(), Place(output)
    root, settings = Path(folder).absolute(), settings or AlignedSettings()
    player = resolve_instrument(settings.soundfont)
    performer = resolve_instrument(settings.performed_by) if settings.performed_by else None
    folders, asap = find_recorded(root), read_asap_metadata(root)
    plans: dict[int, PiecePlan] = {}
    skipped: list[Skipped] = []
    covered: dict[int, list[Coverage]] = {}
    with only_builder(target), Workers(workers) as crew:
        check_target(target, overwrite)
        for index, (plan, coverage, left_out) in crew.run(
            plan_recorded, folders, root, recipe, settings, player, performer, asap
        ):
            covered[index] = coverage
            skipped += left_out
            if plan is not None:
                plans[index] = plan
            if progress:
                progress("read", len(covered), len(folders))
        used = [plans[index] for index in sorted(plans)]
        snippets = sorted({r.instrument.name for plan in used for r in plan.renditions if r.is_snippet})
        attrs = recipe.as_dict() | {
            "sources": [{"aligned": root.name, "velocity": settings.velocity, "split": settings.split}],
            "instruments": {"references": [player.name], "snippets": snippets},
        }
        pieces = [outline_of(plan, recipe) for plan in used]
        result = write_store(recipe, attrs, pieces, skipped, target, crew, began, progress, overwrite=overwrite)
    told = tuple(coverage for index in sorted(plans) for coverage in covered[index])
    return ImportResult(**vars(result), performances=told)


def plan_recorded(
    folder: Path,
    root: Path,
    recipe: Recipe,
    settings: AlignedSettings,
    player: Instrument,
    performer: Instrument | None,
    asap: AsapFacts,
) -> tuple[PiecePlan | None, list[Coverage], list[Skipped]]:
    """Read one folder and plan its renditions; a folder or recording that cannot be used is skipped with its reason."""
    name = printable(folder.relative_to(root).as_posix() if folder != root else folder.name)
    skipped: list[Skipped] = []
    try:
        recordings = recording_files(folder)
        meta = asap.pieces.get(name) or read_meta(folder / "meta.json")
        score = read_score(folder, recordings, recipe.midi.lead_in_s, settings.velocity)
        notes = snap_to_event_grid(score.notes, recipe.spectrogram.sample_rate_hz)
        identity = np.arange(len(notes), dtype=np.int32)
        performances = [Performance(0, "all", "score", 0, notes, identity)]
        samples = rendered_samples(notes, recipe.spectrogram.sample_rate_hz, recipe.render)
        renditions = [RenditionPlan(0, player, samples, frame_count(samples, recipe.spectrogram), True, False)]
        covered, digests = [], [score.sha256]
        for files in recordings:
            whole = f"{name}/{files.who}" if files.who else name
            try:
                if whole in asap.doubtful:
                    raise ValueError("the dataset itself calls its note alignment not robust")
                played, coverage = read_performance(whole, files, score, meta.median_audio_lag_s)
                played, rendition = _plan_sound(played, files, meta, name, recipe, performer)
            except Exception as error:  # whatever a damaged file brings up
                skipped.append(skip(whole, error))
                continue
            drawn = {"recording": asdict(coverage), "lag_s": meta.median_audio_lag_s}
            renditions.append(replace(rendition, performance=len(performances)))
            performances.append(Performance(0, "all", "variant", len(performances), played, identity, drawn))
            covered.append(coverage)
            digests += [file_sha256(path) for path in vars(files).values() if isinstance(path, Path)]
        if not covered:
            return None, [], skipped
        sha256 = hashlib.sha256("\n".join(digests).encode()).hexdigest()
        facts: dict[str, Any] = {
            "title": meta.title or name,
            "composer": meta.composer,
            "source_id": "",
            "file": name,
            "sha256": sha256,
            "licence": meta.licence,
            "attribution": meta.source,
            "split": "" if settings.split == SHARES else settings.split,
            "cut_s": score.cut_s,
        }
        keys = work_keys(PieceName(facts["title"], meta.composer), sha256, notes) | {f"file:{score.sha256}"}
        return PiecePlan(facts, frozenset(keys), tuple(performances), tuple(renditions)), covered, skipped
    except Exception as error:
        return None, [], [*skipped, skip(name, error)]


def _plan_sound(
    notes: NoteArray,
    files: RecordingFiles,
    meta: RecordingMeta,
    name: str,
    recipe: Recipe,
    performer: Instrument | None,
) -> tuple[NoteArray, RenditionPlan]:
    """Where a performance's sound comes from; the notes as they will sound."""
    rate = recipe.spectrogram.sample_rate_hz
    if files.sound:
        samples = len(read_audio(files.sound, rate))  # decoded whole: damage shows here, not in the middle of a build
        first_s, last_s, end_s = notes["onset_s"].min(), notes["onset_s"].max(), samples / rate
        if first_s < 0 or last_s >= end_s:
            raise ValueError(
                f"its onsets lie from {first_s:.2f} to {last_s:.2f} s, outside {files.sound.name} ({end_s:.2f} s)"
            )
        if end_s > MAX_DURATION_S:
            raise ValueError(f"{files.sound.name} lasts {end_s / 3600:.1f} hours; expected {MAX_DURATION_S / 3600:.0f}")
        instrument = Instrument(meta.instrument or name, name, "", 0, 0, meta.licence)
    elif performer:
        notes, instrument = snap_to_event_grid(notes, rate), performer
        samples = rendered_samples(notes, rate, recipe.render)
    else:
        raise ValueError(
            f"no recording beside {files.match.name if files.match else 'its alignment'}; "
            "name an instrument (--performed-by) to have the performance rendered"
        )
    sound = str(files.sound) if files.sound else ""
    frames = frame_count(samples, recipe.spectrogram)
    return notes, RenditionPlan(0, instrument, samples, frames, False, True, audio=sound)
