"""Recipes and remarks without the places where files lay: the same build on any machine, and nobody's home in it.

Folders and files are called by their base name. Where two that differ have the same, those after the first get a
number before it, as a folder of that number would: ``midi``, ``2/midi``.
"""

import posixpath
import re
from collections.abc import Mapping
from typing import Any

SHIPPED_PREFIX = "shipped:"
SOURCE_PATHS = ("midi", "metadata", "aligned", "maps", "references", "snippets")
_POOLS = ("references", "snippets", "test_references", "test_snippets")
_FOLDERS = re.compile(r"(?<![\w:/.\\~])~?/(?:[^/\s'\"]+/)*")


def portable(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Make a copy of a stored recipe that names files and folders without where they lie; it may be taken again.

    Examples
    --------
    >>> portable({"sources": [{"midi": "/home/me/bach"}, {"midi": "../bach"}, {"midi": "."}]})["sources"]
    [{'midi': 'bach'}, {'midi': '2/bach'}, {'midi': 'midi'}]
    """
    names = _Names()
    told = dict(recipe)
    if "sources" in told:
        told["sources"] = [
            {key: names.of(value, key) if key in SOURCE_PATHS else value for key, value in source.items()}
            for source in told["sources"]
        ]
    if told.get("sound"):
        told["sound"] = _sound(told["sound"], names)
    if told.get("maps"):
        told["maps"] = _maps(told["maps"], names)
    if told.get("instruments"):
        pools = {side: pool for side, pool in told["instruments"].items() if side in _POOLS}
        own = {side: [names.instrument(text) for text in pool] for side, pool in pools.items()}
        told["instruments"] = {**told["instruments"], **own}
    return told


def portable_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """A store's attributes with portable recipes and remarks: those of stores made now are so already."""
    told = {**attrs, "recipe": portable(attrs["recipe"])}
    if "skipped" in told:
        told["skipped"] = [{**entry, "reason": without_folders(str(entry["reason"]))} for entry in told["skipped"]]
    if "appended_to" in told:
        told["appended_to"] = [{**entry, "recipe": portable(entry["recipe"])} for entry in told["appended_to"]]
    return told


def without_folders(text: str) -> str:
    """Text with the base names of what it tells by absolute paths.

    Examples
    --------
    >>> without_folders("/home/me/bach/1.mid holds no notes; see https://example.org/a/b")
    '1.mid holds no notes; see https://example.org/a/b'
    """
    return _FOLDERS.sub("", text)


class _Names:
    """Names of paths, each its own."""

    def __init__(self) -> None:
        self._by_path: dict[str, str] = {}

    def of(self, path: str, kind: str) -> str:
        """Name of a path; of one that names nothing itself, such as ``..``, what it is."""
        if not path or path.startswith(SHIPPED_PREFIX):
            return path
        path = posixpath.normpath(path.replace("\\", "/"))
        if path not in self._by_path:
            base = posixpath.basename(path)
            base = kind if base in ("", ".", "..") else base
            taken, name, number = set(self._by_path.values()), base, 1
            while name in taken:
                number += 1
                name = f"{number}/{base}"
            self._by_path[path] = name
        return self._by_path[path]

    def instrument(self, text: str) -> str:
        """Name of an instrument, of which only a path tells where it lies."""
        if "/" in text or "\\" in text:
            return self.of(text, "soundfont")
        return self._by_path.setdefault(text, text)


def _sound(sound: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    room = sound.get("room")
    if not room or not room.get("folder"):
        return dict(sound)
    return {**sound, "room": {**room, "folder": names.of(room["folder"], "rooms")}}


def _maps(maps: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    told = dict(maps)
    if told.get("references"):
        told["references"] = names.instrument(told["references"])
    if told.get("stand_ins"):
        told["stand_ins"] = {
            code: {
                **one,
                "soundfont": names.instrument(one["soundfont"]),
                **({"sound": _sound(one["sound"], names)} if one.get("sound") else {}),
            }
            for code, one in told["stand_ins"].items()
        }
    return told
