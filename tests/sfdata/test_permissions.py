"""What licences say of handing on, however they are written."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from tiny_soundfont import write_soundfont

from sfdata import open_store
from sfdata.permissions import judged, permission_of, refuse_forbidden
from sfdata.registry import registry
from sfdata.schema import array_sha256
from sfdata.soundfonts import file_sha256
from sfdata.user_fonts import add_soundfont

SAID = {
    "untold": (
        *("", " ", "?", "--", "unknown", "Unknown licence", "licence: unknown", "none", "None.", "N/A", "not known"),
        *("NOASSERTION", "UNLICENSED", "\u200b", "licence"),
    ),
    "forbidden": (
        *("CC BY-ND 4.0", "CC-BY-NC-ND-4.0", "CC BY 4.0, no derivatives", "NoDerivs", "cc_by_nd", "CCBYNCND"),
        *("All  rights\treserved", "ALL RIGHTS RESERVED.", "LicenseRef-Proprietary", "no-redistribution"),
        *("not redistributable", "may not be redistributed", "do not distribute", "not for redistribution"),
        *(
            "may not be shared",
            "redistribution prohibited",
            "personal use only",
            "Attribution-NoDerivatives",
        ),
        *("only for private use", "CC BY\u2011ND", "CC\u00a0BY\u2013ND 4.0"),
    ),
    "noncommercial": (
        *(
            "CC-BY-NC-4.0",
            "CC BY-NC-SA",
            "cc_by_nc_4",
            "CCBYNC",
            "Non Commercial",
            "Noncommercial",
            "non\u2011commercial",
        ),
        *("Creative Commons Attribution Non Commercial 4.0", "free for personal use, not for commercial use"),
        *("not for commercial use", "may not be used commercially", "no commercial use", "commercial use prohibited"),
        *("research only", "for research only", "research use only", "academic use", "for educational purposes"),
        *("Evaluation only", "CC BY-NC-SA 4.0 (MAESTRO): evaluation only"),
        *("PolyForm-Noncommercial-1.0.0", "non\u00adcommercial", "for personal use"),
    ),
    "free": (
        *(
            "CC0",
            "CC0-1.0",
            "CC BY",
            "CC-BY-4.0",
            "CC BY-SA 3.0",
            "MIT",
            "GPL-2.0-only",
            "GPL-3.0-or-later",
            "LGPL-2.1-only",
        ),
        *(
            "public domain",
            "PublicDomain",
            "Unlicense",
            "BSD-3-Clause",
            "Apache-2.0",
            "NCSA",
            "OFL-1.1",
            "WTFPL",
            "ODbL-1.0",
        ),
        *("free for any use, commercial or not", "free for commercial and non-commercial use", "royalty free"),
        *("for personal or commercial use", "for any purpose, commercial or non-commercial", "commercial use allowed"),
        *("no rights reserved", "no known copyright restrictions", "may be redistributed freely", "free to share"),
        *("commercial use is not restricted", "no restrictions", "use it as you like, no attribution needed"),
    ),
}


@pytest.mark.parametrize("text, verdict", [(text, verdict) for verdict, texts in SAID.items() for text in texts])
def test_what_is_written_is_understood(text: str, verdict: str) -> None:
    assert judged(text) == verdict


def test_long_texts_are_read_in_no_time() -> None:
    for text in ("!" * 100_000, "not " * 50_000, "for research " * 20_000, "-" * 100_000 + "x"):
        judged(text)


def test_the_fonts_that_ship_are_free() -> None:
    assert {judged(font.licence) for font in registry().values()} == {"free"}


@pytest.fixture
def fonts_of_its_own(built_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A store whose first instrument is played by a font that nobody knows, without a licence; and the font."""
    monkeypatch.setenv("SFDATA_SOUNDFONTS", str(tmp_path / "registry"))
    font = write_soundfont(tmp_path / "mine.sf2")
    store = shutil.copytree(built_store, tmp_path / "s.zarr")
    group, checksums = zarr.open_group(store, mode="r+"), {}
    told = {"name": "mine:0", "file": font.name, "sha256": file_sha256(font), "licence": ""}
    for table, columns in (("instruments", told), ("pieces", {"licence": "CC0-1.0"})):
        for column, value in columns.items():
            array = group[f"{table}/{column}"]
            values = np.asarray(array[:], dtype=object)
            values[: 1 if table == "instruments" else None] = value
            array[:] = values.astype(array.dtype)
            checksums[f"{table}/{column}"] = array_sha256(np.asarray(array[:]))
    group.attrs["checksums"] = {**group.attrs["checksums"], **checksums}
    return store, font


def test_a_font_of_ones_own_needs_a_licence_and_its_registration_tells_it(
    fonts_of_its_own: tuple[Path, Path],
) -> None:
    store, font = fonts_of_its_own
    with pytest.raises(ValueError, match=r"sfdata soundfonts add mine\.sf2 --name mine --licence"):
        refuse_forbidden(permission_of(open_store(store)), "s.zarr")
    add_soundfont(font, "mine", licence="CC0-1.0")
    permission = permission_of(open_store(store))
    refuse_forbidden(permission, "s.zarr")
    (remark,) = (remark for remark in permission.remarks if "mine:0" in remark)
    assert remark.endswith("yours to know")
