"""Sound from a microphone, by sounddevice (PortAudio): ``pip install 'sfdata[live]'``.

>>> with Microphone(22050, device="usb") as microphone:                                           # doctest: +SKIP
...     for block in microphone:
...         reports = follower.push(block)
"""

import math
import queue
import threading
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sfmodel.resampler import Resampler
from sfmodel.sound_sources import BLOCK_S

MICROPHONE_BLOCKS_S = (0.01, 0.1)
HELD_S = 5.0  # sound that waits to be taken at most
_SILENT_S = 3.0  # without a block for so long, the device is gone


class Microphone:
    """What a microphone hears, from when it is made.

    Parameters
    ----------
    sample_rate_hz : int
        Of the blocks; the device runs at its own rate.
    device : int, str or None
        Its number, or a part of its name; None for the system's own choice. See :func:`microphones`.
    block_s : float
        Of sound in each block.
    first_s : float
        So much after the beginning, and every block later, a block is to end, so that blocks end where a follower's
        frames do: what the device gives before that is left out. 0 for the device's own beginning.

    Attributes
    ----------
    live : bool
        True.
    name : str
        The device's.
    rate_hz, channels : int
        The device's; channels are averaged.
    overflows : int
        Times that sound was lost, as PortAudio tells or because nobody took it.

    Raises
    ------
    ImportError
        If sounddevice or PortAudio is not installed.
    ValueError
        If there is no such device, or it cannot be opened; with a list of those that there are.
    """

    live = True

    def __init__(
        self, sample_rate_hz: int, device: int | str | None = None, block_s: float = BLOCK_S, first_s: float = 0.0
    ) -> None:
        low, high = MICROPHONE_BLOCKS_S
        if not low <= block_s <= high:
            raise ValueError(f"blocks of {block_s} s; expected {low} to {high}")
        sounddevice = _sounddevice()
        number, found = _chosen(microphones(), device, sounddevice)
        self.name, self.rate_hz = str(found["name"]), round(found["default_samplerate"])
        self.channels = min(2, int(found["max_input_channels"]))
        self.overflows = 0
        self._resampler, size = Resampler(self.rate_hz, sample_rate_hz), round(block_s * self.rate_hz)
        self._left_out = -self._resampler.needed(round(first_s * sample_rate_hz)) % size  # of the first block
        self._blocks: queue.Queue[NDArray[np.float32]] = queue.Queue(math.ceil(HELD_S / block_s))
        self._closed = threading.Event()
        try:
            self._stream = sounddevice.InputStream(
                samplerate=self.rate_hz,
                blocksize=size,
                device=number,
                channels=self.channels,
                dtype="float32",
                latency="low",
                callback=self._take,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise ValueError(f"{self.name} cannot be opened: {error}; {_listed(microphones())}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Give the blocks as they come, until closed.

        Raises
        ------
        OSError
            If the device gives no more sound.
        """
        waited_s = 0.0
        while not self._closed.is_set():
            try:
                block = self._blocks.get(timeout=0.1)
            except queue.Empty:
                waited_s += 0.1
                if waited_s >= _SILENT_S or not self._stream.active:
                    if self._closed.is_set():
                        return
                    raise OSError(f"{self.name} gives no more sound; is it still connected?") from None
                continue
            waited_s = 0.0
            block, self._left_out = block[self._left_out :], 0
            if not np.isfinite(block).all():  # some drivers begin with rubbish; it would never leave a follower again
                block = np.zeros_like(block)
            made = self._resampler.push(block)
            if len(made):
                yield made

    def close(self) -> None:
        """Stop listening; may be called twice."""
        if not self._closed.is_set():
            self._closed.set()
            self._stream.close()

    def _take(self, samples: NDArray[np.float32], count: int, times: Any, status: Any) -> None:
        # Called from PortAudio's own thread, in which nothing may wait.
        self.overflows += bool(status and status.input_overflow)
        try:
            self._blocks.put_nowait(samples.mean(axis=1, dtype=np.float32))
        except queue.Full:
            self.overflows += 1


def microphones() -> list[tuple[int, dict[str, Any]]]:
    """List the devices that sound can be had from.

    Returns
    -------
    list of (int, dict)
        Numbers, and what sounddevice tells: ``name``, ``max_input_channels``, ``default_samplerate`` and more.

    Raises
    ------
    ImportError
        If sounddevice or PortAudio is not installed.
    """
    found = [dict(device) for device in _sounddevice().query_devices()]
    return [(i, device) for i, device in enumerate(found) if device["max_input_channels"] > 0]


def _chosen(
    found: list[tuple[int, dict[str, Any]]], device: int | str | None, sounddevice: Any
) -> tuple[int, dict[str, Any]]:
    if device is None:
        number = sounddevice.default.device[0]
        fitting = [each for each in found if each[0] == number] or found[:1]
    elif isinstance(device, int) or device.isdecimal():
        fitting = [each for each in found if each[0] == int(device)]
    else:
        named = [each for each in found if device.casefold() in str(each[1]["name"]).casefold()]
        fitting = [each for each in named if str(each[1]["name"]) == device] or named
    if len(fitting) != 1:
        wanted = "microphone" if device is None else f"microphone {device!r}"
        many = f"{len(fitting)} devices fit" if fitting else "there is no"
        raise ValueError(f"{many} {wanted}; {_listed(found)}")
    return fitting[0]


def _listed(found: list[tuple[int, dict[str, Any]]]) -> str:
    if not found:
        return "no device gives sound here"
    lines = (f"{number}: {device['name']} ({device['max_input_channels']} channels)" for number, device in found)
    return "expected one of " + ", ".join(lines)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise ImportError("a microphone needs sounddevice; install it with: pip install 'sfdata[live]'") from error
    except OSError as error:  # its wheel for Linux comes without PortAudio
        raise ImportError(
            f"a microphone needs PortAudio, which is not there ({error}): install the package libportaudio2"
        ) from error
    return sounddevice
