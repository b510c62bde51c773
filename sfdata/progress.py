"""Progress: what long steps tell of themselves, and bars for the terminal.

A step calls ``progress(step, done, total)``; rendering adds a mapping with ``audio_s`` and ``total_audio_s``, the
seconds of sound that are made and that there will be, and ``skipped``, how many files could not be used.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tqdm import tqdm

Progress = Callable[..., None]
SOUND_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} pieces in {elapsed}{postfix}"


class _Bar:
    def __init__(self, step: str, done: int, total: int) -> None:
        self.bar = tqdm(total=total, initial=done, desc=step, unit=" files", disable=None)
        self.began, self.first_s = time.monotonic(), -1.0

    def update(self, done: int, sound: Mapping[str, float] | None) -> None:
        if sound:
            rendered, total = sound["audio_s"], sound["total_audio_s"]
            if self.first_s < 0:
                self.first_s, self.bar.bar_format = rendered, SOUND_BAR
            speed = (rendered - self.first_s) / max(time.monotonic() - self.began, 1e-9)
            text = f"{rendered / 3600:.2f} of {total / 3600:.2f} h of sound"
            if speed > 0:
                left = (total - rendered) / speed
                text += f", {speed:.0f} × real time, {tqdm.format_interval(left)} left"
            if sound.get("skipped"):
                text += f", {sound['skipped']:.0f} skipped"
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
