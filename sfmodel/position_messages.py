"""Positions told to other programs: as JSON lines, or by Open Sound Control (OSC).

Senders take one report at a time and are closed when there are no more. :mod:`sfmodel.midi_messages` has another.

>>> import sys
>>> from types import SimpleNamespace
>>> JsonLines(sys.stdout).send(SimpleNamespace(performance_time_s=1.02, reference_time_s=0.98765, confidence=0.9))
{"performance_time_s": 1.02, "reference_time_s": 0.9877, "confidence": 0.9}
"""

import json
from typing import Protocol, Self, TextIO

OSC_ADDRESS = "/sfmodel/position"
LOOPBACK = "127.0.0.1"


class Report(Protocol):
    """Where a performance is; see :class:`sfmodel.follower.Report`."""

    @property
    def performance_time_s(self) -> float:
        """How much has been heard."""

    @property
    def reference_time_s(self) -> float:
        """Where in the reference that lies."""

    @property
    def confidence(self) -> float:
        """Between 0 and 1."""


class Sender:
    """What takes reports. A context that closes it."""

    def send(self, report: Report) -> None:
        """Tell a report."""
        raise NotImplementedError

    def close(self) -> None:
        """End; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class JsonLines(Sender):
    """Writes a JSON object a line, each at once: ``performance_time_s``, ``reference_time_s``, ``confidence``.

    Parameters
    ----------
    stream : text stream
        Is not closed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, report: Report) -> None:
        """Write a line.

        Raises
        ------
        BrokenPipeError
            If nobody reads any more.
        """
        row = {
            "performance_time_s": round(report.performance_time_s, 4),
            "reference_time_s": round(report.reference_time_s, 4),
            "confidence": round(report.confidence, 4),
        }
        self._stream.write(json.dumps(row) + "\n")
        self._stream.flush()


class OscMessages(Sender):
    """Sends ``/sfmodel/position`` with three floats, over UDP: performance time, reference time (s), confidence.

    Parameters
    ----------
    target : str
        ``PORT`` on this machine, or ``HOST:PORT``; IPv6 as ``[::1]:PORT``.

    Attributes
    ----------
    host : str
    port : int
    unsent : int
        Messages that the system did not take. UDP does not tell which ones arrive.

    Raises
    ------
    ImportError
        If python-osc is not installed.
    ValueError
        If `target` is none.
    """

    def __init__(self, target: str) -> None:
        self.host, self.port = osc_target(target)
        self.unsent = 0
        try:
            from pythonosc.osc_message_builder import OscMessageBuilder
            from pythonosc.udp_client import UDPClient
        except ImportError as error:
            raise ImportError("OSC needs python-osc; install it with: pip install 'sfdata[live]'") from error
        self._message = OscMessageBuilder
        try:
            self._client = UDPClient(self.host, self.port)
        except OSError as error:
            raise ValueError(f"OSC to {target!r}: there is no way to {self.host} ({error})") from None

    def send(self, report: Report) -> None:
        """Send a message; one that cannot be sent is counted."""
        message = self._message(address=OSC_ADDRESS)
        for value in (report.performance_time_s, report.reference_time_s, report.confidence):
            message.add_arg(float(value), "f")
        try:
            self._client.send(message.build())
        except OSError:  # the network's own business: the next one may pass
            self.unsent += 1

    def close(self) -> None:
        """Close the socket."""
        self._client._sock.close()


def osc_target(target: str) -> tuple[str, int]:
    """Split ``PORT`` or ``HOST:PORT``.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> osc_target("9000"), osc_target("mixer.local:57120"), osc_target("[::1]:9000")
    (('127.0.0.1', 9000), ('mixer.local', 57120), ('::1', 9000))
    """
    host, colon, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or not 1 <= int(port) <= 65535 or (colon and not host):
        raise ValueError(f"OSC to {target!r}; expected PORT (on this machine) or HOST:PORT, with a port of 1 to 65535")
    return host or LOOPBACK, int(port)
