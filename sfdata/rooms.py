"""Rooms: impulse responses, synthetic ones from a few numbers and measured ones from a folder of sound files.

A response is a float32 array of shape (taps,) with the direct sound in sample 0, so that whatever is played in the room
begins when it did before, and with energy (sum of squares) 1, so that sound keeps its level on average.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import soundfile
from numpy.typing import NDArray

from sfdata.blocks import Samples
from sfdata.files import check_folder
from sfdata.soundfonts import file_sha256

SUFFIXES = (".wav", ".flac")
DAMPING_FROM_HZ = 1000.0
EARLY_S = 0.08  # at most: reflections merge into a diffuse field after a sixteenth of the reverberation time
LOUDEST_REFLECTION = 0.5  # energy, as a part of the direct sound's
LONGEST_FILE_S = 30.0
DIRECT_AMPLITUDE = 0.25  # of the loudest sample: what first reaches it belongs to the direct sound
DIRECT_RISE_S = 0.001
LATE_ENERGY = 0.1  # a response has less than this part of its energy in its second half
CUT_ENERGY = 1e-6  # what of its energy a measured response's end may lose


@dataclass(frozen=True)
class RoomFile:
    """A measured impulse response on this machine.

    Attributes
    ----------
    name : str
        The file's path within its folder, with forward slashes.
    path : Path
        Not part of what makes two rooms equal.
    sha256 : str
        Of the file.
    """

    name: str
    path: Path = field(compare=False)
    sha256: str


def synthetic_response(drawn: Mapping[str, Any], sample_rate_hz: int) -> Samples:
    """Make the impulse response of a room that is described by a few numbers.

    Direct sound, then reverberation whose energy decays exponentially: noise (Moorer, About this reverberation
    business, 1979), which for the first sixteenth of the decay gives way to single reflections, the first of them
    `predelay_s` after the direct sound. Above 1 kHz decay gets faster with each octave, as air and furnishings make
    it.

    Parameters
    ----------
    drawn : mapping
        ``rt60_s`` (time in which reverberation falls by 60 dB, up to 1 kHz), ``damping`` (factor on that time for
        each octave above 1 kHz), ``drr_db`` (energy of the direct sound relative to all the rest), ``predelay_s``,
        ``reflections`` (count; 0 for noise alone), ``seed`` (of noise and reflections).
    sample_rate_hz : int

    Returns
    -------
    ndarray of float32, shape (taps,)
        Predelay and one reverberation time long. Single reflections are 3 dB below the direct sound, or softer.
    """
    rng = np.random.default_rng(drawn["seed"])
    length = int(scipy.fft.next_fast_len(max(16, round(drawn["rt60_s"] * sample_rate_hz)), real=True))
    time_s = np.arange(length) / sample_rate_hz
    noise = rng.standard_normal(length)
    early = max(1, min(round(EARLY_S * sample_rate_hz), length // 16))
    places = np.unique(np.append(0, rng.integers(0, early, max(0, drawn["reflections"] - 1))))
    signs = rng.choice([-1.0, 1.0], len(places))
    envelope = 10 ** (-6 * time_s / drawn["rt60_s"])  # of energy, up to 1 kHz
    single = np.maximum(0.0, 1 - np.arange(length) / early) if drawn["reflections"] else np.zeros(length)
    diffuse = _damped_noise(noise, time_s, drawn, sample_rate_hz) * np.sqrt(1 - single)
    energy = 10 ** (-drawn["drr_db"] / 10)
    weights = (single * envelope)[places]
    share = float((single * envelope).sum() / envelope.sum())
    loud = np.minimum(energy * share * weights / max(float(weights.sum()), 1e-12), LOUDEST_REFLECTION)
    reverberation = diffuse * np.sqrt((energy - loud.sum()) / np.square(diffuse).sum())
    reverberation[places] += signs * np.sqrt(loud)
    # Reflections lie on top of noise, so the sum's energy is not quite the two energies' sum.
    reverberation *= np.sqrt(energy / np.square(reverberation).sum())
    begin = max(1, round(drawn["predelay_s"] * sample_rate_hz))
    response = np.zeros(begin + length)
    response[0] = 1
    response[begin:] = reverberation
    return _normalised(response)


def _damped_noise(
    noise: NDArray[np.float64], time_s: NDArray[np.float64], drawn: Mapping[str, Any], sample_rate_hz: int
) -> NDArray[np.float64]:
    """Noise that decays in octave bands, faster with each octave above 1 kHz.

    The bands' filters add up to 1 and cross over linearly between the octaves' centres.
    """
    octaves_up = max(0, int(np.ceil(np.log2(sample_rate_hz / 2 / DAMPING_FROM_HZ)))) if drawn["damping"] < 1 else 0
    if not octaves_up:
        return np.asarray(noise * 10 ** (-3 * time_s / drawn["rt60_s"]))
    frequency_hz = scipy.fft.rfftfreq(len(noise), 1 / sample_rate_hz)
    octave = np.log2(np.maximum(frequency_hz, DAMPING_FROM_HZ) / DAMPING_FROM_HZ)
    spectrum, damped = scipy.fft.rfft(noise), np.zeros(len(noise))
    for band in range(octaves_up + 1):
        filtered = scipy.fft.irfft(spectrum * np.maximum(0.0, 1 - np.abs(octave - band)), len(noise))
        damped += filtered * 10 ** (-3 * time_s / (drawn["rt60_s"] * drawn["damping"] ** band))
    return damped


def find_rooms(folder: str | Path) -> list[RoomFile]:
    """Find the measured impulse responses (wav, flac) in a folder and those below it, sorted by name.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or none of its files ends in .wav or .flac.
    ValueError
        If one of the files is no impulse response; see :func:`measured_response`.
    """
    folder = Path(folder)
    check_folder(folder, "folder of impulse responses")
    files = [file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no impulse responses; expected files that end in {' or '.join(SUFFIXES)}"
        )
    rooms = [RoomFile(file.relative_to(folder).as_posix(), file, file_sha256(file)) for file in files]
    for room in rooms:
        _trimmed(*_read(room), room)
    return sorted(rooms, key=lambda room: room.name)


@lru_cache(maxsize=64)
def measured_response(room: RoomFile, sample_rate_hz: int) -> Samples:
    """Read a measured impulse response.

    Its first channel (of several microphones, one hears the direct sound once), resampled, cut to begin with the
    direct sound's peak and to end where less than a millionth of its energy is left.

    Parameters
    ----------
    room : RoomFile
    sample_rate_hz : int

    Returns
    -------
    ndarray of float32, shape (taps,), read-only

    Raises
    ------
    ValueError
        If the file cannot be read, has another sha256 than `room` says, or is no impulse response: silent, longer
        than 30 s, or with a tenth of its energy or more in its second half.
    """
    if file_sha256(room.path) != room.sha256:
        raise ValueError(f"{room.path} has changed; expected a file with sha256 {room.sha256}")
    samples, rate = _read(room)
    if rate != sample_rate_hz:
        import librosa

        samples = librosa.resample(samples, orig_sr=rate, target_sr=sample_rate_hz, res_type="soxr_hq")
    response = _normalised(_trimmed(samples, sample_rate_hz, room))
    response.flags.writeable = False
    return response


def _read(room: RoomFile) -> tuple[NDArray[np.float64], int]:
    try:
        info = soundfile.info(room.path)
        if info.duration > LONGEST_FILE_S:
            raise ValueError(f"{room.path} lasts {info.duration:.0f} s; expected an impulse response, 30 s at most")
        samples, rate = soundfile.read(room.path, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{room.path} cannot be read as sound: {error}") from None
    if not len(samples) or not np.isfinite(samples).all() or not samples[:, 0].any():
        raise ValueError(f"{room.path} is silent, or holds samples that are no numbers; expected an impulse response")
    return samples[:, 0], int(rate)


def _trimmed(samples: NDArray[np.float64], sample_rate_hz: int, room: RoomFile) -> NDArray[np.float64]:
    """From the direct sound's peak to where nothing that matters is left."""
    loudness = np.abs(samples)
    first = int(np.argmax(loudness >= DIRECT_AMPLITUDE * loudness.max()))
    peak = first + int(np.argmax(loudness[first : first + max(1, round(DIRECT_RISE_S * sample_rate_hz))]))
    response = samples[peak:]
    left = np.cumsum(np.square(response)[::-1])[::-1]  # energy from each sample on (Schroeder's backward integral)
    if len(response) > 1 and left[(len(response) + 1) // 2] >= LATE_ENERGY * left[0]:
        part = left[(len(response) + 1) // 2] / left[0]
        raise ValueError(
            f"{room.path} has {part:.0%} of its energy in its second half; expected an impulse response, which decays"
        )
    return response[: max(1, int(np.count_nonzero(left > CUT_ENERGY * left[0])))]


def _normalised(response: NDArray[np.float64]) -> Samples:
    return np.asarray(response / np.sqrt(np.square(response).sum()), dtype=np.float32)
