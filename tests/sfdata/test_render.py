"""Sound against labels: what the synth plays begins when the notes say."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfdata import fluidsynth
from sfdata.midi import read_piece
from sfdata.notes import make_notes, snap_to_event_grid
from sfdata.render import (
    BLOCK_SAMPLES,
    RenderSettings,
    preset_name,
    read_audio,
    render,
    render_blocks,
    rendered_samples,
    write_audio,
)
from sfdata.soundfonts import Instrument, inventory, locate, registry, resolve_instrument, verify
from sfdata.voices import extract_voices

RATE = 22050
PIANO = resolve_instrument("timgm6mb:0")


def attack_ms(samples: np.ndarray, onset_s: float) -> float:
    """Time from a label to where the sound first reaches a twentieth of the note's peak."""
    at = round(onset_s * RATE)
    note = np.abs(samples[at : at + RATE // 5])
    before = np.abs(samples[max(0, at - 200) : at]).max(initial=0.0)
    return 1000 * int(np.argmax(note > max(0.05 * note.max(), 4 * before))) / RATE


@pytest.mark.parametrize("program", range(8))
def test_sounding_onsets_agree_with_labels(program):
    """Single notes over the whole keyboard, at times off the grid: median within 3 ms, worst within 10 ms."""
    instrument = resolve_instrument(f"timgm6mb:{program}")
    pitches = np.arange(21, 109, 3)
    rng = np.random.default_rng(program)
    onset_s = 0.5 + 1.2 * np.arange(len(pitches)) + rng.uniform(0, 0.1, len(pitches))
    labels = snap_to_event_grid(make_notes(onset_s, onset_s + 0.5, pitches, [80] * len(pitches)), RATE)
    samples = render(labels, instrument, RATE)
    late_ms = np.array([attack_ms(samples, onset) for onset in labels["onset_s"]])
    print(f"{instrument.name}: median {np.median(late_ms):.2f} ms, worst {late_ms.max():.2f} ms after the label")
    assert np.median(late_ms) <= 3
    assert late_ms.max() <= 10


@pytest.mark.parametrize("program", range(8))
def test_a_note_sounds_the_same_from_its_label_on_wherever_it_stands(program):
    """What follows a label is the instrument's own attack, to the sample."""
    instrument = resolve_instrument(f"timgm6mb:{program}")
    for pitch in (24, 60, 96):
        sounds = []
        for onset_s in (0.4999, 1.2345, 61.7):
            label = snap_to_event_grid(make_notes([onset_s], [onset_s + 0.5], [pitch], [80]), RATE)
            samples = render(label, instrument, RATE)
            begin = round(label["onset_s"][0] * RATE)
            assert not samples[:begin].any()
            sounds.append(samples[begin : begin + RATE // 3])
        assert np.allclose(sounds[0], sounds[1], atol=1e-5) and np.allclose(sounds[0], sounds[2], atol=1e-5)


def test_nothing_sounds_before_the_first_label():
    samples = render(make_notes([1.0], [1.5], [60], [100]), PIANO, RATE)
    at = int(snap_to_event_grid(make_notes([1.0], [1.5], [60], [100]), RATE)["onset_s"][0] * RATE)
    assert not samples[:at].any() and np.abs(samples[at : at + 200]).max() > 1e-3


def test_notes_end_where_labels_say():
    long, short = (render(make_notes([0.5], [0.5 + length], [84], [100]), PIANO, RATE) for length in (1.0, 0.3))
    end = int(0.8 * RATE)
    same = slice(0, end - 64)
    assert np.array_equal(long[same], short[same])
    assert np.abs(short[end + 4000 : end + 8000]).max() < 0.5 * np.abs(long[end + 4000 : end + 8000]).max()


def test_a_repeated_note_is_struck_again():
    notes = make_notes([0.5, 1.0], [1.0, 1.5], [60, 60], [100, 100])
    samples = render(notes, PIANO, RATE)
    again = int(1.0 * RATE)
    assert np.abs(samples[again : again + 2000]).max() > 1.5 * np.abs(samples[again - 2000 : again]).max()


def test_rendering_repeats_itself_bit_for_bit_in_any_order(short_midi):
    (voice,) = extract_voices(read_piece(short_midi[0]).notes)
    other = resolve_instrument("timgm6mb:4")
    first = render(voice, PIANO, RATE)
    between = render(voice, other, RATE)
    assert np.array_equal(first, render(voice, PIANO, RATE))
    assert np.array_equal(between, render(voice, other, RATE))
    assert not np.array_equal(first, between)


@pytest.mark.parametrize("onset_s", [0.5, BLOCK_SAMPLES / RATE - 0.2, BLOCK_SAMPLES / RATE, 2 * BLOCK_SAMPLES / RATE])
def test_blocks_are_the_whole(onset_s):
    """Also with events on the borders of blocks; blocks given stay as they were."""
    notes = make_notes([onset_s, onset_s + 0.1], [onset_s + 0.2, onset_s + 3], [60, 64], [90, 70])
    blocks = list(render_blocks(notes, PIANO, RATE, RenderSettings(), 7.0))
    assert {len(block) for block in blocks[:-1]} == {BLOCK_SAMPLES} and 0 < len(blocks[-1]) <= BLOCK_SAMPLES
    assert np.concatenate(blocks).tobytes() == render(notes, PIANO, RATE, tuning_cents=7.0).tobytes()


def test_another_process_gives_the_same_bytes(tmp_path: Path, short_midi):
    code = (
        "import sys, numpy as np; from pathlib import Path; from sfdata.midi import read_piece;"
        "from sfdata.render import render; from sfdata.soundfonts import resolve_instrument;"
        "from sfdata.voices import extract_voices; (v,) = extract_voices(read_piece(Path(sys.argv[1])).notes);"
        "np.save(sys.argv[2], render(v, resolve_instrument('timgm6mb:2'), 22050))"
    )
    subprocess.run([sys.executable, "-c", code, str(short_midi[0]), str(tmp_path / "a.npy")], check=True)
    (voice,) = extract_voices(read_piece(short_midi[0]).notes)
    assert np.array_equal(np.load(tmp_path / "a.npy"), render(voice, resolve_instrument("timgm6mb:2"), RATE))


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
def test_pitch_and_time_at_other_rates(rate):
    samples = render(make_notes([0.5], [1.5], [69], [100]), resolve_instrument("timgm6mb:16"), rate)
    spectrum = np.abs(np.fft.rfft(samples[int(0.7 * rate) : int(1.3 * rate)]))
    partial_hz = np.argmax(spectrum) * rate / (2 * (len(spectrum) - 1))
    assert min(abs(partial_hz / 440 - n) for n in (0.5, 1, 2, 3, 4)) < 0.01
    assert abs(int(np.argmax(np.abs(samples) > 1e-3)) / rate - 0.5) < 0.01
    with pytest.raises(ValueError, match="does not take"):
        render(make_notes([0.5], [1.5], [69], [100]), PIANO, 192000)


def frequency_hz(samples: np.ndarray, near_hz: float) -> float:
    """Frequency of the partial near one given, from the peak of the spectrum of 1.2 s, interpolated."""
    part = samples[int(0.6 * RATE) : int(1.8 * RATE)]
    spectrum = np.log(np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 19)))
    bin_hz = RATE / (1 << 19)
    first = int(0.94 * near_hz / bin_hz)
    peak = first + int(np.argmax(spectrum[first : int(1.06 * near_hz / bin_hz)]))
    before, at, after = spectrum[peak - 1 : peak + 2]
    return bin_hz * (peak + 0.5 * (before - after) / (before - 2 * at + after))


@pytest.mark.parametrize("program", [0, 4, 6, 16])
def test_tuning_moves_pitch_and_nothing_else(program):
    instrument = resolve_instrument(f"timgm6mb:{program}")
    note = snap_to_event_grid(make_notes([0.5], [2.0], [69], [90]), RATE)
    at = round(note["onset_s"][0] * RATE)
    plain = render(note, instrument, RATE)
    assert np.array_equal(plain, render(note, instrument, RATE, tuning_cents=0.0))
    standard_hz = frequency_hz(plain, 440)
    for cents in (-60, -12.5, -1, 1, 7.3, 25, 60):
        samples = render(note, instrument, RATE, tuning_cents=cents)
        moved = 1200 * np.log2(frequency_hz(samples, 440 * 2 ** (cents / 1200)) / standard_hz)
        assert moved == pytest.approx(cents, abs=1)
        assert len(samples) == len(plain) and not samples[:at].any()
        assert abs(attack_ms(samples, note["onset_s"][0]) - attack_ms(plain, note["onset_s"][0])) < 0.5
    assert np.array_equal(plain, render(note, instrument, RATE))  # no synth keeps another's tuning


@pytest.mark.parametrize("cents", [1201, -2000, float("nan")])
def test_a_tuning_beyond_an_octave_is_refused(cents):
    with pytest.raises(ValueError, match=r"tuning_cents .*; expected -1200 to 1200"):
        render(make_notes([0], [1], [60], [80]), PIANO, RATE, tuning_cents=cents)


def test_lengths():
    notes = make_notes([0.5], [1.0], [60], [80])
    settings = RenderSettings(tail_s=0.5)
    assert rendered_samples(notes, RATE, settings) % 64 == 0
    assert len(render(notes, PIANO, RATE, settings)) == rendered_samples(notes, RATE, settings)
    assert abs(rendered_samples(notes, RATE, settings) / RATE - 1.5) < 2 * 64 / RATE
    empty = render(notes[:0], PIANO, RATE, settings)
    assert not empty.any() and abs(len(empty) / RATE - 0.5) < 64 / RATE
    with pytest.raises(ValueError, match="tail_s"):
        RenderSettings(tail_s=-1)


@pytest.mark.parametrize("file, subtype", [("a.flac", "PCM_16"), ("a.flac", "PCM_24"), ("a.wav", "FLOAT")])
def test_sound_files(tmp_path: Path, file, subtype):
    samples = render(make_notes([0.1], [0.6], [60], [100]), PIANO, RATE)
    assert write_audio(tmp_path / file, samples, RATE, subtype) == 1
    again = read_audio(tmp_path / file, RATE)
    assert np.abs(again - samples).max() <= {"PCM_16": 2**-15, "PCM_24": 2**-22, "FLOAT": 0}[subtype]
    write_audio(tmp_path / ("b" + file[1:]), samples, RATE, subtype)
    content = (tmp_path / file).read_bytes()
    assert content == (tmp_path / ("b" + file[1:])).read_bytes()
    assert b"PEAK" not in content[:200]  # a chunk of WAV files that holds the time of day


def test_loud_sound_is_turned_down_not_clipped(tmp_path: Path):
    samples = np.array([0, 2.0, -1.0], dtype=np.float32)
    factor = write_audio(tmp_path / "loud.wav", samples, RATE)
    assert factor == pytest.approx(0.5, abs=1e-3)
    assert np.allclose(read_audio(tmp_path / "loud.wav", RATE), samples * factor, atol=1e-4)
    with pytest.raises(ValueError, match="expected one of"):
        write_audio(tmp_path / "a.mp3", samples, RATE)


def test_reading_resamples_and_mixes_down_without_moving(tmp_path: Path):
    click = np.zeros((44100, 2), dtype=np.float32)
    click[22050] = 0.5
    soundfile.write(tmp_path / "stereo.wav", click, 44100, subtype="FLOAT")
    samples = read_audio(tmp_path / "stereo.wav", RATE)
    assert samples.ndim == 1 and len(samples) == 22050 and abs(int(np.abs(samples).argmax()) - 11025) <= 1
    (tmp_path / "no.wav").write_bytes(b"RIFFnothing")
    with pytest.raises(ValueError, match="cannot be read as sound"):
        read_audio(tmp_path / "no.wav", RATE)
    soundfile.write(tmp_path / "nan.wav", np.array([0, np.nan]), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match="no finite numbers"):
        read_audio(tmp_path / "nan.wav", RATE)


def test_instruments():
    assert PIANO.name == "timgm6mb:0" and PIANO.licence == "GPL-2.0-only"
    assert resolve_instrument("timgm6mb").program == 0
    by_path = resolve_instrument(f"{PIANO.path}:3")
    assert by_path.name == "timgm6mb:3" and by_path.sha256 == PIANO.sha256  # known by its content
    names = {preset_name(resolve_instrument(f"timgm6mb:{i}"), RATE, RenderSettings()) for i in range(8)}
    assert len(names) == 8 and names == set(registry()["timgm6mb"].presets.values())
    for text, said in {"timgm6mb:200": "0 to 127", "timgm6mb:x": "0 to 127", "nothing:0": "registry knows"}.items():
        with pytest.raises(ValueError, match=said):
            resolve_instrument(text)
    with pytest.raises(ValueError, match="no preset"):
        render(make_notes([0], [1], [60], [80]), Instrument("x", PIANO.path, PIANO.sha256, 77, 0, ""), RATE)


def test_a_soundfont_of_another_content_is_not_taken_for_it(tmp_path: Path):
    from dataclasses import replace

    fake = tmp_path / "TimGM6mb.sf2"
    fake.write_bytes(b"something else")
    entry = replace(registry()["timgm6mb"], locations=(str(fake),))
    with pytest.raises(FileNotFoundError, match="another file, sha256"):
        locate(entry)
    with pytest.raises(ValueError, match="cannot load soundfont"):
        render(make_notes([0], [1], [60], [80]), Instrument("f:0", str(fake), "0", 0, 0, ""), RATE)
    assert verify() == [] and inventory()[0]["path"] == PIANO.path
    with pytest.raises(ValueError, match="in the registry"):
        verify(["nothing"])


def test_finding_the_library(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SFDATA_FLUIDSYNTH", "/nowhere/libfluidsynth.so")
    with pytest.raises(FileNotFoundError, match="SFDATA_FLUIDSYNTH"):
        fluidsynth.find_library()
    monkeypatch.delenv("SFDATA_FLUIDSYNTH")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    assert "fluidsynth" in fluidsynth.find_library()  # the wheel's, where the system has none
    monkeypatch.setattr(fluidsynth, "_wheel_library", lambda: None)
    with pytest.raises(FileNotFoundError, match="pygame-ce"):
        fluidsynth.find_library()
    assert fluidsynth.library_version().startswith("2.")


def test_importing_does_not_import_torch_or_load_the_library():
    code = "import sys, sfdata, sfdata.cli, sfdata.build; sys.exit('torch' in sys.modules or 'pygame' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "SFDATA_FLUIDSYNTH": "/nowhere"})


def test_threads_that_share_a_font_play_the_same(short_midi):
    """A Dask worker may have several threads; what each plays is what one alone plays."""
    from concurrent.futures import ThreadPoolExecutor

    notes = read_piece(short_midi[0]).notes[:80]
    instruments = [resolve_instrument(f"timgm6mb:{program}") for program in (0, 4, 6, 19)] * 4
    alone = [render(notes, instrument, 22050) for instrument in instruments[:4]] * 4
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda instrument: render(notes, instrument, 22050), instruments))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))
