"""Pictures of the page about the paper: counterparts of its Figs. 2 to 8."""

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from sfdata.files import write_atomically
from sfmodel.evaluation import EvaluationResult
from sfmodel.figures import distances, png_bytes
from sfmodel.paper import Run
from sfmodel.paper_figures import bucket_distances, paper_curves


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

    def curves(self, name: str, run: Run, caption: str, printed: Mapping[str, float]) -> str:
        """Loss and hit rates over the epochs, with a mark where a phase begins, and the paper's accuracies."""
        log = run.log()
        frames = int(run.config()["network"]["reference_frames"])
        return self._save(name, lambda: paper_curves(log, frames, printed), caption)

    def distances(self, name: str, results: Mapping[str, EvaluationResult], caption: str) -> str:
        """Distance of each prediction to the truth, onset by onset."""
        return self._save(name, lambda: distances(results), f"{caption}, distance of each onset's prediction")

    def distribution(self, name: str, results: Mapping[str, EvaluationResult], caption: str) -> str:
        """Distribution of the distances to bucket 1 and bucket 2."""
        told = "distances of the predictions to bucket 1, and to the nearer frame of bucket 2"
        return self._save(name, lambda: bucket_distances(results), f"{caption}, {told}")

    def _save(self, name: str, draw: Callable[[], Figure], caption: str) -> str:
        path = self.folder / f"{name}.png"
        (self.root / self.folder).mkdir(parents=True, exist_ok=True)
        write_atomically(self.root / path, png_bytes(draw()))
        return f"![{caption}]({path.as_posix()})\n\n*{caption}.*"
