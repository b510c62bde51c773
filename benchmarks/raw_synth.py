"""The least that synthesis can cost: libfluidsynth called for events and samples, and nothing done with these."""

import ctypes
from collections.abc import Iterable

import numpy as np
from timing import RATE

from sfdata.fluidsynth import find_library
from sfdata.notes import EVENT_GRID_SAMPLES, NoteArray, event_grid_samples

BLOCK = 512 * EVENT_GRID_SAMPLES
Events = list[tuple[int, int, int, int]]  # sample, 1 for on and 0 for off, pitch, velocity


def events_of(notes: NoteArray, total: int) -> Events:
    """Events of a performance in order, note-offs first, and one at its end that does nothing."""
    on, off = (times.tolist() for times in event_grid_samples(notes, RATE))
    pitch, velocity = notes["pitch"].tolist(), notes["velocity"].tolist()
    ends = [(t, 0, p, 0) for t, p in zip(off, pitch, strict=True)]
    starts = [(t, 1, p, v) for t, p, v in zip(on, pitch, velocity, strict=True)]
    return [*sorted(ends + starts), (total, 2, 0, 0)]


class RawSynth:
    """A synth with a font, its samples loaded, used again and again.

    Parameters
    ----------
    soundfont : str
    bank, program : int
    effects : bool
        FluidSynth's own reverb and chorus.
    whole_font : bool
        Load all samples at once, as FluidSynth does by default, or only those of the preset, as sfdata does.
    """

    def __init__(
        self, soundfont: str, bank: int = 0, program: int = 0, effects: bool = False, whole_font: bool = False
    ) -> None:
        self.library = library = ctypes.CDLL(find_library())
        pointer, number = ctypes.c_void_p, ctypes.c_int
        for name, result, types in (
            ("fluid_set_log_function", pointer, [number, pointer, pointer]),
            ("new_fluid_settings", pointer, []),
            ("delete_fluid_settings", None, [pointer]),
            ("fluid_settings_setint", number, [pointer, ctypes.c_char_p, number]),
            ("fluid_settings_setnum", number, [pointer, ctypes.c_char_p, ctypes.c_double]),
            ("new_fluid_synth", pointer, [pointer]),
            ("delete_fluid_synth", None, [pointer]),
            ("fluid_synth_sfload", number, [pointer, ctypes.c_char_p, number]),
            ("fluid_synth_program_select", number, [pointer, number, number, number, number]),
            ("fluid_synth_all_sounds_off", number, [pointer, number]),
            ("fluid_synth_noteon", number, [pointer, number, number, number]),
            ("fluid_synth_noteoff", number, [pointer, number, number]),
            ("fluid_synth_write_float", number, [pointer, number, pointer, number, number, pointer, number, number]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, types
        for level in range(5):
            library.fluid_set_log_function(level, None, None)
        self.settings = library.new_fluid_settings()
        for key, value in {
            b"synth.reverb.active": int(effects),
            b"synth.chorus.active": int(effects),
            b"synth.dynamic-sample-loading": int(not whole_font),
            b"synth.polyphony": 512,
        }.items():
            library.fluid_settings_setint(self.settings, key, value)
        library.fluid_settings_setnum(self.settings, b"synth.sample-rate", float(RATE))
        library.fluid_settings_setnum(self.settings, b"synth.gain", 1.5)
        self.synth = library.new_fluid_synth(self.settings)
        font = library.fluid_synth_sfload(self.synth, soundfont.encode(), 1)
        if font < 0 or library.fluid_synth_program_select(self.synth, 0, font, bank, program) < 0:
            raise ValueError(f"{soundfont}, bank {bank}, program {program}: FluidSynth cannot load it")
        self.buffer = np.empty((2, BLOCK), dtype=np.float32)

    def play(self, events: Iterable[tuple[int, int, int, int]]) -> None:
        """Strike, lift and write, always into the same buffer."""
        synth, write = self.synth, self.library.fluid_synth_write_float
        strike, lift = self.library.fluid_synth_noteon, self.library.fluid_synth_noteoff
        left, right = self.buffer[0].ctypes.data, self.buffer[1].ctypes.data
        position = 0
        for at, kind, pitch, velocity in events:
            while position < at:
                samples = min(at - position, BLOCK)
                write(synth, samples, left, 0, 1, right, 0, 1)
                position += samples
            if kind == 1:
                strike(synth, 0, pitch, velocity)
            elif kind == 0:
                lift(synth, 0, pitch)
        self.library.fluid_synth_all_sounds_off(synth, -1)

    def close(self) -> None:
        """Free synth and font."""
        self.library.delete_fluid_synth(self.synth)
        self.library.delete_fluid_settings(self.settings)
