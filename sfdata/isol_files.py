"""Writing sets shaped like MAPS's isolated notes: sound, annotation and MIDI of each item (see :mod:`sfdata.isol`)."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from sfdata.build import software_versions
from sfdata.files import write_atomically
from sfdata.isol import IsolSettings, draw_items, item_keys, sounding
from sfdata.maps import INSTRUMENT_FILE
from sfdata.maps_names import STYLES
from sfdata.maps_settings import MapsSettings
from sfdata.notes import NoteArray, event_grid_samples, snap_to_event_grid
from sfdata.recipe import Recipe
from sfdata.render import RenderSettings, preset_name, render, write_audio
from sfdata.rooms import RoomFile
from sfdata.sound import SoundSettings, apply_sound, draw_sound, tuning_cents
from sfdata.soundfonts import DEFAULT_INSTRUMENT, resolve_instrument
from sfdata.stages import StageResult


def make_isol(
    output: str | Path,
    instrument: str = DEFAULT_INSTRUMENT,
    settings: IsolSettings | None = None,
    *,
    code: str = "",
    overwrite: bool = False,
    sound: SoundSettings | None = None,
    rooms: Sequence[RoomFile] = (),
    rendering: RenderSettings | None = None,
    keep: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> StageResult:
    """Write a set: for each item the sound (mono), its annotation and its MIDI, under ``output/CODE/ISOL/STYLE/``.

    ``output/CODE/instrument.json`` records soundfont, settings, rights and what was drawn. The same call writes the
    same bytes.

    Parameters
    ----------
    output : path
    instrument : str
        ``NAME[:PROGRAM]`` or a path to a soundfont.
    settings : IsolSettings, optional
    code : str
        Name of the instrument in folders and files; default: the instrument's, such as timgm6mb-0.
    overwrite : bool
        Replace a set of that code.
    sound : SoundSettings, optional
        What befalls the sound, drawn once for all of the set: its instrument stands in one room.
    rooms : sequence of RoomFile
        The user's impulse responses, where `sound` asks for them.
    rendering : RenderSettings, optional
        How long sounds go on after their last note, and how loud they are.
    keep : bool
        Leave a set of that code if it was made just like this; nothing is written then.

    Returns
    -------
    StageResult

    Raises
    ------
    FileNotFoundError
        If the soundfont is not on this machine.
    ValueError
        If the instrument is unknown, the code cannot stand in a name, or the set is there already.
    """
    settings, chosen = settings or IsolSettings(), resolve_instrument(instrument)
    code = code or re.sub(r"[^A-Za-z0-9-]+", "-", chosen.name)
    if not re.fullmatch(r"[A-Za-z0-9-]+", code):
        raise ValueError(f"code {code!r}; expected letters, digits and hyphens, since names are taken apart at '_'")
    rate, rendering = settings.sample_rate_hz, rendering or RenderSettings()
    preset = preset_name(chosen, rate, rendering)
    folder, part = Path(output) / code, Path(output) / f".{code}.part"
    drawn = draw_sound(sound, np.random.default_rng([settings.seed, 4]), rooms) if sound else {}
    about = {
        "code": code,
        "soundfont": {"name": chosen.name, "sha256": chosen.sha256, "preset": preset},
        "licence": "CC0-1.0",  # of the notes: nobody's work
        "instrument_licence": chosen.licence,
        "attribution": f"made with sfdata from soundfont preset {chosen.name}",
        "sound": drawn,
        "render": asdict(rendering),
        "settings": asdict(settings),
        "software": software_versions(),
    }
    if keep and _was_made(folder / INSTRUMENT_FILE, about):
        return StageResult(0, ())
    if folder.exists() and not (overwrite and (folder / INSTRUMENT_FILE).is_file()):
        raise ValueError(f"{folder} exists already; choose another code, or say --overwrite to replace a set")
    items = draw_items(settings)
    if not items:
        raise ValueError(f"no item in subsets {', '.join(settings.subsets)} has keys within {settings.pitches}")
    shutil.rmtree(part, ignore_errors=True)
    for index, item in enumerate(items):
        keys, pedal = item_keys(item)
        keys = snap_to_event_grid(keys, rate)
        notes = snap_to_event_grid(sounding(keys, pedal), rate)
        stem = part / "ISOL" / item["style"] / f"MAPS_{item['music']}_{code}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        samples = render(notes, chosen, rate, rendering, tuning_cents(drawn))
        samples = apply_sound(samples, rate, drawn, rooms)
        item["gain"] = round(write_audio(_with_ending(stem, settings.audio_format), samples, rate), 6)
        rows = (f"{note['onset_s']:.6f}\t{note['offset_s']:.6f}\t{note['pitch']}\n" for note in notes)
        _with_ending(stem, "txt").write_text("OnsetTime\tOffsetTime\tMidiPitch\n" + "".join(rows), newline="\n")
        _with_ending(stem, "mid").write_bytes(_midi(keys, pedal, rate, item["music"]))
        if progress:
            progress("isol", index + 1, len(items))
    write_atomically(part / INSTRUMENT_FILE, (json.dumps({**about, "items": items}, indent=1) + "\n").encode())
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)
    return StageResult(len(items), ())


def make_stand_ins(
    output: str | Path,
    recipe: Recipe,
    settings: IsolSettings,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> StageResult:
    """Write a set for each of a recipe's stand-ins; those that are there already, made just like this, stay.

    Parameters
    ----------
    output : path
    recipe : Recipe
        Its ``[maps.stand_ins]`` and ``[render]``.
    settings : IsolSettings
    overwrite : bool
        Replace sets that were made otherwise.

    Returns
    -------
    StageResult

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`make_isol`, or if the recipe names no stand-ins.
    """
    stand_ins = recipe.maps.stand_ins if recipe.maps else {}
    if not stand_ins:
        raise ValueError("the recipe names no stand-ins; expected [maps.stand_ins.CODE] with code and soundfont")
    written = 0
    for one in stand_ins.values():
        written += make_isol(
            output,
            one.soundfont,
            settings,
            code=one.code,
            overwrite=overwrite,
            sound=one.sound,
            rooms=recipe.rooms(one.sound) if one.sound else (),
            rendering=recipe.render,
            keep=True,
            progress=progress,
        ).written
    return StageResult(written, ())


def isol_subsets(maps: MapsSettings | None) -> tuple[str, ...]:
    """Playing styles among the subsets that are asked for, or all of them.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> isol_subsets(MapsSettings(subsets=("ISOL/ST", "ISOL/CH", "MUS"))), isol_subsets(None) == STYLES
    (('ST', 'CH'), True)
    """
    asked = maps or MapsSettings()
    styles = tuple(style for style in STYLES if asked.holds(f"ISOL/{style}"))
    if not styles:
        raise ValueError(f"the recipe's subsets are {', '.join(asked.subsets)}; expected some of ISOL")
    return styles


def _was_made(path: Path, about: dict[str, Any]) -> bool:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(there, dict) and {key: there.get(key) for key in about} == json.loads(json.dumps(about))


def _with_ending(stem: Path, ending: str) -> Path:
    return stem.with_name(f"{stem.name}.{ending}")  # names hold points: CH0.1


def _midi(keys: NoteArray, pedal: tuple[float, float] | None, sample_rate_hz: int, name: str) -> bytes:
    """MIDI whose ticks are samples."""
    score: Any = symusic.Score(sample_rate_hz // 4)
    score.tempos.append(symusic.Tempo(0, mspq=250_000))
    track: Any = symusic.Track(name=name, program=0, is_drum=False)
    on, off = event_grid_samples(keys, sample_rate_hz)
    track.notes = symusic.Note.from_numpy(
        on.astype(np.int32),
        (off - on).astype(np.int32),
        keys["pitch"].astype(np.int8),
        keys["velocity"].astype(np.int8),
    )
    for time_s, value in zip(pedal or (), (127, 0), strict=False):
        tick = int(np.floor(time_s * sample_rate_hz / 64 + 0.5)) * 64
        track.controls.append(symusic.ControlChange(tick, 64, value))
    score.tracks.append(track)
    return bytes(score.dumps_midi())
