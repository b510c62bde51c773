"""Sharing: a store as one zip file, with all that others need to trust, cite, build and pass on.

The folder is made beside its name and renamed when whole. The same store gives the same bytes, but for the date.
"""

import datetime
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfdata.card import attribution, citation, dataset_card, licence_text, piece_licences
from sfdata.croissant import croissant
from sfdata.info import info
from sfdata.permissions import permission_of, refuse_forbidden
from sfdata.portable import portable_attrs
from sfdata.progress import Progress
from sfdata.rebuild import rebuild_of
from sfdata.share_audio import write_audio
from sfdata.store import Store, open_store
from sfdata.validate import refuse_invalid
from sfdata.whole_folder import check_name, folder_size, list_files, refuse_existing, refuse_inside, whole_folder
from sfdata.zipped import write_zip

MARKER = "build.json"


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
        If it is not valid, a licence forbids it, the folder is there already or lies in the store, or name or date
        cannot be one.
    """
    folder, store = Path(folder), open_store(path)
    if not store.place.is_local or store.place.is_zip:
        raise ValueError(f"{path} is no folder of this machine; a store that was pulled is shared as it came")
    name = check_name(name or store.place.name.removesuffix(".zarr"))
    date = _iso_date(date) if date else datetime.date.today().isoformat()
    refuse_existing(folder, overwrite, MARKER)
    refuse_inside(folder, store.place.path)
    permission = permission_of(store)
    refuse_forbidden(permission, str(path), allow_noncommercial)
    refuse_invalid(path)
    with whole_folder(folder, overwrite, MARKER) as scratch:
        file = f"{name}.zarr.zip"
        write_zip(store.place.path, scratch / file, {"zarr.json": _root_metadata(store)})
        sounds = write_audio(store, scratch / "audio", progress) if audio else 0
        facts, again = info(path), rebuild_of(store, name)
        texts = {
            "README.md": dataset_card(name, file, facts, permission, again.commands, sounds),
            "LICENSE": licence_text(permission),
            "ATTRIBUTION.md": attribution(permission),
            "CITATION.cff": citation(name, piece_licences(permission), date, _credited(permission.credits)),
            **again.recipes,
            MARKER: json.dumps(again.facts(store), indent=1, ensure_ascii=False) + "\n",
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


def _root_metadata(store: Store) -> bytes:
    """Zarr's metadata of the store's group, with no word about where its sources lay."""
    content = (store.place.path / "zarr.json").read_bytes()
    metadata = json.loads(content)
    told = portable_attrs(metadata["attributes"])
    if told == metadata["attributes"]:
        return content
    return json.dumps({**metadata, "attributes": told}, indent=2).encode()


def _iso_date(text: str) -> str:
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"date {text!r}; expected one such as 2026-11-25") from None


def _credited(credits: Any) -> list[str]:
    return sorted({credit.attribution for credit in credits if credit.of == "piece" and credit.attribution})


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
