"""The folder of a training run: what is written there when; see :mod:`sfmodel.checkpoint` for the files."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sfmodel.checkpoint import (
    CONFIG_FILE,
    LOG_FILE,
    RESUME_FILE,
    WEIGHTS_FILES,
    refuse_differences,
    save_weights,
    write_config,
)
from sfmodel.networks import Network
from sfmodel.progress import Progress, Row, save_state, write_log


class RunFolder:
    """Where a run leaves its files.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, config: Mapping[str, Any], resume: bool, overwrite: bool) -> bool:
        """Make the folder ready for a run; whether there is a state to go on from.

        Raises
        ------
        ValueError
            If it holds something else, or another run.
        """
        path = self.path
        if path.exists() and not path.is_dir():
            raise ValueError(f"{path} is a file; expected a folder for the run, or a name that is free")
        if (path / "zarr.json").exists():
            raise ValueError(f"{path} is a store; take another folder for the run")
        path.mkdir(parents=True, exist_ok=True)
        if (path / CONFIG_FILE).exists() and not overwrite:
            if not resume:
                raise ValueError(f"{path} holds a run already; take --resume, --overwrite or another folder")
            refuse_differences(path, config)
            return (path / RESUME_FILE).exists()
        for name in (CONFIG_FILE, RESUME_FILE, LOG_FILE, *WEIGHTS_FILES.values()):
            (path / name).unlink(missing_ok=True)
        shutil.rmtree(path / "tensorboard", ignore_errors=True)
        return False

    def write_config(self, config: Mapping[str, Any], history: list[Row]) -> None:
        """Write the settings, and the log as far as it goes."""
        write_config(self.path, config)
        write_log(self.path, history)

    def save_epoch(self, network: Network, history: list[Row], best: bool) -> None:
        """Write the weights of an epoch, as the best ones too if they are, and the log."""
        row = history[-1]
        if best:
            save_weights(self.path / WEIGHTS_FILES["best"], network, row)
        save_weights(self.path / WEIGHTS_FILES["last"], network, row)
        write_log(self.path, history)

    def save_state(self, network: Network, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
        """Write all that going on needs."""
        save_state(self.path, network, optimiser, progress)
