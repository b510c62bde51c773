"""Progress: what long steps tell of themselves, and bars for the terminal.

A step calls ``progress(step, done, total)``; rendering adds a mapping with ``audio_s`` and ``total_audio_s``, the
seconds of sound that are made and that there will be.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tqdm import tqdm

Progress = Callable[..., None]


class _Bar:
    def __init__(self, step: str, done: int, total: int) -> None:
        self.bar = tqdm(total=total, initial=done, desc=step, unit=" files", disable=None)
        self.began = time.monotonic()
        self.first_s: float | None = None

    def update(self, done: int, sound: Mapping[str, float] | None) -> None:
        if sound:
            rendered, total = sound["audio_s"], sound["total_audio_s"]
            self.first_s = rendered if self.first_s is None else self.first_s
            speed = (rendered - self.first_s) / max(time.monotonic() - self.began, 1e-9)
            text = f"{rendered / 3600:.2f} of {total / 3600:.2f} h of sound"
            if speed > 0:
                left = (total - rendered) / speed
                text += f", {speed:.0f} × real time, {tqdm.format_interval(left)} left"
            self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(done - self.bar.n)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Give a function that draws one bar a step on standard error; nothing where that is no terminal."""
    bars: dict[str, _Bar] = {}

    def progress(step: str, done: int, total: int, sound: Mapping[str, float] | None = None) -> None:
        if step not in bars:
            bars[step] = _Bar(step, done, total)
        bars[step].update(done, sound)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.bar.close()
