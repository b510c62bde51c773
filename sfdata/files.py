"""Files: whether the folder for them is there, whether they differ, and writing them whole or not at all."""

import os
from collections.abc import Mapping
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


def check_different(paths: Mapping[str, Path | None]) -> None:
    """Check that no two files are the same one, so that none is written over another.

    Parameters
    ----------
    paths : mapping of str to Path
        What each is, for the error; None is none.

    Raises
    ------
    ValueError
        If two are, whether by their names or by links.
    """
    known: dict[Path, str] = {}
    for what, path in paths.items():
        if path is None:
            continue
        real = path.resolve()
        if real in known:
            raise ValueError(f"{path} is to be {known[real]} and {what}; expected different files")
        known[real] = what


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it sees the old content or the new, also after a power cut.

    Raises
    ------
    OSError
        If it cannot be written; of the class that the system's error has.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:  # which names the temporary file
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)
