"""Positions as MIDI song position pointer and clock."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfdata.beats import BeatMap
from sfmodel.midi_messages import MidiClock, open_port

BEATS = BeatMap(np.array([0.0]), np.array([2.0]))  # a tick every 1/48 s
CLOCK, CONTINUE, STOP = "f8", "fb", "fc"


class Port:
    def __init__(self):
        self.sent, self.closed = [], 0

    def send(self, message):
        self.sent.append(message.bin().hex())

    def close(self):
        self.closed += 1


def messages(times_s, beats=BEATS, confidence=1.0, **options):
    port, rows = Port(), []
    clock = MidiClock(port, beats, **options)
    for time_s in times_s:
        clock.send(SimpleNamespace(performance_time_s=0.0, reference_time_s=time_s, confidence=confidence))
        rows.append(port.sent)
        port.sent = []
    clock.close()
    clock.close()
    assert port.closed == 1
    return [*rows, port.sent]


def test_the_bytes_from_the_beginning():
    # At 0 s the first tick is passed; by 0.1 s ticks 1 to 4 (0.0208 s apart).
    assert messages([0.0, 0.01, 0.1]) == [["f20000", CONTINUE, CLOCK], [], [CLOCK] * 4, [STOP]]


def test_the_pointer_is_the_next_sixteenth_and_ticks_wait_for_it():
    # 64.3 s are 128.6 quarters, 3086.4 ticks: sixteenth 515 = 4 * 128 + 3 begins at tick 3090, 64.375 s.
    rows = messages([64.3, 64.37, 64.376, 64.4])
    assert rows == [["f20304", CONTINUE], [], [CLOCK], [CLOCK], [STOP]]


def test_a_pause_and_a_small_step_back_send_nothing():
    rows = messages([1.0, 1.0, 0.9, 0.8, 1.0, 1.03])
    assert rows == [["f20800", CONTINUE, CLOCK], [], [], [], [], [CLOCK], [STOP]]


@pytest.mark.parametrize(("target_s", "pointer"), [(0.3, "f20300"), (9.0, "f24800")])
def test_a_jump_of_more_than_a_quarter_stops_and_continues_elsewhere(target_s, pointer):
    rows = messages([1.0, target_s])
    assert rows[1][:3] == [STOP, pointer, CONTINUE]


def test_before_the_beginning_the_clock_waits_for_the_first_tick():
    assert messages([-9.0, -8.98, -0.01, 0.0]) == [["f20000", CONTINUE], [], [], [CLOCK], [STOP]]


def test_tempos_of_the_reference_count():
    beats = BeatMap(np.array([0.0, 1.0]), np.array([1.0, 4.0]))
    assert [len(row) for row in messages([0.0, 1.0, 1.25], beats)] == [3, 24, 24, 1]


def test_positions_beyond_what_can_be_told_stop_the_clock():
    last_s = 16383 / 8
    assert messages([last_s])[0] == ["f27f7f", CONTINUE, CLOCK]
    assert messages([1.0, last_s + 1, last_s + 2]) == [["f20800", CONTINUE, CLOCK], [STOP], [], []]


def test_reports_of_little_confidence_are_left_out():
    assert messages([1.0, 2.0], confidence=0.2, least_confidence=0.3) == [[], [], []]


def test_nothing_sends_nothing():
    assert messages([]) == [[]]


@given(st.lists(st.floats(-0.1, 0.2), min_size=1, max_size=60), st.floats(0, 100))
@settings(max_examples=80, deadline=None)
def test_a_receiver_is_never_ahead_and_at_most_a_tick_behind_the_furthest_place(steps, start_s):
    port = Port()
    clock, time_s, place, running = MidiClock(port, BEATS), start_s, None, False
    for step in steps:
        time_s = max(0.0, time_s + step)
        clock.send(SimpleNamespace(performance_time_s=0.0, reference_time_s=time_s, confidence=1.0))
        for sent in port.sent:
            if sent == CLOCK:
                assert running
                place += 1
            elif sent in (CONTINUE, STOP):
                running = sent == CONTINUE
            else:
                assert not running  # receivers take the pointer only while stopped
                place = 6 * (int(sent[2:4], 16) + 128 * int(sent[4:6], 16)) - 1
        port.sent = []
        position = time_s * 48
        assert running
        assert position - 1 - 1e-6 <= place  # all that was passed has been sent
        assert place <= position + 24 + 1e-6  # what is ahead was passed before a step back


def test_a_port_by_a_part_of_its_name(monkeypatch):
    mido = pytest.importorskip("mido")
    opened = []
    monkeypatch.setattr(mido, "get_output_names", lambda: ["Synth 1", "Synth 12", "Looper"])
    monkeypatch.setattr(mido, "open_output", lambda name, virtual: opened.append((name, virtual)) or Port())
    for name in ("loop", "Synth 1", "synth 12"):
        open_port(name)
    open_port("Mine", virtual=True)
    assert opened == [("Looper", False), ("Synth 1", False), ("Synth 12", False), ("Mine", True)]
    with pytest.raises(ValueError, match="there is no MIDI port 'harp'; expected one of Synth 1, Synth 12, Looper"):
        open_port("harp")
    with pytest.raises(ValueError, match="2 MIDI ports fit 'synth'; expected one of"):
        open_port("synth")
    monkeypatch.setattr(mido, "get_output_names", list)
    with pytest.raises(ValueError, match="there is no MIDI port 'harp'; there are none here"):
        open_port("harp")


def test_a_system_without_midi(monkeypatch):
    mido = pytest.importorskip("mido")

    def fail(*_, **__):
        raise RuntimeError("error creating ALSA sequencer client object.")

    monkeypatch.setattr(mido, "get_output_names", fail)
    monkeypatch.setattr(mido, "open_output", fail)
    with pytest.raises(ValueError, match="this system gives no MIDI ports: error creating ALSA"):
        open_port("Synth")
    with pytest.raises(ValueError, match="the MIDI port 'Mine' cannot be opened: error creating ALSA"):
        open_port("Mine", virtual=True)


def test_without_rtmidi_or_mido(monkeypatch):
    mido = pytest.importorskip("mido")

    def fail(*_, **__):
        raise ModuleNotFoundError("No module named 'rtmidi'")

    monkeypatch.setattr(mido, "get_output_names", fail)
    with pytest.raises(ImportError, match=r"need python-rtmidi; install it with: pip install 'sfdata\[live\]'"):
        open_port("Synth")
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(ImportError, match=r"MIDI needs mido; install it with: pip install 'sfdata\[live\]'"):
        MidiClock(Port(), BEATS)
