"""Following what sounds now: which sound, which follower, who is told."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sfdata.beats import read_beat_map
from sfdata.side import MIDI_SUFFIXES, open_sound
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfmodel.evidence import LEARNED
from sfmodel.follower import Follower, open_follower
from sfmodel.live import LiveStatistics, run_live
from sfmodel.position_messages import JsonLines, OscMessages, Sender
from sfmodel.sound_sources import BLOCK_S, FileSound, GivenSound, SoundSource, StreamedSound
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
    """Follow a microphone, standard input, or a file at the pace at which it sounds.

    Parameters
    ----------
    reference : path
        MIDI or sound.
    performance : path, ``-`` or None
        MIDI, which is rendered, or a sound file; standard input (WAV, or raw as `settings` say); or the microphone.
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
        If one cannot be read or holds no sound, there is no such microphone or port, or the settings do not fit.
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
        told = run_live(follower, _source(performance, settings, follower, soundfont), senders)
    if not told.interrupted:
        check_reports(performance, told.reports, settings.delay_s)
    return told


def check_reports(performance: str | Path | None, reports: int, delay_s: float) -> None:
    """Check that a performance gave reports.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not reports:
        name = "standard input" if str(performance) == STANDARD_INPUT else performance
        delayed = f", or less than the delay of {delay_s} s" if delay_s else ""
        raise ValueError(f"{name} holds no sound{delayed}; expected at least one sample")


def _source(performance: str | Path | None, settings: LiveSettings, follower: Follower, soundfont: str) -> SoundSource:
    rate_hz, block_s = follower.sample_rate_hz, settings.block_s
    # The first frame has been heard half a window after the beginning: blocks that end then do not make it wait.
    first_s = follower.spectrogram.n_fft / 2 / rate_hz % block_s
    if performance is None:
        from sfmodel.microphone import Microphone

        return Microphone(rate_hz, settings.microphone, block_s, first_s)
    if str(performance) == STANDARD_INPUT:
        raw = None if settings.raw is None else _raw(settings.raw)
        return StreamedSound(rate_hz, raw, block_s=block_s, first_s=first_s)
    if Path(performance).suffix.lower() in MIDI_SUFFIXES:
        blocks, follower.performance_start_s = open_sound(performance, rate_hz, soundfont)
        return GivenSound(blocks, rate_hz, block_s, first_s=first_s)
    return FileSound(performance, rate_hz, block_s, first_s=first_s)


def _raw(text: str) -> PcmFormat:
    encoding, *numbers = text.split(":")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise ValueError(f"raw sound as {text!r}; expected ENCODING:RATE:CHANNELS, such as s16le:44100:1")
    return PcmFormat(encoding, int(numbers[0]), int(numbers[1]))
