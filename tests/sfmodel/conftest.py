"""A small synthetic store: random tones, two instruments, splits by piece. Recorded pieces."""

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import zarr

from sfdata.blocks import Samples
from sfdata.build import build
from sfdata.layout import StoreSettings, create_frames, write_tables
from sfdata.midi import read_piece, write_midi
from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.recipe import read_recipe
from sfdata.render import render, write_audio
from sfdata.schema import SPLITS, TABLES, array_sha256
from sfdata.soundfonts import resolve_instrument
from sfdata.spectrogram import SpectrogramSettings
from sfdata.windows import WindowSettings, draw_reference_starts

FRAME_RATE_HZ = 20.0
BINS = 88
SAMPLE_RATE_HZ = 22050


def draw_rendition(onset_s: np.ndarray, pitch: np.ndarray, frames: int, instrument: int, rng: np.random.Generator):
    """Decaying tones with an octave partial whose level is the instrument's, over a little noise."""
    out = np.zeros((frames, BINS), dtype=np.float32)
    for onset, key in zip(onset_s, pitch - 21, strict=True):
        first = int(np.floor(onset * FRAME_RATE_HZ + 0.5))
        decay = np.linspace(4, 1, 6)[: frames - first]
        out[first : first + 6, key] = decay
        out[first : first + 4, min(BINS - 1, key + 12)] = 2 - instrument
    return (out + rng.uniform(0, 0.2, out.shape)).astype(np.float16)


def write_synthetic_store(
    path: Path, splits: tuple[str, ...], notes: int = 40, seed: int = 0, gap_s: tuple[float, float] = (0.15, 0.6)
) -> Path:
    """Write one piece per entry of `splits`; reference by instrument 0, snippets by instrument 1."""
    rng = np.random.default_rng(seed)
    windows, layout = WindowSettings(), StoreSettings(chunk_frames=512, shard_frames=512)
    tables: dict[str, dict[str, list[Any]]] = {name: {column: [] for column in TABLES[name]} for name in TABLES}

    def add(table: str, **row: Any) -> None:
        for column, value in row.items():
            tables[table][column].append(value)

    for i in range(2):
        add("instruments", name=f"tones:{i}", preset="tones", file="tones.sf2", sha256="0" * 64)
        add("instruments", bank=0, program=i, licence="MIT", split="all")
    blocks, first_frame = [], 0
    for piece, split in enumerate(splits):
        add("pieces", title=f"Piece {piece}", composer=f"Composer {piece}", source_id=str(piece), file=f"{piece}.mid")
        add("pieces", sha256="0" * 64, licence="CC0-1.0", attribution="", split=split, work=str(piece), cut_s=0.0)
        onset_s = 0.5 + np.cumsum(rng.uniform(*gap_s, notes))
        pitch = rng.integers(40, 90, notes)
        first_note = len(tables["notes"]["onset_s"])
        add("performances", piece=piece, voice=0, method="skyline", role="score", copy=0)
        add("performances", first_note=first_note, note_count=notes, augmentation="{}")
        for j in range(notes):
            add("notes", onset_s=onset_s[j], offset_s=onset_s[j] + 0.1, pitch=pitch[j], velocity=80)
            add("notes", source=j, piece_note=j)
        frame_count = int((onset_s[-1] + 2) * FRAME_RATE_HZ)
        for instrument in range(2):
            frames = draw_rendition(onset_s, pitch, frame_count, instrument, rng)
            add("renditions", first_frame=first_frame, frame_count=frame_count, performance=piece)
            add("renditions", instrument=instrument, duration_s=frame_count / FRAME_RATE_HZ, gain=1.0, room="")
            add("renditions", sound="{}", use=("reference", "snippet")[instrument])
            add("renditions", sha256=array_sha256(frames))
            blocks.append(np.pad(frames, ((0, -frame_count % layout.shard_frames), (0, 0))))
            first_frame += len(blocks[-1])
        onset_frame = onset_s * FRAME_RATE_HZ
        start = draw_reference_starts(onset_frame, np.full(notes, frame_count), windows, FRAME_RATE_HZ, rng)
        for j in range(notes):
            target = onset_frame[j] - start[j]
            add("pairs", reference_rendition=2 * piece, reference_start_frame=start[j], snippet_rendition=2 * piece + 1)
            add("pairs", snippet_centre_s=onset_s[j], target_frame=target, target_s=target / FRAME_RATE_HZ)
            add("pairs", note=first_note + j, split=SPLITS.index(split), lookalikes=0)
    create_frames(path, first_frame, BINS, layout)
    frames_array = zarr.open_group(path, mode="r+")["frames"]
    frames_array[:] = np.concatenate(blocks)
    attrs = {"spectrogram": asdict(SpectrogramSettings()), "windows": asdict(windows), "recipe": {"name": "synthetic"}}
    attrs |= {"seed": seed, "software": {}, "licences": [], "skipped": []}
    write_tables(path, {name: dict(columns) for name, columns in tables.items()}, attrs)
    return path


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pieces of 40 notes: four for training, two each for validation and test."""
    splits = ("train",) * 4 + ("validation",) * 2 + ("test",) * 2
    return write_synthetic_store(tmp_path_factory.mktemp("store") / "small.zarr", splits)


@pytest.fixture(scope="session")
def write_store() -> Callable[..., Path]:
    """The function that writes a synthetic store of other sizes and splits."""
    return write_synthetic_store


@pytest.fixture(scope="session")
def following_store(tmp_path_factory: pytest.TempPathFactory, short_midi: list[Path]) -> Path:
    """Performances of the beginnings of two pieces, 50 frames a second, by one instrument."""
    folder = tmp_path_factory.mktemp("midi")
    for number, path in enumerate(short_midi[:2]):
        notes = read_piece(path).notes
        write_midi(folder / f"{number}.mid", notes[notes["onset_s"] < 40])
    recipe = read_recipe("pipelines/following.toml")
    piano = replace(recipe.instruments, references=("timgm6mb:0",), snippets=("timgm6mb:1",))
    source = replace(recipe.sources[0], midi=str(folder))
    recipe = replace(recipe, sources=(source,), instruments=piano, augment=replace(recipe.augment, copies=1))
    path = tmp_path_factory.mktemp("following") / "store.zarr"
    build(recipe, path, workers=1)
    return path


class RecordedPiece(NamedTuple):
    """A folder with a score and its recording: the sound, and where each note stands and when it sounds."""

    folder: Path
    sound: Samples  # (samples,)
    score_s: np.ndarray  # (notes,)
    played_s: np.ndarray  # (notes,)


def write_recorded_piece(
    folder: Path,
    midi: Path,
    until_s: float,
    when: Callable[[np.ndarray], np.ndarray],
    preset: str = "timgm6mb:1",
    shortest_s: float = 0.0,
    **meta: str,
) -> RecordedPiece:
    """Write the beginning of a piece as score, its sound played at the times `when` tells, alignment and facts."""
    notes = read_piece(midi).notes
    notes = notes[(notes["onset_s"] < until_s) & (notes["offset_s"] - notes["onset_s"] > shortest_s)]
    folder.mkdir(parents=True)
    write_midi(folder / "score.mid", make_notes(notes["onset_s"], notes["offset_s"], notes["pitch"], 64))
    played = make_notes(when(notes["onset_s"]), when(notes["offset_s"]), notes["pitch"], notes["velocity"])
    played = snap_to_event_grid(played, SAMPLE_RATE_HZ)
    sound = render(played, resolve_instrument(preset), SAMPLE_RATE_HZ)
    write_audio(folder / "performance.flac", sound, SAMPLE_RATE_HZ)
    rows = dict(zip(notes["onset_s"].round(4).tolist(), played["onset_s"].tolist(), strict=True))
    text = "".join(f"{performed:.6f},{written:.6f}\n" for written, performed in sorted(rows.items()))
    (folder / "alignment.csv").write_text("performance_time_s,score_time_s\n" + text)
    told = {"title": "A", "source": "made here", "licence": "CC0-1.0"} | meta
    (folder / "meta.json").write_text(json.dumps(told))
    return RecordedPiece(folder, sound, notes["onset_s"], played["onset_s"])


@pytest.fixture(scope="session")
def write_recorded() -> Callable[..., RecordedPiece]:
    """The function that writes a recorded piece."""
    return write_recorded_piece


@pytest.fixture
def train_and_kill() -> Callable[..., None]:
    """Train in a process of its own and kill it at the beginning of a step, counting from one."""

    def train_and_kill(store: Path, run_dir: Path, settings: Any, step: int, **options: Any) -> None:
        code = f"""
            import os, signal, torch
            from sfmodel import learner, training
            from sfmodel.settings import TrainingSettings
            torch.set_num_threads(1)
            step, done = learner.Learner.step, 0
            def counted(*arguments):
                global done
                done += 1
                if done == {step}:
                    os.kill(os.getpid(), signal.SIGKILL)
                return step(*arguments)
            learner.Learner.step = counted
            training.train({str(store)!r}, {str(run_dir)!r}, {settings!r}, **{options!r})
        """
        killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr

    return train_and_kill
