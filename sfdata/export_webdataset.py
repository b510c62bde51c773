"""WebDataset: tar files of examples, ``KEY.reference.npy``, ``KEY.snippet.npy`` and ``KEY.json`` each.

The same examples give the same bytes: members stand in the order of the examples, without owners or times.
"""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from sfdata.examples import LABELS, Shard, typed_labels

_MEMBERS = ("reference.npy", "snippet.npy", "json")


def shard_name(split: str, number: int, count: int) -> str:
    """Name of a shard: such as can be told as ``train-{000000..000041}.tar``."""
    return f"{split}-{number:06d}.tar"


def write_shard(path: Path, shard: Shard) -> None:
    """Write one tar file; the key of an example is its pair's row in the store."""
    labels = {name: values.tolist() for name, values in shard.labels.items()}
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for i in range(len(shard)):
            told = {name: values[i] for name, values in labels.items()}
            content = (_npy(shard.reference[i]), _npy(shard.snippet[i]), _json(told))
            for ending, data in zip(_MEMBERS, content, strict=True):
                member = tarfile.TarInfo(f"{told['pair']:09d}.{ending}")  # mode 644, owner 0, time 0
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def read_shard(path: Path) -> Shard:
    """Read what :func:`write_shard` wrote."""
    arrays: dict[str, list[Any]] = {ending: [] for ending in _MEMBERS}
    with tarfile.open(path) as archive:
        for member in archive:
            ending = member.name.split(".", 1)[1]
            file = archive.extractfile(member)
            assert file is not None
            content = file.read()
            arrays[ending].append(
                json.loads(content) if ending == "json" else np.load(io.BytesIO(content), allow_pickle=False)
            )
    labels = {name: [told[name] for told in arrays["json"]] for name in LABELS}
    return Shard(np.stack(arrays["reference.npy"]), np.stack(arrays["snippet.npy"]), typed_labels(labels))


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()  # a float as the shortest text that gives it again
