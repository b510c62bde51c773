"""Where a build's CPU time goes, by steps.

A signal interrupts the program every two milliseconds of CPU time; what passed since the last one is booked to the step
that the main thread is in. Long calls into C delay a signal, and are booked in full when they end. Functions are looked
for in the stack by their files, not by who calls whom, so steps may be rearranged.
"""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import sfdata

STEPS = {
    "midi": "reading MIDI",
    "voices": "planning",
    "separation": "planning",
    "augment": "planning",
    "operations": "planning",
    "notes": "planning",
    "fingerprint": "planning",
    "plan": "planning",
    "casting": "planning",
    "naming": "planning",
    "similarity": "works and splits",
    "splits": "works and splits",
    "fluidsynth": "synthesis",
    "render": "synthesis",
    "sound": "effects",
    "effects": "effects",
    "rooms": "effects",
    "noise": "effects",
    "filters": "effects",
    "spectrogram": "spectrogram",
    "pairs": "pairs and tables",
    "tables": "pairs and tables",
    "windows": "pairs and tables",
    "wip": "noting what is done",
}
PACKAGE = Path(sfdata.__file__).parent
STEP_OF_FILE = {str(PACKAGE / f"{name}.py"): step for name, step in STEPS.items()}
ARRAY_FILE = "/zarr/core/array.py"
WHOLE = {"write_tables": "pairs and tables", "open_store": "pairs and tables", "create_frames": "laying out the store"}


def step_of(frame: FrameType | None) -> str:
    """The step that a stack is in: the innermost function that belongs to one, unless it is within a whole step."""
    step = ""
    while frame is not None:
        code = frame.f_code
        if code.co_name in WHOLE and code.co_filename.startswith(str(PACKAGE)):
            return WHOLE[code.co_name]
        if not step:
            if code.co_filename in STEP_OF_FILE:
                step = STEP_OF_FILE[code.co_filename]
            elif code.co_name in ("array_sha256", "file_sha256"):
                step = "checksums"
            elif code.co_filename.endswith(ARRAY_FILE) and code.co_name == "__setitem__":
                step = "compressing and writing"
            elif code.co_filename.endswith(ARRAY_FILE) and code.co_name == "__getitem__":
                step = "reading back"
        frame = frame.f_back
    return step or "rest"


@contextmanager
def profiled() -> Iterator[Counter[str]]:
    """CPU seconds by step of what is done meanwhile in this process; the counter is filled when it ends."""
    seconds: Counter[str] = Counter()
    last = time.process_time()

    def book(_: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.process_time()
        seconds[step_of(frame)] += now - last
        last = now

    before = signal.signal(signal.SIGPROF, book)
    signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
    try:
        yield seconds
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
