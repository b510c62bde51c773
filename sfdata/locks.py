"""Locks: only one build at a time works on a target.

On this machine a lock is held by the operating system and ends with its process, however that ends. Elsewhere a lease
lies beside the target: a small file that the builder renews, and that counts for nothing once it is a minute old.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sfdata.place import Place

LEASE = "builder.json"
LEASE_S = 60.0
RENEWED_EVERY_S = 10.0
_SETTLING_S = 1.0  # in which whoever took the lease at the same moment has overwritten it

logger = logging.getLogger(__name__)


class TakenError(ValueError):
    """Somebody else works on the target."""


@contextmanager
def only_builder(target: Place) -> Iterator[None]:
    """Keep other builds off a target while this one works, and say what to do where its disk fails.

    Raises
    ------
    TakenError
        If another build works on it; a ValueError.
    OSError
        If there is no room left, or it cannot be written.
    """
    try:
        with _file_lock(target) if target.is_local else _lease(target):
            yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = f"{error.strerror}; free some room"
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            why = f"{error.strerror}; see to it, or choose another place"
        else:
            raise
        raise OSError(f"{target} cannot be written: {why}, and the same command goes on from what is done") from error


def _taken(target: Place, by: str = "") -> TakenError:
    return TakenError(f"another build{by} is writing {target}; wait for it, or choose another name")


@contextmanager
def _file_lock(target: Place) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    folder = target.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{target} cannot be written: {folder}, or what it lies in, is not a folder") from None
    path = folder / f".{target.name}.lock"
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise _taken(target) from None
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(handle).st_ino:
                break
        os.close(handle)  # its owner removed it between our opening and locking it
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def _lease(target: Place) -> Iterator[None]:
    place, own = target.beside(".wip"), uuid.uuid4().hex
    mine = {"token": own, "host": socket.gethostname(), "process": os.getpid()}

    def holder() -> dict[str, object]:
        content = place.read(LEASE)
        try:
            held = json.loads(content) if content else {}
        except ValueError:
            held = {}
        return held if isinstance(held, dict) else {}

    def renew() -> None:
        place.write(LEASE, json.dumps({**mine, "until": time.time() + LEASE_S}).encode())

    held = holder()
    until = held.get("until", 0)
    if isinstance(until, int | float) and until > time.time():
        raise _taken(target, f" (process {held.get('process')} on {held.get('host')})")
    renew()
    time.sleep(_SETTLING_S)
    if holder().get("token") != own:
        raise _taken(target)
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(RENEWED_EVERY_S):
            try:
                renew()
            except Exception as error:  # the store itself may still be reached; the next renewal may work
                logger.warning("the lease on %s could not be renewed: %s", target, error)

    keeper = threading.Thread(target=keep, name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        place.delete(LEASE)
