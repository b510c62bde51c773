"""The single steps on folders: extract voices, augment them, render them; each writes files and a manifest.

What the steps write one after another is what :func:`sfdata.build.build` does in one pass.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sfdata.augment import AugmentSettings
from sfdata.manifest import Entry, entry_notes, entry_piece_note, notes_path, read_manifest, write_manifest
from sfdata.midi import MidiSettings, find_midi, printable, read_piece, write_midi
from sfdata.notes import snap_to_event_grid, write_notes_csv
from sfdata.plan import Skipped, none_usable, perform, skip
from sfdata.render import SUBTYPES, RenderSettings, preset_name, render, write_audio
from sfdata.rooms import RoomFile
from sfdata.sound import SoundSettings, apply_sound, draw_sound, total_gain, tuning_cents
from sfdata.soundfonts import resolve_instrument
from sfdata.voices import VoiceSettings, extract_voices

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class StageResult:
    """How many files a step wrote, and which sources it skipped."""

    written: int
    skipped: tuple[Skipped, ...]


def extract_folder(
    midi: Sequence[str | Path],
    output: str | Path,
    midi_settings: MidiSettings | None = None,
    voice_settings: VoiceSettings | None = None,
    progress: Progress | None = None,
) -> StageResult:
    """Extract the voices of MIDI files into a folder: one MIDI file a voice, and a manifest.

    Raises
    ------
    FileNotFoundError
        If a path does not exist or a folder holds no MIDI.
    """
    midi_settings, voice_settings = midi_settings or MidiSettings(), voice_settings or VoiceSettings()
    output = Path(output)

    def extract(path: Path, stem: str) -> list[Entry]:
        piece = read_piece(path, midi_settings)
        entries = []
        for number, voice in enumerate(extract_voices(piece.notes, voice_settings)):
            file = f"{stem}.voice{number}.mid"
            write_midi(output / file, voice, piece.name.title)
            entries.append(
                Entry(
                    file=file,
                    title=piece.name.title,
                    composer=piece.name.composer,
                    source_id=piece.name.source_id,
                    piece_file=piece.file,
                    sha256=piece.sha256,
                    cut_s=piece.cut_s,
                    voice=number,
                    method=voice_settings.method,
                    role="score",
                    copy=0,
                    source=list(range(len(voice))),
                    piece_note=voice["source"].tolist(),
                )
            )
        return entries

    paths = find_midi([Path(path) for path in midi])
    items = list(zip(paths, _unique_stems(printable(path.stem) for path in paths), strict=True))
    return _run("extract", items, output, lambda item: extract(*item), lambda item: item[0].name, progress)


def augment_folder(
    voices: str | Path,
    output: str | Path,
    settings: AugmentSettings,
    seed: int,
    sample_rate_hz: int = 22050,
    progress: Progress | None = None,
) -> StageResult:
    """Write the score side and the drawn variants of every voice in a folder.

    Parameters
    ----------
    sample_rate_hz : int
        Of the sound to be rendered, to whose event grid times are snapped.

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no MIDI.
    """
    voices, output = Path(voices), Path(output)

    def augment(entry: Entry) -> list[Entry]:
        voice = entry_notes(voices, entry)
        piece_note = entry_piece_note(entry, voice)
        voice["source"] = piece_note
        stem = entry.file.rsplit(".", 1)[0]
        entries = []
        for performance in perform(
            [voice], settings, seed, entry.sha256, entry.method, sample_rate_hz, first_voice=entry.voice
        ):
            file = f"{stem}.score.mid" if performance.role == "score" else f"{stem}.variant{performance.copy}.mid"
            write_midi(output / file, performance.notes, entry.title)
            entries.append(
                replace(
                    entry,
                    file=file,
                    role=performance.role,
                    copy=performance.copy,
                    source=performance.notes["source"].tolist(),
                    piece_note=performance.piece_note.tolist(),
                    augmentation=performance.augmentation,
                )
            )
        return entries

    return _run("augment", read_manifest(voices, "midi"), output, augment, lambda entry: entry.file, progress)


def render_folder(
    performances: str | Path,
    output: str | Path,
    instrument: str,
    *,
    sample_rate_hz: int = 22050,
    audio_format: str = "flac",
    subtype: str = "PCM_16",
    roles: Sequence[str] = ("score", "variant"),
    settings: RenderSettings | None = None,
    sound: SoundSettings | None = None,
    rooms: Sequence[RoomFile] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> StageResult:
    """Render performances (or voices, or plain MIDI files) with one instrument: sound, and the notes beside it.

    ``NAME.notes.csv`` holds the times at which the notes really begin and end in the sound.

    Parameters
    ----------
    sound : SoundSettings, optional
        What may befall the sound, drawn from `seed` for each file; score sides get it only where it says so.
    rooms : sequence of RoomFile
        The user's impulse responses, where `sound` asks for them.

    Raises
    ------
    FileNotFoundError
        If the folder is not there or holds no MIDI, or the soundfont is not on this machine.
    ValueError
        If the instrument or the sound format is unknown, or no file could be used.
    """
    performances, output = Path(performances), Path(output)
    chosen = resolve_instrument(instrument)
    settings = settings or RenderSettings()
    preset_name(chosen, sample_rate_hz, settings)  # a soundfont that cannot be used concerns all files, not each

    def render_one(entry: Entry) -> list[Entry]:
        notes = snap_to_event_grid(entry_notes(performances, entry), sample_rate_hz)
        file = output / f"{entry.file.rsplit('.', 1)[0]}.{audio_format}"
        rng = np.random.default_rng(
            [seed, int(entry.sha256[:16], 16), entry.voice, entry.copy, zlib.crc32(chosen.name.encode())]
        )
        drawn = draw_sound(sound, rng, rooms) if sound and (entry.role == "variant" or sound.references) else {}
        samples = render(notes, chosen, sample_rate_hz, settings, tuning_cents(drawn))
        samples = apply_sound(samples, sample_rate_hz, drawn, rooms)
        gain = write_audio(file, samples, sample_rate_hz, subtype) * total_gain(drawn)
        write_notes_csv(notes_path(file), notes)
        made = replace(entry, file=file.name, instrument=asdict(chosen), sample_rate_hz=sample_rate_hz)
        return [replace(made, gain=gain, sound=drawn)]

    if subtype not in SUBTYPES.get(audio_format, ()):
        raise ValueError(f"sound as {audio_format} {subtype}; expected one of {SUBTYPES}")
    entries = [entry for entry in read_manifest(performances, "midi") if entry.role in roles]
    return _run("render", entries, output, render_one, lambda entry: entry.file, progress)


def _run(
    step: str,
    items: Sequence,
    output: Path,
    work: Callable[..., list[Entry]],
    name: Callable[..., str],
    progress: Progress | None,
) -> StageResult:
    """Do one step for every item; an item that fails is skipped with its reason, the rest goes on."""
    output.mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for index, item in enumerate(items):
        try:
            entries += work(item)
        except Exception as error:  # whatever a damaged file brings up
            skipped.append(skip(name(item), error))
        if progress:
            progress(step, index + 1, len(items))
    if not entries:
        raise none_usable("files", len(items), skipped)
    write_manifest(output, entries)
    return StageResult(len(entries), tuple(skipped))


def _unique_stems(stems: Iterable[str]) -> list[str]:
    """Names that don't clash, not even where letters' case is not told apart: others get ``-2``, ``-3``, …"""
    given = list(stems)
    taken: set[str] = set()
    reserved = {stem.casefold() for stem in given}
    unique = []
    for stem in given:
        name, number = stem, 2
        while name.casefold() in taken or (name != stem and name.casefold() in reserved):
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.casefold())
        unique.append(name)
    return unique
