"""Positions told as MIDI: song position pointer and timing clock, which sequencers and effects follow.

>>> clock = MidiClock(open_port("Virtual"), read_beat_map("score.mid"))                           # doctest: +SKIP
>>> clock.send(report)                                                                            # doctest: +SKIP
"""

import math
from typing import Any, Protocol

from sfdata.beats import BeatMap
from sfmodel.position_messages import Report, Sender

TICKS_PER_QUARTER = 24  # of the timing clock
TICKS_PER_POSITION = 6  # of the song position pointer: sixteenth notes
LAST_POSITION = 2**14 - 1
JUMP_QUARTERS = 1.0


class Port(Protocol):
    """What takes MIDI messages, as mido's ports do."""

    def send(self, message: Any) -> None:
        """Send a message."""

    def close(self) -> None:
        """Close it."""


class MidiClock(Sender):
    """Sends the clock ticks that the position passes, 24 for each quarter of the reference.

    It begins with a song position pointer and "continue". A pause of the performance is a pause of the clock; small
    steps back are waited out. A jump of more than a quarter, either way, is "stop", a new song position pointer, and
    "continue". The pointer counts sixteenths: ticks begin with the first sixteenth at or after the position. Ticks go
    out with the report that passes them, so they come up to a block of sound late, never early.

    Parameters
    ----------
    port : Port
        Is closed at the end.
    beats : BeatMap
        Of the reference. A MIDI file that was transcribed from sound often has one constant tempo, whose beats are
        not the music's.
    least_confidence : float
        Reports below it are left out.
    """

    def __init__(self, port: Port, beats: BeatMap, least_confidence: float = 0.0) -> None:
        self._message = _mido().Message
        self.port, self.beats, self.least_confidence = port, beats, least_confidence
        self._next_tick: int | None = None  # None while stopped
        self._closed = False

    def send(self, report: Report) -> None:
        """Send what the position asks for."""
        if report.confidence < self.least_confidence:
            return
        position = float(self.beats(report.reference_time_s)) * TICKS_PER_QUARTER
        jump = JUMP_QUARTERS * TICKS_PER_QUARTER
        if self._next_tick is not None and abs(max(position, 0.0) - self._next_tick) > jump:
            self._stop()
        if self._next_tick is None:
            pointer = max(0, math.ceil(position / TICKS_PER_POSITION - 1e-9))
            if pointer > LAST_POSITION:  # beyond what can be told
                return
            self._next_tick = pointer * TICKS_PER_POSITION
            self.port.send(self._message("songpos", pos=pointer))
            self.port.send(self._message("continue"))
        while self._next_tick <= position + 1e-9:
            self.port.send(self._message("clock"))
            self._next_tick += 1

    def close(self) -> None:
        """Stop the clock and close the port."""
        if not self._closed:
            self._closed = True
            if self._next_tick is not None:
                self._stop()
            self.port.close()

    def _stop(self) -> None:
        self.port.send(self._message("stop"))
        self._next_tick = None


def open_port(name: str, virtual: bool = False) -> Port:
    """Open a MIDI output.

    Parameters
    ----------
    name : str
        Its name, or a part of it.
    virtual : bool
        Make a port of that name, which other programs can listen to (not on Windows).

    Raises
    ------
    ImportError
        If mido or python-rtmidi is not installed.
    ValueError
        If there is no such port, several, or the system has no MIDI; with a list of those that there are.
    """
    mido = _mido()
    try:
        names = [] if virtual else mido.get_output_names()
    except ImportError as error:
        raise ImportError("MIDI ports need python-rtmidi; install it with: pip install 'sfdata[live]'") from error
    except Exception as error:  # python-rtmidi's own kinds
        raise ValueError(f"this system gives no MIDI ports: {error}") from None
    fitting = [name] if virtual else [port for port in names if name.casefold() in port.casefold()]
    if name in fitting:
        fitting = [name]
    if len(fitting) != 1:
        many = f"{len(fitting)} MIDI ports fit" if fitting else "there is no MIDI port"
        there = "expected one of " + ", ".join(names) if names else "there are none here"
        raise ValueError(f"{many} {name!r}; {there}")
    try:
        port: Port = mido.open_output(fitting[0], virtual=virtual)
    except ImportError as error:
        raise ImportError("MIDI ports need python-rtmidi; install it with: pip install 'sfdata[live]'") from error
    except Exception as error:
        raise ValueError(f"the MIDI port {fitting[0]!r} cannot be opened: {error}") from None
    return port


def _mido() -> Any:
    try:
        import mido
    except ImportError as error:
        raise ImportError("MIDI needs mido; install it with: pip install 'sfdata[live]'") from error
    return mido
