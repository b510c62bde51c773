"""Temporary."""

import numpy as np

from sfdata.render import read_audio, render
from sfdata.sound import apply_sound, tuning_cents
from sfdata.spectrogram import spectrogram


def recording_frames(path, samples, settings):
    s = read_audio(path, settings.sample_rate_hz)[:samples]
    yield spectrogram(np.pad(s, (0, samples - len(s))), settings)


def rendition_frames(notes, instrument, settings, render_settings, sound, rooms):
    rate = settings.sample_rate_hz
    s = render(notes, instrument, rate, render_settings, tuning_cents(sound))
    yield spectrogram(apply_sound(s, rate, sound, rooms), settings)
