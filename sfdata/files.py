"""Files: whether the folder for them is there, and writing them whole or not at all."""

import os
from pathlib import Path


def check_folder(folder: Path, what: str = "folder") -> None:
    """Check that a folder to read is there.

    Parameters
    ----------
    folder : Path
    what : str
        Its name in the error.

    Raises
    ------
    FileNotFoundError
        If it is not there, or is no folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no {what} at {folder}")


def check_folder_of(path: Path | None) -> None:
    """Check that the folder which a file goes into is there; of no path there is nothing to check.

    Raises
    ------
    FileNotFoundError
        If it is not there, or is no folder.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}; make it first")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it sees the old content or the new, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
