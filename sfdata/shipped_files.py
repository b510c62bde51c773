"""Where the files that ship with the package lie: in a checkout beside it, in a wheel inside it."""

import tomllib
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def shipped_file(name: str) -> Path:
    """Path of a shipped file or folder, such as ``soundfonts.toml`` or ``pipelines/demo.toml``.

    Raises
    ------
    FileNotFoundError
        If no such file ships.
    """
    for folder in (_PACKAGE / "shipped", _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"no file {name!r} ships with sfdata (looked in {_PACKAGE / 'shipped'} and {_PACKAGE.parent})"
    )


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Read a TOML file: its document, and the file as it stands.

    Raises
    ------
    ValueError
        If it is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
