"""Sharing: a store as one zip file, with all that others need to trust, cite, build and pass on.

The folder is made beside its name and renamed when whole. The same store gives the same bytes, but for the date.
"""

import datetime
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from sfdata.card import attribution, citation, dataset_card, licence_text, piece_licences
from sfdata.croissant import croissant
from sfdata.info import info
from sfdata.permissions import permission_of, refuse_forbidden
from sfdata.progress import Progress
from sfdata.share_audio import write_audio
from sfdata.store import Store, open_store
from sfdata.validate import refuse_invalid
from sfdata.whole_folder import folder_size, list_files, refuse_existing, whole_folder
from sfdata.zipped import write_zip

_PATHS = ("midi", "aligned", "maps", "references", "snippets", "metadata")  # keys of a recipe's sources


@dataclass(frozen=True)
class Shared:
    """What :func:`share` made: the folder, its files, bytes, licences, and what to know before handing it on."""

    folder: str
    files: int
    bytes: int
    licences: tuple[str, ...]
    remarks: tuple[str, ...]


def share(
    path: str | Path,
    folder: str | Path,
    *,
    name: str = "",
    allow_noncommercial: bool = False,
    audio: bool = False,
    overwrite: bool = False,
    date: str = "",
    progress: Progress | None = None,
) -> Shared:
    """Make a store ready to be handed on.

    Parameters
    ----------
    path : path
        A store on this machine, a folder.
    folder : path
        Is made: the store as ``NAME.zarr.zip``, ``README.md`` (dataset card), ``croissant.json``, ``index.json`` (in
        mirdata's manner), ``LICENSE``, ``ATTRIBUTION.md``, ``CITATION.cff``, ``recipe.toml``, ``build.json``, and
        ``SHA256SUMS`` of them all.
    name : str
        Of the dataset; the store's name without its ending by default.
    allow_noncommercial : bool
        Whether parts that may not be used commercially are wanted.
    audio : bool
        Add FLACs of the renditions with their notes.
    overwrite : bool
        Replace a folder that :func:`share` has made.
    date : str
        ISO date of publishing; today's by default.
    progress : callable, optional

    Returns
    -------
    Shared

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If it is not valid, a licence forbids it, or the folder is there already.
    """
    folder, store = Path(folder), open_store(path)
    if not store.place.is_local or store.place.is_zip:
        raise ValueError(f"{path} is no folder of this machine; a store that was pulled is shared as it came")
    refuse_existing(folder, overwrite)
    permission = permission_of(store)
    refuse_forbidden(permission, str(path), allow_noncommercial)
    refuse_invalid(path)
    name, date = name or store.place.name.removesuffix(".zarr"), date or datetime.date.today().isoformat()
    with whole_folder(folder, overwrite) as scratch:
        file = f"{name}.zarr.zip"
        write_zip(store.place.path, scratch / file)
        sounds = write_audio(store, scratch / "audio", progress) if audio else 0
        facts, build = info(path), _build_facts(store, name)
        texts = {
            "README.md": dataset_card(name, file, facts, permission, build["command"], sounds),
            "LICENSE": licence_text(permission),
            "ATTRIBUTION.md": attribution(permission),
            "CITATION.cff": citation(name, piece_licences(permission), date, _credited(permission.credits)),
            "recipe.toml": recipe_toml(store.attrs["recipe"]),
            "build.json": json.dumps(build, indent=1, ensure_ascii=False) + "\n",
        }
        for target, text in texts.items():
            (scratch / target).write_text(text, encoding="utf-8")
        _write_json(scratch / "index.json", _index(scratch))
        described = {p: (size, sha256) for p, (size, sha256) in list_files(scratch).items() if p != "index.json"}
        told = f"{facts['pairs']} pairs for score following, of {facts['pieces']} pieces, as a Zarr store"
        cite = f"{name} ({date}), made with sfdata; credits in ATTRIBUTION.md"
        creators = ["The makers of this dataset", *_credited(permission.credits)]
        _write_json(
            scratch / "croissant.json",
            croissant(
                name, told, permission.licences, creators, described, cite, date, "https://pypi.org/project/sfdata/"
            ),
        )
    return Shared(str(folder), *folder_size(folder), permission.licences, permission.remarks)


def _build_facts(store: Store, name: str) -> dict[str, Any]:
    """How to build it again: the command, and what must be the same for the same bytes."""
    pieces = store.pieces
    folders = {
        value
        for source in _portable(store.attrs["recipe"])["sources"]
        for key, value in source.items()
        if key in _PATHS and value and not str(value).startswith("shipped:")
    }
    return {
        "command": f"sfdata build recipe.toml -o {shlex.quote(name + '.zarr')}",
        "put_beside_recipe": sorted(folders),  # known by their checksums below
        "seed": store.attrs["seed"],
        "build_sha256": store.attrs.get("build_sha256", ""),
        "software": store.attrs.get("software", {}),
        "pieces": {str(file): str(sha) for file, sha in zip(pieces["file"], pieces["sha256"], strict=True)},
        "soundfonts": {
            str(name): str(sha)
            for name, sha in zip(store.instruments["name"], store.instruments["sha256"], strict=True)
            if sha
        },
    }


def recipe_toml(recipe: Mapping[str, Any]) -> str:
    """Write a store's recorded recipe as TOML, its sources beside it."""
    return tomli_w.dumps(_without_none(_portable(recipe)))


def _portable(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with its sources beside it: where they lay on the maker's machine means nothing elsewhere."""
    sources = []
    for number, source in enumerate(recipe.get("sources", [])):
        suffix = f"-{number + 1}" if number else ""
        beside = {
            key: f"{key}{suffix}" for key in _PATHS if source.get(key) and not str(source[key]).startswith("shipped:")
        }
        sources.append({**source, **beside})
    return {**recipe, "sources": sources}


def _credited(credits: Any) -> list[str]:
    return sorted({credit.attribution for credit in credits if credit.of == "piece" and credit.attribution})


def _without_none(value: Any) -> Any:
    """What TOML can say: no value there is nothing here."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value if item is not None]
    return value


def _index(folder: Path) -> dict[str, Any]:
    """Mirdata's index: metadata files, and a track for each sound with its notes; [path, md5] each."""

    def entry(path: Path) -> list[str]:
        with path.open("rb") as file:
            return [path.relative_to(folder).as_posix(), hashlib.file_digest(file, "md5").hexdigest()]

    tracks = {
        sound.stem: {"audio": entry(sound), "notes": entry(sound.with_suffix(".notes.csv"))}
        for sound in sorted((folder / "audio").glob("*.flac"))
    }
    metadata = {path.name: entry(path) for path in sorted(folder.iterdir()) if path.is_file()}
    return {"version": "1.0", "metadata": metadata, "tracks": tracks}


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
