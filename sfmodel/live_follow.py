"""Following what sounds now: which sound, which follower, who is told."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sfdata.beats import read_beat_map
from sfdata.side import MIDI_SUFFIXES
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfmodel.evidence import LEARNED
from sfmodel.follower import open_follower
from sfmodel.live import LiveStatistics, run_live
from sfmodel.position_messages import JsonLines, OscMessages, Sender
from sfmodel.sound_sources import BLOCK_S, FileSound, SoundSource, StreamedSound
from sfmodel.wav_header import PcmFormat

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class LiveSettings:
    """Where sound comes from and who is told.

    Attributes
    ----------
    microphone : str or int, optional
        Its number or a part of its name; only where `performance` is not given.
    block_s : float
        Of sound at a time.
    raw : str, optional
        Standard input is no WAV but ``ENCODING:RATE:CHANNELS``, such as ``s16le:44100:1``.
    osc : str, optional
        ``PORT`` or ``HOST:PORT``.
    midi_port : str, optional
        Name of a MIDI port that is given song position and clock; needs a MIDI reference.
    delay_s : float
        See :class:`sfmodel.follower.Follower`.
    """

    microphone: str | int | None = None
    block_s: float = BLOCK_S
    raw: str | None = None
    osc: str | None = None
    midi_port: str | None = None
    delay_s: float = 0.0


def follow_live(
    reference: str | Path,
    performance: str | Path | None,
    settings: LiveSettings | None = None,
    evidence: str | Path = LEARNED,
    soundfont: str = DEFAULT_INSTRUMENT,
    lines: TextIO | None = None,
) -> LiveStatistics:
    """Follow a microphone, standard input, or a sound file at the pace at which it sounds.

    Parameters
    ----------
    reference : path
        MIDI or sound.
    performance : path, ``-`` or None
        A sound file, standard input (WAV, or raw as `settings` say), or the microphone.
    settings : LiveSettings, optional
    evidence, soundfont :
        See :func:`sfmodel.follower.open_follower`.
    lines : text stream, optional
        Is given a line of JSON for every report; default standard output.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If one cannot be read, there is no such microphone or port, or the settings do not fit.
    ImportError
        If what a microphone or a message needs is not installed: ``pip install 'sfdata[live]'``.
    """
    settings = settings or LiveSettings()
    if settings.midi_port is not None and Path(reference).suffix.lower() not in MIDI_SUFFIXES:
        raise ValueError(f"{reference} is sound, which tells no beats; MIDI clock needs a MIDI reference")
    follower = open_follower(reference, evidence, soundfont, delay_s=settings.delay_s)
    follower.warm_up()
    with ExitStack() as stack:
        senders: list[Sender] = [JsonLines(sys.stdout if lines is None else lines)]
        if settings.osc is not None:
            senders.append(stack.enter_context(OscMessages(settings.osc)))
        if settings.midi_port is not None:
            from sfmodel.midi_messages import MidiClock, open_port

            beats = read_beat_map(reference)
            senders.append(stack.enter_context(MidiClock(open_port(settings.midi_port), beats)))
        return run_live(follower, _source(performance, settings, follower.sample_rate_hz), senders)


def _source(performance: str | Path | None, settings: LiveSettings, rate_hz: int) -> SoundSource:
    if performance is None:
        from sfmodel.microphone import Microphone

        return Microphone(rate_hz, settings.microphone, settings.block_s)
    if str(performance) == STANDARD_INPUT:
        return StreamedSound(rate_hz, None if settings.raw is None else _raw(settings.raw), block_s=settings.block_s)
    return FileSound(performance, rate_hz, settings.block_s)


def _raw(text: str) -> PcmFormat:
    encoding, *numbers = text.split(":")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise ValueError(f"raw sound as {text!r}; expected ENCODING:RATE:CHANNELS, such as s16le:44100:1")
    return PcmFormat(encoding, int(numbers[0]), int(numbers[1]))
