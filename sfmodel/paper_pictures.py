"""Pictures of the page about the paper: counterparts of its Figs. 2 to 8."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sfdata.files import write_atomically
from sfmodel.evaluation import EvaluationResult
from sfmodel.figures import GREY, distance_distribution, distances, png_bytes, training_curves
from sfmodel.paper import Run


class Pictures:
    """Draws pictures into a folder, and gives the Markdown that shows them.

    Parameters
    ----------
    root : Path
        Folder of the page.
    folder : Path
        Of the pictures, relative to it.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder

    def curves(self, name: str, run: Run, caption: str) -> str:
        """Loss and hit rates over the epochs, with a mark where a phase begins."""
        log = run.log()
        frames = int(run.config()["network"]["reference_frames"])

        def draw() -> Figure:
            figure = training_curves(log, frames)
            for begin in np.flatnonzero(np.diff(log["phase"])) + 1:
                for axes in figure.axes:
                    axes.axvline(log["epoch"][begin] - 0.5, color=GREY, linewidth=1)
                figure.axes[-1].annotate(
                    f"phase {log['phase'][begin]:.0f}",
                    (log["epoch"][begin] - 0.5, 0),
                    xytext=(4, 4),
                    textcoords="offset points",
                    fontsize=8,
                    color=GREY,
                )
            return figure

        return self._save(name, draw, caption)

    def distances(self, name: str, results: Mapping[str, EvaluationResult], caption: str) -> str:
        """Distance of each prediction to the truth, onset by onset."""
        return self._save(name, lambda: distances(results), f"{caption}, distance of each onset's prediction")

    def distribution(self, name: str, results: Mapping[str, EvaluationResult], caption: str) -> str:
        """Distribution of these distances."""
        return self._save(name, lambda: distance_distribution(results), f"{caption}, distribution of the distances")

    def _save(self, name: str, draw: Callable[[], Figure], caption: str) -> str:
        path = self.folder / f"{name}.png"
        (self.root / self.folder).mkdir(parents=True, exist_ok=True)
        write_atomically(self.root / path, png_bytes(draw()))
        return f"![{caption}]({path.as_posix()})\n\n*{caption}.*"
