"""Work in progress: the folder ``STORE.wip`` in which a store is built before it gets its name.

It holds ``fingerprint`` (of everything the store's bytes depend on), ``store`` (the store so far) and ``done`` (one
file for each piece that is finished). Only one build may work on a target: a lock that ends with its process, however
it ends, lies beside it.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfdata.files import write_atomically

_OWN = {"fingerprint", "store", "done", "old"}


@contextmanager
def only_builder(output: Path) -> Iterator[None]:
    """Keep other builds off a target while this one works.

    Raises
    ------
    ValueError
        If another build works on it.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    path = output.with_name(f".{output.name}.lock")
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise ValueError(f"another build is writing {output}; wait for it, or choose another name") from None
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(handle).st_ino:
                break
        os.close(handle)  # its owner removed it between our opening and locking it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


class WorkInProgress:
    """The folder of a build under way.

    Parameters
    ----------
    output : Path
        The target.
    content : dict
        JSON-able: everything that the store's bytes depend on.
    create : callable
        Called with the path of a new, empty store to be.

    Raises
    ------
    ValueError
        If the folder holds a build of other content, or something that is no build.
    """

    def __init__(self, output: Path, content: dict[str, Any], create: Callable[[Path], None]) -> None:
        self.output = output.absolute()  # workers may have another working directory
        self.folder = self.output.with_name(output.name + ".wip")
        self.store = self.folder / "store"
        fingerprint = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        marker = self.folder / "fingerprint"
        if marker.is_file() and self.store.is_dir():
            if marker.read_text() != fingerprint:
                raise ValueError(
                    f"{self.folder} holds an interrupted build of other sources, sounds, settings or software "
                    "versions; finish that one with what began it, or delete the folder"
                )
            return
        if self.folder.exists():
            names = {entry.name for entry in self.folder.iterdir()}
            foreign = sorted(name for name in names - _OWN if not name.startswith(".fingerprint."))
            if foreign:
                raise ValueError(
                    f"{self.folder} is in the way and holds {foreign[0]!r}, which is no build; move it away"
                )
            shutil.rmtree(self.folder)  # interrupted before anything was noted, or after the store got its name
        (self.folder / "done").mkdir(parents=True)
        create(self.store)
        write_atomically(marker, fingerprint.encode())

    def done(self, index: int) -> Any:
        """What was noted of a piece; None where it is not finished."""
        marker = self.folder / "done" / f"{index}.json"
        return json.loads(marker.read_text()) if marker.is_file() else None

    def finish(self) -> None:
        """Give the store its name, in place of one that is there, and remove the folder."""
        if self.output.exists():
            os.replace(self.output, self.folder / "old")
        os.replace(self.store, self.output)
        shutil.rmtree(self.folder)


def note_done(folder: Path, index: int, made: Any) -> None:
    """Note that a piece is finished; `folder` is :attr:`WorkInProgress.folder`."""
    write_atomically(folder / "done" / f"{index}.json", json.dumps(made).encode())
