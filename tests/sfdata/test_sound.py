"""Sound operations: what they do, that they are drawn as asked, and that labels stay true under them."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata import blocks
from sfdata.blocks import joined
from sfdata.effects import (
    CLIPPING_KINDS,
    OPERATIONS,
    ClippingSettings,
    EqSettings,
    GainSettings,
    NoiseSettings,
    RoomSettings,
    TuningSettings,
)
from sfdata.noise import NOISE_DB_PER_OCTAVE, rms, sounding_rms
from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.render import render
from sfdata.rooms import find_rooms, synthetic_response
from sfdata.sound import SoundSettings, apply_sound, draw_sound, room_name, sound_blocks, total_gain, tuning_cents
from sfdata.soundfonts import resolve_instrument

RATE = 22050
ALL = SoundSettings(**{name: kind() for name, kind in OPERATIONS.items()})
RECORDING = SoundSettings(room=RoomSettings(), eq=EqSettings(), noise=NoiseSettings(snr_db=(30, 30)))


def apply(name: str, samples: np.ndarray, rooms=(), **drawn) -> np.ndarray:
    return apply_sound(samples, RATE, {"operations": [{"operation": name, **drawn}]}, rooms)


def some_sound(seconds: float = 1.0) -> np.ndarray:
    """A quarter of silence, then noise that fades."""
    samples = np.random.default_rng(9).standard_normal(round(seconds * RATE)).astype(np.float32)
    samples *= np.linspace(1, 0.1, len(samples), dtype=np.float32)
    samples[: len(samples) // 4] = 0
    return samples


def keys(seed: int, instrument: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Single notes over the whole keyboard: pitches, labels in seconds, and their sound."""
    pitches = np.arange(21, 109, 3)
    onset_s = 0.5 + 1.2 * np.arange(len(pitches)) + np.random.default_rng(seed).uniform(0, 0.1, len(pitches))
    notes = snap_to_event_grid(make_notes(onset_s, onset_s + 0.5, pitches, [80] * len(pitches)), RATE)
    return pitches, notes["onset_s"], render(notes, resolve_instrument(instrument), RATE)


def attack_ms(samples: np.ndarray, onset_s: float) -> float:
    """Time from a label to where the sound first reaches a twentieth of the note's peak, and rises above what was."""
    at = round(onset_s * RATE)
    note, before = np.abs(samples[at : at + RATE // 5]), np.abs(samples[at - 1000 : at]).max()
    return 1000 * int(np.argmax(note > max(0.05 * note.max(), 1.5 * before))) / RATE


@pytest.mark.parametrize("program", range(8))
def test_labels_stay_true_in_a_room_with_noise_and_equaliser(program):
    """From A1 up within 10 ms of the label; the slow attacks below, like all, at most 5 ms later than without."""
    pitches, labels, dry = keys(program, f"timgm6mb:{program}")
    wet = apply_sound(dry, RATE, draw_sound(RECORDING, np.random.default_rng(program)))
    dry_ms, wet_ms = (np.array([attack_ms(samples, onset) for onset in labels]) for samples in (dry, wet))
    print(
        f"median {np.median(dry_ms):.2f}, then {np.median(wet_ms):.2f} ms; worst {dry_ms.max():.2f}, {wet_ms.max():.2f}"
    )
    assert np.median(wet_ms) <= 3
    assert wet_ms[pitches >= 33].max() <= 10
    assert (wet_ms - dry_ms).max() <= 5


@pytest.mark.parametrize("name", ["room", "eq", "gain", "clipping"])
def test_nothing_sounds_before_the_first_label(name):
    notes = snap_to_event_grid(make_notes([1.0], [1.5], [48], [100]), RATE)
    at = round(notes["onset_s"][0] * RATE)
    dry = render(notes, resolve_instrument("timgm6mb:0"), RATE)
    for seed in range(5):
        drawn = draw_sound(SoundSettings(**{name: OPERATIONS[name]()}), np.random.default_rng(seed))
        wet = apply_sound(dry, RATE, drawn)
        assert not wet[:at].any() and np.flatnonzero(wet)[0] == np.flatnonzero(dry)[0]
        assert not np.array_equal(wet, dry)


def test_nothing_drawn_changes_nothing():
    samples = some_sound()
    assert draw_sound(SoundSettings(), np.random.default_rng(0)) == {}
    assert apply_sound(samples, RATE, {}) is samples
    assert (tuning_cents({}), room_name({}), total_gain({})) == (0.0, "", 1.0)
    never = SoundSettings(**{name: kind(probability=0.0) for name, kind in OPERATIONS.items()})
    assert draw_sound(never, np.random.default_rng(0)) == {}
    assert apply("tuning", samples, cents=30) is samples


def test_a_record_is_json_and_gives_the_same_bytes_in_another_process(tmp_path: Path):
    record = draw_sound(ALL, np.random.default_rng(3))
    assert [drawn["operation"] for drawn in record["operations"]] == list(OPERATIONS)
    again = json.loads(json.dumps(record))
    assert again == record == draw_sound(ALL, np.random.default_rng(3)) != draw_sound(ALL, np.random.default_rng(4))
    np.save(tmp_path / "dry.npy", some_sound(3.0))
    code = (
        "import json, sys, numpy as np; from sfdata.sound import apply_sound;"
        "np.save(sys.argv[2], apply_sound(np.load(sys.argv[1]), 22050, json.loads(sys.argv[3])))"
    )
    arguments = [str(tmp_path / "dry.npy"), str(tmp_path / "wet.npy"), json.dumps(record)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    wet = apply_sound(some_sound(3.0), RATE, record)
    assert np.load(tmp_path / "wet.npy").tobytes() == wet.tobytes()
    assert np.array_equal(wet, apply_sound(some_sound(3.0), RATE, again))


@pytest.mark.parametrize("name", OPERATIONS)
def test_switching_one_operation_leaves_what_the_others_draw(name):
    for seed in range(5):
        every = draw_sound(ALL, np.random.default_rng(seed))["operations"]
        rest = draw_sound(replace(ALL, **{name: None}), np.random.default_rng(seed))["operations"]
        alone = draw_sound(SoundSettings(**{name: OPERATIONS[name]()}), np.random.default_rng(seed))["operations"]
        assert [drawn for drawn in every if drawn["operation"] != name] == rest
        assert [drawn for drawn in every if drawn["operation"] == name] == alone


def test_operations_draw_independently_of_each_other():
    drawn = [draw_sound(ALL, np.random.default_rng(seed))["operations"] for seed in range(300)]
    firsts = [
        [operations[place][key] for operations in drawn] for place, key in ((0, "cents"), (3, "snr_db"), (4, "db"))
    ]
    correlation = np.corrcoef(firsts)
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 0.2


def test_probability():
    half = SoundSettings(gain=GainSettings(probability=0.3))
    drawn = [bool(draw_sound(half, np.random.default_rng(seed))) for seed in range(1000)]
    assert sum(drawn) == pytest.approx(300, abs=60)


def test_what_is_drawn_lies_in_its_range_and_fills_it():
    drawn = [draw_sound(ALL, np.random.default_rng(seed))["operations"] for seed in range(300)]
    for place, (name, kind) in enumerate(OPERATIONS.items()):
        for key, value in vars(kind()).items():
            if isinstance(value, tuple) and not isinstance(value[0], str):
                values = [operations[place][key] for operations in drawn]
                low, high = value
                assert low <= min(values) <= low + 0.1 * (high - low), (name, key)
                assert high - 0.1 * (high - low) <= max(values) <= high, (name, key)
    assert {operations[3]["colour"] for operations in drawn} == set(NOISE_DB_PER_OCTAVE)
    assert {operations[5]["kind"] for operations in drawn} == set(CLIPPING_KINDS)
    assert {type(operations[0]["cents"]) for operations in drawn} == {int}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 5000),
    rate=st.sampled_from([8000, 22050, 44100]),
    name=st.sampled_from(list(OPERATIONS)),
)
def test_every_operation_keeps_length_and_type_and_leaves_its_input_alone(seed, count, rate, name):
    samples = np.random.default_rng(seed).standard_normal(count, dtype=np.float32)
    samples.flags.writeable = False
    record = draw_sound(SoundSettings(**{name: OPERATIONS[name]()}), np.random.default_rng(seed))
    applied = apply_sound(samples, rate, record)
    assert applied.dtype == np.float32 and applied.shape == (count,) and np.isfinite(applied).all()
    silent = np.zeros(count, dtype=np.float32)
    assert not apply_sound(silent, rate, record).any()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 120_000),
    cuts=st.lists(st.integers(0, 10**6), max_size=8),
    memory=st.sampled_from([0, 50_000, blocks.MEMORY_SAMPLES]),
)
def test_blocks_of_any_sizes_give_the_same_bytes_from_memory_and_from_files(seed, count, cuts, memory):
    samples = np.random.default_rng(seed).standard_normal(count, dtype=np.float32)
    samples[: count // 3] = 0
    samples.flags.writeable = False
    record = draw_sound(ALL, np.random.default_rng(seed))
    wanted = apply_sound(samples, RATE, record)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "MEMORY_SAMPLES", memory)
        parts = np.split(samples, sorted(cut % (count + 1) for cut in cuts))
        assert joined(sound_blocks(parts, RATE, record)).tobytes() == wanted.tobytes()


def test_room_and_equaliser_at_once_are_one_after_the_other():
    record = draw_sound(SoundSettings(room=RoomSettings(), eq=EqSettings()), np.random.default_rng(5))
    room, eq = record["operations"]
    samples = some_sound(4.0)
    one_by_one = apply_sound(apply_sound(samples, RATE, {"operations": [room]}), RATE, {"operations": [eq]})
    assert np.abs(apply_sound(samples, RATE, record) - one_by_one).max() < 3e-6 * np.abs(one_by_one).max()


@pytest.mark.parametrize("colour", NOISE_DB_PER_OCTAVE)
@pytest.mark.parametrize("snr_db", [-10.0, 20.0, 40.0])
def test_noise_lies_as_far_below_the_sounding_part_as_asked(colour, snr_db):
    samples = some_sound(4.0)
    noise = apply("noise", samples, snr_db=snr_db, colour=colour, seed=1).astype(float) - samples
    assert 20 * np.log10(sounding_rms(samples, RATE) / np.sqrt(np.square(noise).mean())) == pytest.approx(
        snr_db, abs=0.01
    )
    assert rms(noise[:RATE].astype(np.float32)) > 0  # before the music, too
    longer = np.concatenate([samples, np.zeros(10 * RATE, dtype=np.float32)])
    more = apply("noise", longer, snr_db=snr_db, colour=colour, seed=1) - longer
    assert rms(more) == pytest.approx(float(np.sqrt(np.square(noise).mean())), rel=1e-3)  # rests don't count


def test_silence_gets_no_noise():
    silence = np.zeros(1000, dtype=np.float32)
    assert apply("noise", silence, snr_db=10.0, colour="white", seed=1) is silence


def test_gain_and_clipping_worked_by_hand():
    samples = np.array([0, 1, -2, 0.5], dtype=np.float32)
    assert apply("gain", samples, db=20.0).tolist() == [0, 10, -20, 5]
    half = 20 * np.log10(0.5)
    assert apply("clipping", samples, level_db=half, kind="hard").tolist() == [0, 1, -1, 0.5]
    soft = apply("clipping", samples, level_db=half, kind="soft")
    assert soft.tolist() == pytest.approx([0, 0.5**0.5, -2 / 5**0.5, 0.5 / 1.25**0.5], abs=1e-6)
    assert apply("clipping", samples, level_db=0.0, kind="hard").tolist() == samples.tolist()
    quiet = np.array([1, 0.001], dtype=np.float32)
    assert apply("clipping", quiet, level_db=-6.0, kind="soft")[1] == pytest.approx(0.001, rel=1e-4)


def test_eq_on_tones():
    """A tilt of 2 dB an octave about 1 kHz: a tone at 4 kHz is 4 dB louder, one at 1 kHz as it was."""
    time_s = np.arange(RATE) / RATE
    drawn = dict(tilt_db_per_octave=2.0, pivot_hz=1000.0, low_shelf_db=0.0, low_shelf_hz=100.0)
    for tone_hz, wanted_db in ((1000, 0), (4000, 4), (250, -4)):
        tone = np.sin(2 * np.pi * tone_hz * time_s).astype(np.float32)
        heard = apply("eq", tone, **drawn, high_shelf_db=0.0, high_shelf_hz=5000.0)
        assert 20 * np.log10(rms(heard[5000:]) / rms(tone[5000:])) == pytest.approx(wanted_db, abs=0.05)


def test_rooms_of_a_folder(tmp_path: Path):
    hall = {"rt60_s": 0.4, "drr_db": 0.0, "predelay_s": 0.01, "damping": 0.8, "reflections": 5}
    for seed in range(3):
        response = synthetic_response({**hall, "seed": seed}, RATE)
        soundfile.write(tmp_path / f"{seed}.wav", np.append(np.zeros(500), response), RATE, subtype="FLOAT")
    rooms = find_rooms(tmp_path)
    sound = SoundSettings(room=RoomSettings(folder=str(tmp_path)))
    records = [draw_sound(sound, np.random.default_rng(seed), rooms) for seed in range(20)]
    assert {room_name(record) for record in records} == {"0.wav", "1.wav", "2.wav"}
    record = records[0]
    (drawn,) = record["operations"]
    assert drawn.keys() == {"operation", "file", "sha256"}
    samples = some_sound()
    heard = apply_sound(samples, RATE, record, rooms)
    assert np.array_equal(heard, apply_sound(samples, RATE, record, {room.name: room for room in reversed(rooms)}))
    response = synthetic_response({**hall, "seed": int(drawn["file"][0])}, RATE)
    wanted = np.convolve(samples.astype(float), response.astype(float))[: len(samples)]
    assert np.abs(heard - wanted).max() < 0.01 * np.abs(wanted).max()  # but for a millionth of the response's energy
    with pytest.raises(ValueError, match=r"names room \d.wav, sha256 .*not among the 0 given"):
        apply_sound(samples, RATE, record)
    with pytest.raises(ValueError, match=r"no rooms given; expected find_rooms"):
        draw_sound(sound, np.random.default_rng(0))


def test_names_and_numbers_for_the_store():
    record = draw_sound(ALL, np.random.default_rng(8))
    drawn = {entry["operation"]: entry for entry in record["operations"]}
    assert tuning_cents(record) == drawn["tuning"]["cents"] and isinstance(tuning_cents(record), float)
    assert total_gain(record) == pytest.approx(10 ** (drawn["gain"]["db"] / 20))
    assert room_name(record).startswith(f"synthetic, RT60 {drawn['room']['rt60_s']:.2f} s")


@pytest.mark.parametrize(
    "kind, values, said",
    [
        (TuningSettings, {"cents": (-101.0, 0.0)}, r"sound.tuning: cents \[-101.0, 0.0\]; expected .* -100 to 100"),
        (RoomSettings, {"rt60_s": (1.0, 0.5)}, r"sound.room: rt60_s \[1.0, 0.5\]; expected \[low, high\]"),
        (RoomSettings, {"reflections": (0, 1, 2)}, "sound.room: reflections"),
        (EqSettings, {"pivot_hz": 0.0}, "sound.eq: pivot_hz 0.0; expected 20 to 20000"),
        (EqSettings, {"low_shelf_db": (float("nan"), 1.0)}, "sound.eq: low_shelf_db"),
        (
            NoiseSettings,
            {"colours": ("blue",)},
            r"sound.noise: colours \['blue'\]; expected some of white, pink, brown",
        ),
        (NoiseSettings, {"colours": ()}, "sound.noise: colours"),
        (ClippingSettings, {"level_db": (-1.0, 1.0)}, "sound.clipping: level_db"),
        (ClippingSettings, {"kinds": ("square",)}, "sound.clipping: kinds .* hard, soft"),
        (GainSettings, {"probability": 1.5}, "sound.gain: probability 1.5; expected 0 to 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(kind, values, said):
    with pytest.raises(ValueError, match=said):
        kind(**values)


def test_lists_become_tuples_and_settings_know_their_place():
    assert NoiseSettings(snr_db=[20, 30], colours=["pink"]) == NoiseSettings(snr_db=(20, 30), colours=("pink",))
    with pytest.raises(ValueError, match="sound: room is GainSettings"):
        SoundSettings(room=GainSettings())


def test_records_that_do_not_fit_are_refused():
    samples = some_sound()
    with pytest.raises(ValueError, match="operation 'reverb'; expected one of tuning, room, eq, noise, gain, clipping"):
        apply("reverb", samples)
    with pytest.raises(ValueError, match="the record of gain lacks 'db'"):
        apply("gain", samples)


def test_the_documentation_names_every_operation_and_key():
    page = (Path(__file__).parents[2] / "docs" / "sound.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line.split("|")[2] for line in page.splitlines() if line.startswith("| `")}
    assert list(rows) == list(OPERATIONS)
    for name, kind in OPERATIONS.items():
        keys = [f"`{entry.name}`" for entry in fields(kind) if entry.name != "probability"]
        assert rows[name].strip() == ", ".join(keys), name
