"""The tutorial runs as it stands, and prints what it shows."""

import os
import re
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "tutorial.ipynb"


def printed(notebook) -> list[str]:
    """What each cell printed, numbers aside."""
    cells = (cell.get("outputs", []) for cell in notebook.cells)
    texts = ("".join(output.get("text", "") for output in outputs) for outputs in cells)
    return [re.sub(r"-?\d[\d.]*", "#", re.sub(r" +", " ", text)) for text in texts]


@pytest.mark.slow
def test_it_runs_and_prints_what_it_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1]), os.environ.get("PYTHONPATH", "")]))
    held = nbformat.read(NOTEBOOK, 4)
    shown, pictures = printed(held), str(held).count("image/png")
    nbclient.NotebookClient(held, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert printed(held) == shown
    assert str(held).count("image/png") == pictures == 2
