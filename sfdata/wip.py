"""Work in progress: the folder ``STORE.wip`` in which a build keeps what it needs to go on after any end.

It holds ``content.json`` (everything the store's bytes depend on), ``store`` (the store so far) and ``done`` (of each
piece that is finished its facts and its rows of the tables). A store elsewhere (``s3://`` and the like, where nothing
can be renamed) is written in its own place, and is no store before its attributes are written last.
"""

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfdata.place import Place

CONTENT = "content.json"
_OWN = {CONTENT, "store", "done", "old", "builder.json"}
_UNFINISHED = ".partial"  # how Zarr's files end that were being written
_SUFFIX = ".wip"
_TOLD = 3


class WorkInProgress:
    """The folder of a build under way.

    Parameters
    ----------
    target : Place
    content : dict
        As JSON gives it back: everything that the store's bytes depend on.
    create : callable
        Called with the place of a new, empty store to be.

    Attributes
    ----------
    folder, store : Place

    Raises
    ------
    ValueError
        If the folder holds a build of other content, or something that is no build.
    """

    def __init__(self, target: Place, content: dict[str, Any], create: Callable[[Place], None]) -> None:
        self.target, self.folder = target, target.beside(_SUFFIX)
        self.store = store_under_way(self.folder)
        there = self.folder.read(CONTENT)
        if there is not None and self.store.exists():
            differing = _differences(json.loads(there), content)
            if differing:
                more = f", and {len(differing) - _TOLD} more" if len(differing) > _TOLD else ""
                raise ValueError(
                    f"{self.folder} holds an interrupted build of other sources, sounds, settings or software "
                    f"versions ({'; '.join(differing[:_TOLD])}{more}); finish that one with what began it, or delete "
                    f"{self.folder}"
                )
            return
        foreign = sorted(name for name in self.folder.names() - _OWN if not name.startswith(f".{CONTENT}."))
        if foreign:
            raise ValueError(f"{self.folder} is in the way and holds {foreign[0]!r}, which is no build; move it away")
        # Interrupted before anything was noted, or after the store got its name.
        for name in ("store", "done", "old") if target.is_local else ("done",):
            (self.folder / name).remove()
        (self.folder / "done").make()
        create(self.store)
        self.folder.write(CONTENT, json.dumps(content, sort_keys=True).encode())

    def done(self) -> dict[int, dict[str, Any]]:
        """What was noted of the pieces that are finished, by their numbers."""
        place = self.folder / "done"
        found = {}
        for name in place.names():
            number, _, kind = name.partition(".")
            if kind == "json" and number.isdecimal():
                found[int(number)] = json.loads(place.read(name) or b"{}")
        return found

    def rows(self, index: int) -> dict[str, NDArray[Any]]:
        """A finished piece's rows of the tables, as given to :func:`note_done`."""
        content = (self.folder / "done").read(f"{index}.npz")
        if content is None:
            raise ValueError(f"{self.folder}: the rows of piece {index} are gone; delete the folder and build again")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def finish(self) -> None:
        """Give the store its name, in place of one that is there, and remove the folder."""
        if self.target.is_local:
            for path in self.store.path.rglob(f"*{_UNFINISHED}"):  # of writers that were killed
                path.unlink()
            if self.target.exists():
                os.replace(self.target.path, (self.folder / "old").path)
            os.replace(self.store.path, self.target.path)
        for name in ("done", "old"):  # what tells that the store is whole goes last
            (self.folder / name).remove()
        self.folder.remove()


def named_already(target: Place) -> bool:
    """Whether a build ended after its store got its name, and before its folder was removed."""
    folder = target.beside(_SUFFIX)
    return target.is_local and target.exists() and folder.read(CONTENT) is not None and "store" not in folder.names()


def remove_left_over(target: Place) -> None:
    """Remove the folder of a build whose store has its name; a folder of another kind stays."""
    folder = target.beside(_SUFFIX)
    if folder.read(CONTENT) is not None:
        folder.remove()


def recover(target: Place) -> None:
    """Put a store back that was to be replaced, where its replacement did not get its name."""
    old = target.beside(_SUFFIX) / "old"
    if target.is_local and not target.exists() and old.exists():
        os.replace(old.path, target.path)


def store_under_way(folder: Place) -> Place:
    """Where the store is that is built with the help of a folder of work in progress."""
    return folder / "store" if folder.is_local else Place(folder.url.removesuffix(_SUFFIX))


def note_done(folder: Place, index: int, facts: dict[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
    """Note that a piece is finished: its rows, then, which makes it count, its facts."""
    buffer = io.BytesIO()
    np.savez(buffer, **rows)  # type: ignore[arg-type]
    done = folder / "done"
    done.write(f"{index}.npz", buffer.getvalue())
    done.write(f"{index}.json", json.dumps(facts).encode())


def _differences(there: Any, here: Any) -> list[str]:
    """Where two contents differ, in words, soundfonts first: they change unseen."""
    found = list(_walk(there, here, ""))
    return sorted(found, key=lambda text: not text.startswith("soundfonts"))


def _walk(there: Any, here: Any, name: str) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(set(there) | set(here)):
            yield from _walk(there.get(key), here.get(key), f"{name}.{key}" if name else str(key))
    elif there != here:
        yield f"{name}: {_short(there)} there, {_short(here)} now"


def _short(value: Any) -> str:
    text = json.dumps(value) if value is not None else "nothing"
    return text if len(text) <= 60 else text[:57] + "…"
