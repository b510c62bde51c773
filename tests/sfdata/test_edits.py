"""Edits of recordings: exact to the sample, drawn the same whatever else is, folders whole or not there."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from sfdata.alignment import Alignment
from sfdata.cli import main
from sfdata.edited import read_edited
from sfdata.edits import BEFORE_ONSET_S, FADE_S, JOIN_S, KINDS, Piece, apply_edit, draw_edit
from sfdata.midi import write_midi
from sfdata.notes import make_notes
from sfdata.render import read_audio, write_audio

RATE = 8000


def recording(duration_s: float = 80.0, seed: int = 0):
    """Noise, onsets in it, and their places in a score of twice the tempo."""
    rng = np.random.default_rng(seed)
    sound_s = np.cumsum(rng.uniform(0.2, 0.6, 500))
    sound_s = sound_s[sound_s < duration_s - 1]
    return rng.normal(0, 0.1, round(duration_s * RATE)).astype(np.float32), sound_s, sound_s / 2


def edited(kind: str, seed: int = 0):
    samples, sound_s, score_s = recording()
    pieces = draw_edit(kind, sound_s, len(samples) / RATE, np.random.default_rng(seed))
    return samples, sound_s, score_s, pieces, apply_edit(pieces, samples, RATE, sound_s, score_s)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_every_onset_has_its_own_sound(kind, seed):
    samples, sound_s, score_s, _, made = edited(kind, seed)
    for performed_s, place_s in zip(made.performance_s, made.score_s, strict=True):
        source = round(sound_s[np.abs(score_s - place_s).argmin()] * RATE)
        here = round(performed_s * RATE)
        count = min(400, len(made.samples) - here, len(samples) - source)
        one, other = made.samples[here : here + count], samples[source : source + count]
        if kind == "pause" and here < made.at_s * RATE:
            count = min(count, round((made.at_s - FADE_S) * RATE) - here)
            if count <= 0:
                continue
        inside = count - round(JOIN_S * RATE)  # the end may lie in a join
        if inside > 0:
            np.testing.assert_array_equal(one[:inside], other[:inside])
    assert (np.diff(made.performance_s) > 0).all()


def test_kinds_do_what_they_say():
    for kind in KINDS:
        samples, _, _, pieces, made = edited(kind)
        steps = np.diff(made.score_s)
        if kind == "pause":
            assert 2 <= made.until_s - made.at_s <= 4 and (steps > 0).all()
            quiet = made.samples[round(made.at_s * RATE) : round(made.until_s * RATE)]
            assert not quiet.any() and len(made.samples) == len(samples) + len(quiet)
        elif kind == "repeat":
            assert steps.min() == pytest.approx(-5, abs=0.5) and (steps < 0).sum() == 1
        elif kind == "skip":
            assert steps.max() == pytest.approx(5, abs=0.5) and (steps > 0).all()
        else:
            assert len(pieces) == 1 and 0.3 * 80 <= pieces[0].begin_s <= 0.6 * 80
            assert made.performance_s[0] == pytest.approx(BEFORE_ONSET_S, abs=1 / RATE) and made.at_s == 0


def test_joins_do_not_click():
    constant = np.ones(10 * RATE, dtype=np.float32)
    made = apply_edit((Piece(0, 4), Piece(6, 10)), constant, RATE, np.array([1.0, 7.0]), np.array([0.0, 1.0]))
    assert np.abs(np.diff(made.samples)).max() < 0.05
    assert made.performance_s.tolist() == [1.0, 5.0] and made.at_s == made.until_s == 4.0


@pytest.mark.parametrize(
    "kind, onsets_s, duration_s, message",
    [("loop", 80, 80, "expected one of pause"), ("pause", 30, 30, "needs 45 s"), ("skip", 25, 80, "no onset")],
)
def test_what_cannot_be_edited(kind, onsets_s, duration_s, message):
    _, sound_s, _ = recording()
    with pytest.raises(ValueError, match=message):
        draw_edit(kind, sound_s[sound_s < onsets_s], duration_s, np.random.default_rng(0))


@pytest.fixture
def recorded_set(tmp_path):
    for number, duration_s in enumerate((70.0, 20.0)):
        folder = tmp_path / "set" / f"piece-{number}"
        folder.mkdir(parents=True)
        samples, sound_s, score_s = recording(duration_s, number)
        write_audio(folder / "performance.flac", samples, RATE)
        write_midi(folder / "score.mid", make_notes(score_s, score_s + 0.1, np.full(len(score_s), 60), 64))
        rows = "".join(f"{p - 0.02:.6f},{s:.6f}\n" for p, s in zip(sound_s, score_s, strict=True))
        (folder / "alignment.csv").write_text("performance_time_s,score_time_s\n" + rows)
        meta = {"title": f"T{number}", "source": "made here", "licence": "CC0-1.0", "median_audio_lag_s": 0.02}
        (folder / "meta.json").write_text(json.dumps(meta))
    return tmp_path / "set"


def test_folders(recorded_set, tmp_path):
    arguments = ["edit", str(recorded_set), "-o", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    told = json.loads(result.output)
    assert told["written"] == 4 and len(told["skipped"]) == 4  # the second one is too short
    assert all("piece-1" in entry["source"] and "needs 45 s" in entry["reason"] for entry in told["skipped"])
    for kind in KINDS:
        found = read_edited(tmp_path / "out" / f"piece-0--{kind}")
        assert found.kind == kind and found.at_s <= found.until_s
        samples = read_audio(found.sound, RATE)
        assert found.performance_s[-1] < len(samples) / RATE
        meta = json.loads((found.sound.parent / "meta.json").read_text())
        assert meta["licence"] == "CC0-1.0" and len(meta["edit"]["made_from_sha256"]) == 64
    repeated = read_edited(tmp_path / "out" / "piece-0--repeat")
    with pytest.raises(ValueError, match="write repeats out"):
        Alignment(repeated.performance_s, repeated.score_s)


def test_an_edit_does_not_depend_on_the_others(recorded_set, tmp_path):
    runs = {"all": [], "one": ["--edit", "skip"]}
    for name, options in runs.items():
        CliRunner().invoke(main, ["edit", str(recorded_set), "-o", str(tmp_path / name), *options])
    one, other = ((tmp_path / name / "piece-0--skip" / "performance.flac").read_bytes() for name in runs)
    assert one == other
    CliRunner().invoke(main, ["edit", str(recorded_set), "-o", str(tmp_path / "seed"), "--seed", "1", "--edit", "skip"])
    assert (tmp_path / "seed" / "piece-0--skip" / "performance.flac").read_bytes() != one


def test_what_is_there_stays(recorded_set, tmp_path):
    arguments = ["edit", str(recorded_set), "-o", str(tmp_path / "out"), "--edit", "pause"]
    CliRunner().invoke(main, arguments)
    marked = tmp_path / "out" / "piece-0--pause" / "score.mid"
    marked.write_bytes(b"mine")
    CliRunner().invoke(main, arguments)
    assert marked.read_bytes() == b"mine"
    CliRunner().invoke(main, [*arguments, "--overwrite"])
    assert marked.read_bytes() != b"mine"


def edit(source, output, *options):
    return CliRunner().invoke(main, ["edit", str(source), "-o", str(output), "--edit", "pause", *options])


def test_what_is_there_is_counted_apart(recorded_set, tmp_path):
    assert "1 edited recordings written to" in edit(recorded_set, tmp_path / "out").output
    assert "0 edited recordings written to" in (again := edit(recorded_set, tmp_path / "out")).output
    assert again.exit_code == 0 and "; 1 were there" in again.output
    told = json.loads(edit(recorded_set, tmp_path / "out", "--edit", "skip", "--json").stdout)
    assert (told["written"], told["kept"]) == (1, 1)


@pytest.mark.parametrize("change", ["seed", "sound", "kind", "meta"])
def test_what_was_made_otherwise_is_refused(recorded_set, tmp_path, change):
    out, options = tmp_path / "out", []
    edit(recorded_set, out)
    target = out / "piece-0--pause"
    meta = target / "meta.json"
    if change == "seed":
        options = ["--seed", "1"]
    elif change == "sound":
        write_audio(recorded_set / "piece-0" / "performance.flac", recording(70.0, 9)[0], RATE)
    elif change == "kind":
        meta.write_text(meta.read_text().replace('"kind": "pause"', '"kind": "skip"'))
    else:
        meta.write_text("[]")
    before = meta.read_bytes()
    refused = edit(recorded_set, out, "--edit", "repeat", *options)
    assert refused.exit_code == 2 and "piece-0--pause, made with another seed or of other sound" in refused.output
    assert meta.read_bytes() == before and [path.name for path in out.iterdir()] == ["piece-0--pause"]
    assert edit(recorded_set, out, "--overwrite", *options).exit_code == 0
    assert meta.read_bytes() != before


def test_where_nothing_can_be_written(recorded_set, tmp_path):
    (tmp_path / "file").touch()
    names = sorted(path.name for path in recorded_set.iterdir())
    for output, told in (
        (recorded_set, "whose recordings are edited; expected a folder outside of it"),
        (recorded_set / "new", "whose recordings are edited"),
        (tmp_path / "file" / "new", "cannot make the folder"),
    ):
        result = edit(recorded_set, output)
        assert result.exit_code == 2 and told in result.output
    assert sorted(path.name for path in recorded_set.iterdir()) == names
    result = edit(recorded_set / "piece-1", tmp_path / "out")
    assert result.exit_code == 2 and "nothing could be edited: piece-1, pause: lasts" in result.output


def test_a_folder_that_is_none(recorded_set):
    with pytest.raises(ValueError, match="sfdata edit"):
        read_edited(recorded_set / "piece-0")
