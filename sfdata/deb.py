"""Taking one file out of a Debian package, without dpkg.

A package is an ``ar`` archive of three members, the last of which, ``data.tar`` with a compression, holds the files
(deb(5), ar(5)). Nothing but the one file's content is used: no path in the archive decides where anything is written.
"""

import io
import lzma
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"!<arch>\n"
_COMPRESSIONS = {"data.tar": "", "data.tar.gz": "gz", "data.tar.bz2": "bz2", "data.tar.xz": "xz"}
_BLOCK = 1 << 20


class _Section(io.RawIOBase):
    """Bytes of a file from where it stands, up to a length."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self.file, self.left = file, length

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(content)
        return content


def _data_member(file: BinaryIO) -> tuple[str, int]:
    """Find the member that holds the files; the file then stands at its begin. Gives its name and length."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it does not begin as an ar archive")
    seen: list[str] = []
    while len(header := file.read(60)) == 60:
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), header[48:58].strip()
        if header[58:] != b"`\n" or not size.isdigit():
            raise ValueError(f"its member after {seen} has a broken header")
        if name.startswith("data.tar"):
            return name, int(size)
        seen.append(name)
        file.seek(int(size) + int(size) % 2, io.SEEK_CUR)
    raise ValueError(f"it holds {seen}, and no data.tar")


def extract_from_deb(package: Path, member: str, target: Path, size: int) -> None:
    """Write one file of a Debian package.

    Parameters
    ----------
    package : Path
    member : str
        The file's path inside, with no slash before it.
    target : Path
        Where to write it.
    size : int
        Its length in bytes; what has another is not taken.

    Raises
    ------
    ValueError
        If the package is none, is damaged, is compressed in a way that is not known here, or holds no such file.
    """
    try:
        with package.open("rb") as file:
            name, length = _data_member(file)
            if name not in _COMPRESSIONS:
                raise ValueError(f"its files are in {name}; expected one of {', '.join(_COMPRESSIONS)}")
            section = _Section(file, length)
            with tarfile.open(fileobj=section, mode=f"r|{_COMPRESSIONS[name]}") as files:  # type: ignore[call-overload]
                for entry in files:
                    if entry.name.removeprefix("./") != member:
                        continue
                    content = files.extractfile(entry) if entry.isreg() else None
                    if content is None or entry.size != size:
                        raise ValueError(f"{member} in it is no file of {size} bytes")
                    with target.open("wb") as output:
                        while block := content.read(_BLOCK):
                            output.write(block)
                    return
            raise ValueError(f"it holds no {member}")
    except (ValueError, EOFError, tarfile.TarError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"the Debian package {package.name} cannot be used: {error}") from None
