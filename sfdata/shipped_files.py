"""Where the files that ship with the package lie: in a checkout beside it, in a wheel inside it."""

from pathlib import Path

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
