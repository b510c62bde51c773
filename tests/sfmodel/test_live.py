"""Following sound as it comes."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from sfmodel.live import LIMIT_S, LiveStatistics, Pace, run_live
from sfmodel.position_messages import Sender
from sfmodel.sound_sources import FileSound, StreamedSound
from sfmodel.wav_header import PcmFormat

RATE_HZ = 22050
STEP = 441  # samples between reports, 20 ms


@dataclass(frozen=True)
class Place:
    performance_time_s: float
    reference_time_s: float
    confidence: float


class SlowFollower:
    """Reports every 20 ms that the reference goes at double speed; takes `work_s` for a block that it listens to."""

    sample_rate_hz = RATE_HZ

    def __init__(self, work_s=0.0, passing_s=0.0, ahead=None):
        self.work_s, self.passing_s, self.ahead = work_s, passing_s, ahead
        self.samples = self.reported = 0
        self.listened, self.heard, self.finished = [], [], 0

    def push(self, samples, listen=True):
        time.sleep(self.work_s if listen else self.passing_s)
        if self.ahead is not None:
            self.ahead(self)
        self.listened.append(listen)
        self.heard.append(samples)
        self.samples += len(samples)
        due = self.samples // STEP
        reports = [Place(i * 0.02, i * 0.04, 1.0 if listen else 0.5) for i in range(self.reported + 1, due + 1)]
        self.reported = due
        return reports

    def finish(self):
        self.finished += 1
        return [Place((self.reported + 1) * 0.02, (self.reported + 1) * 0.04, 0.25)]


class Noted(Sender):
    def __init__(self):
        self.reports, self.at = [], []

    def send(self, report):
        self.reports.append(report)
        self.at.append(time.monotonic())


class Given:
    """A source that gives blocks at once."""

    def __init__(self, blocks, live=False, error=None):
        self.blocks, self.live, self.error = blocks, live, error
        self.overflows, self.closed = 3, 0

    def __iter__(self):
        yield from self.blocks
        if self.error:
            raise self.error

    def close(self):
        self.closed += 1


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.wav"

    def write(duration_s):
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, round(duration_s * RATE_HZ))
        soundfile.write(path, samples, RATE_HZ)
        return path

    return write


def blocks(count, size=STEP):
    return [np.full(size, i, dtype=np.float32) for i in range(count)]


def test_every_block_is_followed_and_every_report_sent_to_all():
    follower, senders, source = SlowFollower(), [Noted(), Noted()], Given(blocks(50))
    statistics = run_live(follower, source, senders)
    assert np.array_equal(np.concatenate(follower.heard), np.concatenate(blocks(50)))
    assert all(follower.listened) and follower.finished == 1
    assert [report.performance_time_s for report in senders[0].reports] == pytest.approx(np.arange(1, 52) * 0.02)
    assert senders[1].reports == senders[0].reports
    assert (statistics.blocks, statistics.dropped_blocks, statistics.reports) == (50, 0, 51)
    assert statistics.sound_s == 1.0
    assert statistics.overflows == 3 and source.closed == 1
    assert not statistics.interrupted


def test_no_sound_gives_the_last_reports_only():
    follower, sender = SlowFollower(), Noted()
    statistics = run_live(follower, Given([]), [sender])
    assert len(sender.reports) == 1
    assert statistics == LiveStatistics(0.0, 1, 0, 0, 0.0, 0.0, 0.0, 0.0, 3, False)


def test_a_source_that_waits_is_listened_to_wholly_however_slow_the_machine():
    follower = SlowFollower(work_s=0.01)
    statistics = run_live(follower, Given(blocks(30)), [], limit_s=0.02)
    assert statistics.dropped_blocks == 0
    assert statistics.real_time_factor >= 0.5
    assert 10 <= statistics.median_block_ms <= statistics.worst_block_ms


def test_a_machine_that_is_fast_enough_drops_nothing(sound):
    follower, sender = SlowFollower(work_s=0.002), Noted()
    statistics = run_live(follower, FileSound(sound(1.0), RATE_HZ), [sender], limit_s=30.0)
    assert statistics.dropped_blocks == 0
    assert statistics.blocks == 50
    assert statistics.real_time_factor >= 0.1


def test_a_slow_machine_drops_evidence_and_does_not_lag(sound):
    follower, sender = SlowFollower(0.06), Noted()  # takes three times as long as the sound
    begin = time.monotonic()
    statistics = run_live(follower, FileSound(sound(2.0), RATE_HZ), [sender])
    assert time.monotonic() - begin < 4.5  # of the 6 s that all of it would take; how busy the machine is, nobody knows
    # All sound was passed on in order, and a report stands for every 20 ms of it.
    assert follower.samples == 2 * RATE_HZ
    assert [report.performance_time_s for report in sender.reports] == pytest.approx(np.arange(1, 102) * 0.02)
    assert statistics.dropped_blocks == follower.listened.count(False) > 20
    assert statistics.real_time_factor >= 3  # dropping does not make it look faster


def paced(work_s, limit_s=LIMIT_S, block_s=0.02):
    """Which blocks are listened to, and the longest lag, where listening to block `i` takes ``work_s[i]``: no clock."""
    pace, now_s, listened, lag_s = Pace(limit_s), 0.0, [], []
    for number, takes_s in enumerate(work_s):
        came_s = (number + 1) * block_s
        now_s = max(now_s, came_s)
        listened.append(pace.listens(now_s - came_s, block_s))
        now_s += takes_s * listened[-1]
        lag_s.append(now_s - came_s)
    return np.array(listened), max(lag_s)


def test_reports_lag_by_the_limit_and_a_block_at_most():
    listened, lag_s = paced([0.06] * 1000)
    assert lag_s <= LIMIT_S + 0.06 + 1e-9
    assert 300 < listened.sum() < 360  # about a third: it listens as much as it can
    listened, lag_s = paced([0.06] * 1000, limit_s=None)
    assert listened.all() and lag_s == pytest.approx(1000 * 0.04 + 0.02)
    assert paced([0.019] * 1000)[0].all()


def test_a_hiccup_is_caught_up_with_and_then_it_listens_again():
    work_s = np.full(60, 0.001)
    work_s[10] = 0.4
    dropped = np.flatnonzero(~paced(work_s)[0])
    # What came more than 0.1 s before it was over goes unheard, and what is needed to be in time again.
    assert np.array_equal(dropped, np.arange(11, 30))


def test_without_a_limit_the_same_machine_lags(sound):
    statistics = run_live(SlowFollower(0.06), FileSound(sound(0.6), RATE_HZ), [], limit_s=None)
    assert statistics.dropped_blocks == 0
    assert statistics.worst_lag_ms > 1000  # 30 blocks of 60 ms, 0.6 s of sound


def test_it_can_be_stopped_from_elsewhere(sound):
    stop, sender = threading.Event(), Noted()
    follower = SlowFollower(ahead=lambda follower: len(follower.listened) == 10 and stop.set())
    statistics = run_live(follower, FileSound(sound(3.0), RATE_HZ), [sender], stop=stop)
    assert statistics.interrupted
    assert statistics.blocks == 11 and follower.finished == 0
    assert len(sender.reports) == statistics.reports == 11


def test_it_can_be_stopped_while_a_pipe_gives_nothing():
    receiving, sending = os.pipe()
    stop = threading.Event()
    with open(receiving, "rb", buffering=0) as pipe:
        source = StreamedSound(RATE_HZ, PcmFormat("f32le", RATE_HZ, 1), pipe, speed=None)
        threading.Timer(0.2, stop.set).start()
        begin = time.monotonic()
        statistics = run_live(SlowFollower(), source, [], stop=stop)
        assert time.monotonic() - begin < 10
        assert statistics.interrupted and statistics.blocks == 0
        os.close(sending)  # lets the reader go before its pipe is closed
        time.sleep(0.1)


def test_it_runs_in_another_thread_too():
    found = []
    thread = threading.Thread(target=lambda: found.append(run_live(SlowFollower(), Given(blocks(5)), [])))
    thread.start()
    thread.join(10)
    assert found[0].blocks == 5


def test_an_error_of_the_source_comes_after_what_was_before_it():
    follower, source = SlowFollower(), Given(blocks(3), error=OSError("unplugged"))
    with pytest.raises(OSError, match="unplugged"):
        run_live(follower, source, [])
    assert len(follower.listened) == 3 and source.closed == 1


def test_an_error_of_a_sender_ends_it(sound):
    class Broken(Sender):
        def send(self, report):
            raise BrokenPipeError("nobody reads")

    begin = time.monotonic()
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        run_live(SlowFollower(), FileSound(sound(5.0), RATE_HZ), [Broken()])
    assert time.monotonic() - begin < 4.5
    assert not any(thread.name == "sound" for thread in threading.enumerate())


def test_a_bad_limit_is_refused():
    with pytest.raises(ValueError, match=r"a limit of 0 s; expected more than 0, or None"):
        run_live(SlowFollower(), Given([]), [], limit_s=0)


def test_ctrl_c_ends_it_between_two_messages(tmp_path):
    """A program of its own, reading a pipe that stays open: whole lines, statistics, and a clean end."""
    program = textwrap.dedent(
        """
        import sys
        from dataclasses import asdict
        from sfmodel.live import run_live
        from sfmodel.position_messages import JsonLines
        from sfmodel.sound_sources import StreamedSound
        from test_live import SlowFollower

        statistics = run_live(SlowFollower(), StreamedSound(22050), [JsonLines(sys.stdout)])
        print(statistics.interrupted, statistics.reports, file=sys.stderr)
        """
    )
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", ""), os.getcwd()])
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    header = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0" + (RATE_HZ).to_bytes(4, "little")
    header += (2 * RATE_HZ).to_bytes(4, "little") + b"\x02\0\x10\0data\xff\xff\xff\xff"
    process.stdin.write(header + bytes(2 * RATE_HZ // 2))  # half a second
    process.stdin.flush()
    first = process.stdout.readline()  # it is running
    assert first == b'{"performance_time_s": 0.02, "reference_time_s": 0.04, "confidence": 1.0}\n'
    out = b"".join(process.stdout.readline() for _ in range(24))  # the rest is followed; the pipe stays open
    process.send_signal(signal.SIGINT)
    out, errors = out + process.stdout.read(), process.stderr.read()
    assert process.wait(20) == 0, errors
    assert errors.decode().split() == ["True", "25"]
    assert out.count(b"\n") == 24 and out.endswith(b"}\n")
    process.stdin.close()
    process.stdout.close()
    process.stderr.close()
