"""Does it sound where the labels say? Energy near a note's pitch, measured around its labelled onset."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sfdata.operations.base import CHORD_S
from sfdata.schema import Table
from sfdata.spectrogram import SpectrogramSettings, spectrogram
from sfdata.windows import nearest_frame

REACH_FRAMES = 3  # how far around a label a rise is looked for
FEWEST_ONSETS = 20


def rising_share(
    notes: Table, frames: NDArray[np.floating], settings: SpectrogramSettings, restruck_s: float = 0.0
) -> float:
    """Share of a rendition's onsets at which the energy near the note's pitch rises.

    Compared are the louder of two frames that end before the onset and the louder of the onset's frame and the one
    after it: as many on both sides, so that noise alone rises at half of all places. Notes near whose pitch another
    began within the frames looked at are left out.

    Parameters
    ----------
    notes : dict of column name to ndarray
        Of the rendition's performance.
    frames : ndarray, shape (frames, bins)
    settings : SpectrogramSettings
    restruck_s : float
        Notes whose key was struck so shortly before are left out, too: in a room the stroke before sounds on.

    Returns
    -------
    float
        1 where there is no onset to look at.
    """
    onset, pitch = notes["onset_s"] * settings.frame_rate_hz, notes["pitch"].astype(np.int64)
    at = nearest_frame(onset)
    kept = (at + 1 < len(frames)) & ~_struck_before(onset, pitch, REACH_FRAMES + 1)
    kept &= ~_struck_before(onset, pitch, restruck_s * settings.frame_rate_hz, semitones=0)
    if not kept.any():
        return 1.0
    at, near = at[kept], _near_pitch(pitch[kept], settings)
    before = np.maximum(
        *(
            np.where(at[:, None] >= back, frames[np.maximum(at - back, 0)], 0)
            for back in (REACH_FRAMES - 1, REACH_FRAMES)
        )
    )
    after = np.maximum(frames[at], frames[at + 1])
    rise = np.where(near, after.astype(np.float32) - before, 0).sum(axis=1)
    return float((rise > 0).mean())


def onset_lag_s(
    notes: Table, frames: NDArray[np.floating], settings: SpectrogramSettings
) -> tuple[float, float] | None:
    """How much later than its label a note sounds, in the median over those that stand apart from others.

    The time of a rise is the centre of gravity of the energy's increase from frame to frame, less what the analysis
    itself adds, measured on tones whose onset is known. What remains of an exact label is the instrument's own
    attack: 1 to 16 ms with TimGM6mb's pianos.

    Returns
    -------
    lag_s, error_s : float, or None
        The median and its standard error; None where fewer than 20 onsets can be judged.
    """
    lags = _raw_lags_frames(notes, frames, settings)
    if lags is None:
        return None
    middle = float(np.median(lags))
    error = 1.25 * 1.48 * float(np.median(np.abs(lags - middle))) / len(lags) ** 0.5  # as for a normal distribution
    return (middle - _own_lag_frames(settings)) / settings.frame_rate_hz, error / settings.frame_rate_hz


def _struck_before(
    onset_frame: NDArray[np.float64], pitch: NDArray[np.int64], within_frames: float, semitones: int = 1
) -> NDArray[np.bool_]:
    """For each note, whether a key at most so far away was struck shortly before, shape (notes,)."""
    found = np.zeros(len(pitch), dtype=bool)
    for key in np.unique(pitch):
        own = pitch == key
        near = np.sort(onset_frame[np.abs(pitch - key) <= semitones])
        last = np.searchsorted(near, onset_frame[own], side="left") - 1
        found[own] = (last >= 0) & (onset_frame[own] - near[np.maximum(last, 0)] <= within_frames)
    return found


def _near_pitch(pitch: NDArray[np.integer], settings: SpectrogramSettings) -> NDArray[np.bool_]:
    """Bins within a semitone and a half of each pitch, at least the nearest one, shape (notes, bins)."""
    frequency_hz = 440.0 * 2.0 ** ((pitch.astype(float) - 69) / 12)
    semitones = np.abs(np.log2(settings.bin_frequencies_hz() / frequency_hz[:, None])) * 12
    return np.asarray(semitones <= np.maximum(1.5, semitones.min(axis=1, keepdims=True)))


def _raw_lags_frames(
    notes: Table, frames: NDArray[np.floating], settings: SpectrogramSettings
) -> NDArray[np.float64] | None:
    onset = notes["onset_s"] * settings.frame_rate_hz
    at = nearest_frame(onset)
    gap = np.diff(onset, prepend=-np.inf)
    following = np.searchsorted(onset, onset + CHORD_S * settings.frame_rate_hz, side="right")
    until = np.append(onset, np.inf)[following] - onset  # what comes soon after would draw the rise towards it
    kept = (
        (gap > 2 * REACH_FRAMES) & (until > REACH_FRAMES + 1) & (at > REACH_FRAMES) & (at + REACH_FRAMES < len(frames))
    )
    if kept.sum() < FEWEST_ONSETS:
        return None
    at, near = at[kept], _near_pitch(notes["pitch"][kept], settings)
    distance = np.arange(-REACH_FRAMES, REACH_FRAMES + 1)
    # Magnitudes, not their logarithms: these rise earlier out of silence than out of other notes' sound.
    levels = np.stack([np.expm1(frames[at + d].astype(np.float32)) for d in range(-REACH_FRAMES - 1, REACH_FRAMES + 1)])
    steps = np.diff(levels, axis=0)  # (distances, notes, bins)
    rises = np.stack([np.maximum(np.where(near, step, 0).sum(axis=1), 0) for step in steps], axis=1)
    total = rises.sum(axis=1)
    heard = total > 0
    if heard.sum() < FEWEST_ONSETS:
        return None
    # A rise from one frame to the next lies between the two.
    centre = at[heard] + (rises[heard] * (distance - 0.5)).sum(axis=1) / total[heard]
    return np.asarray(centre - onset[kept][heard])


@lru_cache(maxsize=8)
def _own_lag_frames(settings: SpectrogramSettings) -> float:
    """The lag of decaying tones with known onsets, at all phases between two frames."""
    count, rate = 2 * FEWEST_ONSETS, settings.sample_rate_hz
    spacing_s = 0.4 + (4 * REACH_FRAMES + 1 / count) / settings.frame_rate_hz
    begin = np.round((0.5 + spacing_s * np.arange(1, count + 1)) * rate).astype(int)
    time_s = np.arange(int(0.25 * rate)) / rate
    tone = 0.1 * np.exp(-time_s / 0.3) * np.sin(2 * np.pi * 440 * time_s)
    samples = np.zeros(begin[-1] + rate, dtype=np.float32)
    for first in begin:
        samples[first : first + len(tone)] += tone
    notes = {"onset_s": begin / rate, "pitch": np.full(count, 69)}
    lags = _raw_lags_frames(notes, spectrogram(samples, settings), settings)
    assert lags is not None
    return float(np.median(lags))
