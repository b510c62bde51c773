"""Positions as JSON lines and OSC."""

import io
import json
import socket
import struct
import sys
from dataclasses import dataclass

import pytest

from sfmodel.position_messages import JsonLines, OscMessages, osc_target


@dataclass(frozen=True)
class Place:
    performance_time_s: float
    reference_time_s: float
    confidence: float


class Lines(io.StringIO):
    """Notes what had been written at each flush."""

    def __init__(self):
        super().__init__()
        self.flushed = []

    def flush(self):
        self.flushed.append(self.getvalue())


def test_a_json_object_a_line_each_at_once():
    stream = Lines()
    with JsonLines(stream) as sender:
        sender.send(Place(0.02, 11.123456, 0.98765))
        sender.send(Place(0.04, 11.2, 1.0))
    first = '{"performance_time_s": 0.02, "reference_time_s": 11.1235, "confidence": 0.9877}\n'
    assert stream.flushed[0] == first
    assert stream.flushed[1].startswith(first)
    assert json.loads(stream.flushed[1].splitlines()[1])["reference_time_s"] == 11.2
    assert not stream.closed


@pytest.fixture
def listener():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving:
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(5)
        yield receiving


def test_osc_bytes(listener):
    port = listener.getsockname()[1]
    with OscMessages(str(port)) as sender:
        assert (sender.host, sender.port) == ("127.0.0.1", port)
        sender.send(Place(1.5, 2.25, 0.5))
        data, source = listener.recvfrom(100)
    assert data == b"/sfmodel/position\0\0\0" + b",fff\0\0\0\0" + struct.pack(">fff", 1.5, 2.25, 0.5)
    assert source[0] == "127.0.0.1"
    assert sender.unsent == 0


def test_osc_to_nobody_goes_on():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with OscMessages(f"127.0.0.1:{port}") as sender:
        for _ in range(3):
            sender.send(Place(1.0, 2.0, 0.5))
    sender.close()


def test_osc_that_the_system_does_not_take_is_counted(listener):
    sender = OscMessages(str(listener.getsockname()[1]))
    sender.close()
    sender.send(Place(1.0, 2.0, 0.5))
    assert sender.unsent == 1


@pytest.mark.parametrize("target", ["", "here", ":9000", "host:", "host:0", "host:65536", "9000.5", "-1"])
def test_bad_targets_are_refused(target):
    with pytest.raises(ValueError, match=r"expected PORT \(on this machine\) or HOST:PORT"):
        osc_target(target)


def test_an_unknown_host_is_refused(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ValueError, match="OSC to 'nowhere:9000': there is no way to nowhere"):
        OscMessages("nowhere:9000")


def test_without_python_osc(monkeypatch):
    monkeypatch.setitem(sys.modules, "pythonosc.osc_message_builder", None)
    with pytest.raises(ImportError, match=r"pip install 'sfdata\[live\]'"):
        OscMessages("9000")
