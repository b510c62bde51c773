"""The FluidSynth library: finding it, and the few calls of it that rendering needs.

The library is looked for in this order: the path in the environment variable ``SFDATA_FLUIDSYNTH``, the system's
library, the one inside the ``pygame-ce`` wheel. It is bound with ctypes (which releases the GIL during calls).
"""

import ctypes
import ctypes.util
import importlib.util
import os
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

_POINTER, _INT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "fluid_version_str": (_TEXT, []),
    "fluid_set_log_function": (_POINTER, [_INT, _POINTER, _POINTER]),
    "new_fluid_settings": (_POINTER, []),
    "delete_fluid_settings": (None, [_POINTER]),
    "fluid_settings_setint": (_INT, [_POINTER, _TEXT, _INT]),
    "fluid_settings_setnum": (_INT, [_POINTER, _TEXT, ctypes.c_double]),
    "new_fluid_synth": (_POINTER, [_POINTER]),
    "delete_fluid_synth": (None, [_POINTER]),
    "fluid_synth_sfload": (_INT, [_POINTER, _TEXT, _INT]),
    "fluid_synth_get_sfont_by_id": (_POINTER, [_POINTER, _INT]),
    "fluid_synth_add_sfont": (_INT, [_POINTER, _POINTER]),
    "fluid_synth_remove_sfont": (_INT, [_POINTER, _POINTER]),
    "fluid_sfont_get_preset": (_POINTER, [_POINTER, _INT, _INT]),
    "fluid_preset_get_name": (_TEXT, [_POINTER]),
    "fluid_synth_program_select": (_INT, [_POINTER, _INT, _INT, _INT, _INT]),
    "fluid_synth_set_gen": (_INT, [_POINTER, _INT, _INT, ctypes.c_float]),
    "fluid_synth_unset_program": (_INT, [_POINTER, _INT]),
    "fluid_synth_noteon": (_INT, [_POINTER, _INT, _INT, _INT]),
    "fluid_synth_noteoff": (_INT, [_POINTER, _INT, _INT]),
    "fluid_synth_write_float": (_INT, [_POINTER, _INT, _POINTER, _INT, _INT, _POINTER, _INT, _INT]),
}
_FAILED = -1
_LOG_LEVELS = 5
_CHANNELS = 16
_FINE_TUNE = 52  # number of the generator fineTune (cents) in the SoundFont 2.01 specification, section 8.1.3


def _wheel_library() -> str | None:
    """FluidSynth inside the pygame-ce wheel, found without importing pygame."""
    spec = importlib.util.find_spec("pygame")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    folders = (package.parent / "pygame_ce.libs", package / ".dylibs", package)
    for folder in folders:
        for file in sorted(folder.glob("libfluidsynth*")):
            return str(file)
    return None


def find_library() -> str:
    """Path or name of the FluidSynth library.

    Raises
    ------
    FileNotFoundError
        If ``SFDATA_FLUIDSYNTH`` names no file, or the library is nowhere; says what to install.
    """
    chosen = os.environ.get("SFDATA_FLUIDSYNTH")
    if chosen:
        if not Path(chosen).is_file():
            raise FileNotFoundError(f"SFDATA_FLUIDSYNTH is {chosen!r}, where there is no file; expected libfluidsynth")
        return chosen
    found = ctypes.util.find_library("fluidsynth") or ctypes.util.find_library("libfluidsynth-3") or _wheel_library()
    if found is None:
        remedy = {
            "win32": "get FluidSynth 2 from its releases page and set SFDATA_FLUIDSYNTH to libfluidsynth-3.dll",
            "darwin": "run 'brew install fluid-synth' or 'pip install pygame-ce'",
        }.get(sys.platform, "run 'pip install pygame-ce', or install libfluidsynth3 by the system's packages")
        raise FileNotFoundError(f"the FluidSynth library was not found: {remedy}")
    return found


@lru_cache(maxsize=1)
def load_library() -> Any:
    """Load and declare the library, its messages to stderr silenced.

    Raises
    ------
    FileNotFoundError
        If it is nowhere, or cannot be loaded, or is older than FluidSynth 2.
    """
    path = find_library()
    try:
        library = ctypes.CDLL(path)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise FileNotFoundError(f"{path} cannot be used as FluidSynth 2: {error}") from error
    for level in range(_LOG_LEVELS):
        library.fluid_set_log_function(level, None, None)
    return library


def library_version() -> str:
    """FluidSynth's version; bytes of sound are the same only for the same version."""
    return str(load_library().fluid_version_str().decode())


class SynthHost:
    """Owns one soundfont and lends it to synths that live for one rendition each.

    A synth that has played does not repeat itself bit for bit; a fresh one does. Loading a font is slow, lending it
    to a fresh synth is not.

    Parameters
    ----------
    soundfont : str
        Path of an sf2 or sf3 file.
    sample_rate_hz : int
    gain : float
        FluidSynth's master gain.

    Raises
    ------
    ValueError
        If the soundfont cannot be loaded.
    """

    def __init__(self, soundfont: str, sample_rate_hz: int, gain: float) -> None:
        self.library = load_library()
        self.settings = self.library.new_fluid_settings()
        for name, value in {
            b"synth.reverb.active": 0,
            b"synth.chorus.active": 0,
            b"synth.dynamic-sample-loading": 1,
            b"synth.polyphony": 512,
            b"synth.cpu-cores": 1,
        }.items():
            self._set(self.library.fluid_settings_setint, name, value)
        self._set(self.library.fluid_settings_setnum, b"synth.sample-rate", float(sample_rate_hz))
        self._set(self.library.fluid_settings_setnum, b"synth.gain", gain)
        self.synth = self.library.new_fluid_synth(self.settings)
        self.soundfont = soundfont
        self.font_id = self.library.fluid_synth_sfload(self.synth, os.fsencode(soundfont), 0)
        if self.font_id == _FAILED:
            self._delete()
            raise ValueError(f"FluidSynth {library_version()} cannot load soundfont {soundfont}: expected sf2 or sf3")
        self.font = self.library.fluid_synth_get_sfont_by_id(self.synth, self.font_id)
        self.lock = threading.RLock()  # FluidSynth counts a font's borrowers without one
        self._held: set[tuple[int, int]] = set()

    def _set(self, function: Any, name: bytes, value: float) -> None:
        if function(self.settings, name, value) == _FAILED:
            self.library.delete_fluid_settings(self.settings)
            raise ValueError(f"FluidSynth {library_version()} does not take {name.decode()} = {value}")

    def preset_name(self, bank: int, program: int) -> str:
        """Name of a preset in the soundfont.

        Raises
        ------
        ValueError
            If the soundfont has no such preset.
        """
        preset = self.library.fluid_sfont_get_preset(self.font, bank, program)
        if not preset:
            raise ValueError(f"soundfont {self.soundfont} has no preset at bank {bank}, program {program}")
        return str(self.library.fluid_preset_get_name(preset).decode(errors="replace"))

    def lend(self, bank: int, program: int) -> "LentSynth":
        """A fresh synth with the preset chosen, to be used in a ``with`` statement."""
        with self.lock:
            self.preset_name(bank, program)
            if (bank, program) not in self._held and len(self._held) < 16:
                # The host plays the preset on a channel of its own, so its samples stay loaded between renditions.
                self.library.fluid_synth_program_select(self.synth, len(self._held), self.font_id, bank, program)
                self._held.add((bank, program))
        return LentSynth(self, bank, program)

    def _delete(self) -> None:
        self.library.delete_fluid_synth(self.synth)
        self.library.delete_fluid_settings(self.settings)

    def close(self) -> None:
        """Free the soundfont; the host must not be used any more."""
        self._delete()


class LentSynth:
    """A fresh synth that borrows its host's soundfont; calls go to MIDI channel 0."""

    def __init__(self, host: SynthHost, bank: int, program: int) -> None:
        self.host, self.bank, self.program = host, bank, program

    def __enter__(self) -> "LentSynth":
        with self.host.lock:
            return self._borrow()

    def _borrow(self) -> "LentSynth":
        library = self.host.library
        self.synth = library.new_fluid_synth(self.host.settings)
        for channel in range(_CHANNELS):  # else adding the font would load the first preset for all of them
            library.fluid_synth_unset_program(self.synth, channel)
        font_id = library.fluid_synth_add_sfont(self.synth, self.host.font)
        if library.fluid_synth_program_select(self.synth, 0, font_id, self.bank, self.program) == _FAILED:
            self.__exit__()
            raise ValueError(f"{self.host.soundfont}: preset {self.bank}:{self.program} cannot be selected")
        return self

    def __exit__(self, *_: object) -> None:
        with self.host.lock:
            self.host.library.fluid_synth_remove_sfont(self.synth, self.host.font)
            self.host.library.delete_fluid_synth(self.synth)

    def tune(self, cents: float) -> None:
        """Shift the pitch of everything struck from now on; adds to the soundfont's own tuning.

        Raises
        ------
        ValueError
            If FluidSynth refuses it.
        """
        if self.host.library.fluid_synth_set_gen(self.synth, 0, _FINE_TUNE, cents) == _FAILED:
            raise ValueError(f"FluidSynth {library_version()} does not take a tuning of {cents} cents")

    def note_on(self, pitch: int, velocity: int) -> None:
        """Strike a key; takes effect at the next 64-sample step."""
        self.host.library.fluid_synth_noteon(self.synth, 0, pitch, velocity)

    def note_off(self, pitch: int) -> None:
        """Lift a key; takes effect at the next 64-sample step."""
        self.host.library.fluid_synth_noteoff(self.synth, 0, pitch)

    def write(self, stereo_address: int, channel_bytes: int, samples: int) -> None:
        """Write float32 samples, left and right channel `channel_bytes` apart, from an address on."""
        failed = self.host.library.fluid_synth_write_float(
            self.synth, samples, stereo_address, 0, 1, stereo_address + channel_bytes, 0, 1
        )
        if failed:
            raise ValueError(f"FluidSynth failed to synthesise {samples} samples")
