"""One file out of a Debian package, and packages that are not what they seem."""

import io
import lzma
import tarfile
from pathlib import Path

import pytest

from sfdata.deb import extract_from_deb

FONT = bytes(range(256)) * 40
PLACE = "usr/share/sounds/sf2/Font.sf2"


def tar_bytes(members: dict[str, bytes | str], compression: str = "xz") -> bytes:
    """A tar; a text instead of bytes makes a symbolic link to it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{compression}") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def ar_bytes(members: dict[str, bytes]) -> bytes:
    content = b"!<arch>\n"
    for name, data in members.items():
        content += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    return content


def deb_bytes(members: dict[str, bytes | str], compression: str = "xz") -> bytes:
    ending = f".{compression}" if compression else ""
    return ar_bytes(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz/": lzma.compress(b"odd"),  # some writers end names by a slash
            f"data.tar{ending}": tar_bytes(members, compression),
        }
    )


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_the_one_file_comes_out_whole(tmp_path: Path, compression):
    content = deb_bytes({"./usr/share/doc/copyright": b"x", f"./{PLACE}": FONT, "./z": b"z"}, compression)
    (tmp_path / "a.deb").write_bytes(content)
    extract_from_deb(tmp_path / "a.deb", PLACE, tmp_path / "font", len(FONT))
    assert (tmp_path / "font").read_bytes() == FONT


def test_paths_in_the_package_decide_nothing(tmp_path: Path):
    inside = tmp_path / "inside"
    inside.mkdir()
    content = deb_bytes({"../evil": b"x", "/tmp/evil": b"x", "./usr": "/etc", f"./{PLACE}": FONT})
    (inside / "a.deb").write_bytes(content)
    extract_from_deb(inside / "a.deb", PLACE, inside / "font", len(FONT))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.deb", "font", "inside"]


WHOLE = deb_bytes({f"./{PLACE}": FONT})


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "does not begin as an ar archive"),
        (b"<html>not found</html>", "does not begin as an ar archive"),
        (b"!<arch>\n" + b"x" * 60, "broken header"),
        (ar_bytes({"debian-binary": b"2.0\n"}), "holds .'debian-binary'., and no data.tar"),
        (ar_bytes({"data.tar.zst": b"x"}), "in data.tar.zst; expected one of data.tar, data.tar.gz"),
        (ar_bytes({"data.tar.xz": b"no xz"}), "cannot be used"),
        (deb_bytes({"./other": FONT}), f"holds no {PLACE}"),
        (deb_bytes({f"./{PLACE}": FONT[:-1]}), f"is no file of {len(FONT)} bytes"),
        (deb_bytes({f"./{PLACE}": "/etc/passwd"}), "is no file of"),
        (WHOLE[: len(WHOLE) // 2], "cannot be used"),
        (deb_bytes({f"./{PLACE}": FONT}, "")[:-12000], "cannot be used"),
    ],
)
def test_other_packages_are_refused(tmp_path: Path, content, said):
    (tmp_path / "a.deb").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        extract_from_deb(tmp_path / "a.deb", PLACE, tmp_path / "font", len(FONT))
