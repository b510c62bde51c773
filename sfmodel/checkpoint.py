"""Checkpoints: weights as safetensors, everything else as JSON; nothing here is ever unpickled.

A run's folder holds

* ``config.json``: network, training and spectrogram settings, windows, the store's path and fingerprint, versions;
* ``best.safetensors``, ``last.safetensors``: weights, with epoch, figures and network settings in the metadata;
* ``resume.safetensors``: weights, the optimiser's moments, and the progress as JSON: one file, so it is all or nothing;
* ``log.csv``: one row per epoch.

Every file is written under a temporary name and moved into place, so an interruption leaves the old one or the new.
"""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sfdata.files import check_folder_of, write_atomically
from sfdata.store import Store
from sfmodel.architectures import AnySettings, settings_from
from sfmodel.networks import Network, build_network, new_network

CONFIG_FORMAT, WEIGHTS_FORMAT, STATE_FORMAT = "sfmodel-run", "sfmodel-weights", "sfmodel-state"
VERSION = 1
CONFIG_FILE, RESUME_FILE, LOG_FILE = "config.json", "resume.safetensors", "log.csv"
FREE_TO_CHANGE = {"network": (), "training": ("epochs", "device", "tensorboard", "network"), "store": ("path",)}
LATER_SETTINGS: dict[str, dict[str, Any]] = {  # what a config without them means
    "training": {
        **{"accumulate": 1, "phases": [], "compile": False},
        **{"snippets_per_reference": 1, "transpose_semitones": 0, "gradient_norm": 0.0},
    },
}
WEIGHTS_FILES = {"best": "best.safetensors", "last": "last.safetensors"}


def store_fingerprint(store: Store) -> dict[str, Any]:
    """What tells one store from another: its path, settings, pairs, and one checksum over those of all its tables.

    The table of renditions holds the checksums of the spectrograms, so this covers them too.
    """
    checksums = json.dumps(store.attrs.get("checksums", {}), sort_keys=True)
    return {
        "path": store.place.url,
        "pairs": len(store.pairs["note"]),
        "sha256": hashlib.sha256(checksums.encode()).hexdigest(),
        "spectrogram": asdict(store.spectrogram),
        "windows": asdict(store.windows),
    }


def write_config(run_dir: Path, config: Mapping[str, Any]) -> None:
    """Write ``config.json``."""
    document = {"format": CONFIG_FORMAT, "format_version": VERSION, **config}
    write_atomically(run_dir / CONFIG_FILE, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def read_config(run_dir: Path) -> dict[str, Any]:
    """Read ``config.json``.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is no JSON, not of this format and version, or lacks the network's settings.
    """
    path = run_dir / CONFIG_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"no {CONFIG_FILE} in {run_dir}; expected a folder made by 'sfmodel train -o {run_dir}'"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON ({error}); restore it, or train again") from None
    if not isinstance(config, dict) or config.get("format") != CONFIG_FORMAT:
        raise ValueError(f"{path}: expected a JSON object with format {CONFIG_FORMAT!r}: not a run of sfmodel")
    if config.get("format_version") != VERSION:
        raise ValueError(
            f"{path}: format version {config.get('format_version')!r}; this sfmodel reads version {VERSION}: "
            "install the sfmodel that wrote it, or train again"
        )
    network_settings(config, path)
    return config


def describe_software(processes: int = 1) -> dict[str, Any]:
    """Versions that a run's numbers may depend on, and the threads and processes that add them up."""
    packages = {name: importlib.metadata.version(name) for name in ("sfdata", "torch", "numpy", "safetensors")}
    return {"python": platform.python_version(), **packages, "threads": torch.get_num_threads(), "processes": processes}


def refuse_differences(run_dir: Path, config: Mapping[str, Any]) -> None:
    """Check that a run can be continued with a new config: only what does not alter the computation may differ.

    Raises
    ------
    ValueError
        Naming everything that differs.
    """
    before, different = read_config(run_dir), []
    planned = config["training"].get("schedule", "constant") != "constant"  # then every step depends on the last epoch
    for section, free in FREE_TO_CHANGE.items():
        then, now = before.get(section), config[section]
        if not isinstance(then, dict):
            raise ValueError(f"{run_dir / CONFIG_FILE}: section {section!r} is missing; train again with --overwrite")
        then = {**LATER_SETTINGS.get(section, {}), **then}
        now = json.loads(json.dumps(now))  # tuples become lists, as in the file
        for key in sorted((set(then) | set(now)) - set(free)) + ["epochs"] * (planned and section == "training"):
            if then.get(key) != now.get(key):
                different.append(f"{section} {key} was {then.get(key)!r}, is {now.get(key)!r}")
    if different:
        raise ValueError(
            f"{run_dir} cannot be resumed, as it was another run: {'; '.join(different)}. "
            "Resume with the same settings and store, take another folder, or --overwrite"
        )


def config_section(config: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """A section of a config, such as ``store``: what the network was trained on.

    Raises
    ------
    ValueError
        If it is missing, or no JSON object.

    Examples
    --------
    >>> config_section({"store": None}, "store", Path("config.json"))
    Traceback (most recent call last):
    ...
    ValueError: config.json: section 'store' is null; expected an object: restore it, or train again
    """
    section = config.get(name)
    if not isinstance(section, dict):
        told = json.dumps(section) if name in config else "missing"
        told = told if len(told) <= 40 else f"of type {type(section).__name__}"
        raise ValueError(f"{path}: section {name!r} is {told}; expected an object: restore it, or train again")
    return section


def network_settings(config: Mapping[str, Any], path: Path) -> AnySettings:
    """Network settings out of a config.

    Raises
    ------
    ValueError
        If they are missing or cannot be.
    """
    section = config_section(config, "network", path)
    try:
        return settings_from(section)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the network settings cannot be used: {error}") from None


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_tensors(path: Path, tensors: Mapping[str, Tensor], kind: str, facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON facts as one safetensors file, with a checksum over the tensors."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": kind, "format_version": str(VERSION), "sha256": _checksum(held), "facts": json.dumps(facts)}
    write_atomically(path, save(held, metadata=metadata))


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_tensors` wrote.

    Returns
    -------
    tensors : dict of str to Tensor, on the processor
    facts : dict

    Raises
    ------
    FileNotFoundError
        If nothing is at `path`.
    ValueError
        If the file is damaged, truncated, or of another kind or version.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}; make one with 'sfmodel train STORE -o {path.parent}'")
    remedy = "restore it from a copy, or train again"
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, RuntimeError) as error:
        size = path.stat().st_size
        raise ValueError(f"{path} ({size} bytes) is damaged or no safetensors file: {error}; {remedy}") from None
    if metadata.get("format") != kind or metadata.get("format_version") != str(VERSION):
        found = f"{metadata.get('format')!r} version {metadata.get('format_version')!r}"
        raise ValueError(f"{path} is {found}; expected {kind!r} version '{VERSION}'")
    if metadata.get("sha256") != _checksum(tensors):
        raise ValueError(f"{path}: the tensors do not match their checksum, the file is damaged; {remedy}")
    try:
        facts = json.loads(metadata["facts"])
    except (KeyError, ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or not isinstance(facts.get("config", {}), dict):
        raise ValueError(f"{path}: the facts in its metadata are no JSON object, the file is damaged; {remedy}")
    return tensors, facts


def check_tensors(path: Path, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check names, shapes and dtypes against what a network or state of these settings holds.

    Raises
    ------
    ValueError
        Naming the first that differs.
    """
    for name in sorted(set(tensors) ^ set(expected)):
        what = "is missing" if name in expected else "is one too many"
        raise ValueError(f"{path}: tensor {name!r} {what}; the file and {CONFIG_FILE} belong to different networks")
    for name, tensor in tensors.items():
        wanted = expected[name]
        if tensor.shape != wanted.shape or tensor.dtype != wanted.dtype:
            raise ValueError(
                f"{path}: tensor {name!r} is {tensor.dtype} {tuple(tensor.shape)}; {CONFIG_FILE} asks for "
                f"{wanted.dtype} {tuple(wanted.shape)}: the two belong to different networks"
            )


def save_weights(path: Path, network: Network, facts: Mapping[str, Any]) -> None:
    """Write a network's weights; its settings go into the metadata beside `facts`."""
    write_tensors(path, network.state_dict(), WEIGHTS_FORMAT, {**facts, "network": asdict(network.settings)})


def load_network(path: str | Path, which: str = "best") -> tuple[Network, dict[str, Any]]:
    """Load a trained network.

    Parameters
    ----------
    path : str or Path
        A run's folder; a weights file in one (its ``config.json`` must lie beside it); or an exported one.
    which : {"best", "last"}
        Which weights to take from a folder.

    Returns
    -------
    network : DualStack or Match
        On the processor, in evaluation mode.
    config : dict
        The run's config, with ``checkpoint`` added: file, epoch and figures of these weights.

    Raises
    ------
    FileNotFoundError
        If the folder, its config or the weights are missing.
    ValueError
        If a file is damaged, or config and weights disagree.

    Examples
    --------
    >>> load_network("nowhere")
    Traceback (most recent call last):
    ...
    FileNotFoundError: no run at nowhere; make one with 'sfmodel train STORE -o nowhere'
    """
    path = Path(path)
    if which not in WEIGHTS_FILES:
        raise ValueError(f"which {which!r}; expected one of {', '.join(WEIGHTS_FILES)}")
    if not path.exists():
        raise FileNotFoundError(f"no run at {path}; make one with 'sfmodel train STORE -o {path}'")
    run_dir, weights_file = (path, path / WEIGHTS_FILES[which]) if path.is_dir() else (path.parent, path)
    alone = not path.is_dir() and not (run_dir / CONFIG_FILE).is_file()  # perhaps it was exported
    config = {} if alone else read_config(run_dir)
    tensors, facts = read_tensors(weights_file, WEIGHTS_FORMAT)
    if "config" in facts:
        config = facts["config"]
    elif alone:
        read_config(run_dir)  # says what is missing
    settings = network_settings(config, weights_file if "config" in facts else run_dir / CONFIG_FILE)
    if network_settings(facts, weights_file) != settings:
        raise ValueError(
            f"{weights_file} was trained as {facts['network']}; {run_dir / CONFIG_FILE} says {asdict(settings)}: "
            "the two belong to different networks"
        )
    # Shapes first: a file that asks for an absurd network fails before anything large is allocated.
    with torch.device("meta"):
        expected = new_network(settings).state_dict()
    check_tensors(weights_file, tensors, expected)
    network = build_network(settings)
    network.load_state_dict(tensors)
    network.eval()
    figures = {key: value for key, value in facts.items() if key not in ("network", "config")}
    return network, {**config, "checkpoint": {"file": str(weights_file), **figures}}


def export_network(path: str | Path, output: str | Path, which: str = "best") -> int:
    """Write a trained network as one file that needs no other: weights, settings, and what it was trained on.

    Parameters
    ----------
    path : str or Path
        See :func:`load_network`.
    output : str or Path
        Ends in ``.safetensors``.
    which : {"best", "last"}

    Returns
    -------
    int
        Its size in bytes.

    Raises
    ------
    FileNotFoundError
        If the network or the folder to write into is not there.
    ValueError
        If the network cannot be read, or `output` has another ending.
    """
    output = Path(output)
    if output.suffix != ".safetensors":
        raise ValueError(f"cannot export to {output}; expected a name that ends in .safetensors")
    check_folder_of(output)
    network, config = load_network(path, which)
    figures = {key: value for key, value in config.pop("checkpoint").items() if key != "file"}
    config["store"] = {
        key: value for key, value in config_section(config, "store", Path(path)).items() if key != "path"
    }
    save_weights(output, network, {**figures, "config": config})
    return output.stat().st_size
