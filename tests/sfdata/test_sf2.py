"""The reader of soundfonts' outlines against FluidSynth, by hand, and on files made to trip it."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_soundfont import chunk, phdr, riff, soundfont_bytes, write_soundfont

from sfdata.fluidsynth import SynthHost
from sfdata.sf2 import preset_names, read_soundfont
from sfdata.soundfonts import inventory

ON_THIS_MACHINE = [row["path"] for row in inventory() if row["path"]]


@pytest.mark.parametrize("path", ON_THIS_MACHINE, ids=lambda path: Path(path).name)
def test_names_are_those_that_fluidsynth_gives(path):
    names = preset_names(Path(path))
    assert len(names) > 100 and list(names) == sorted(names)
    host = SynthHost(path, 22050, 1.0)
    assert {key: host.preset_name(*key).strip() for key in names} == names
    for absent in {(77, 0), (0, 200), (128, 77)} - set(names):
        with pytest.raises(ValueError, match="no preset"):
            host.preset_name(*absent)
    host.close()


@pytest.mark.parametrize("version", [2, 3])
def test_a_font_made_by_hand(tmp_path: Path, version):
    path = write_soundfont(tmp_path / "a.sf2", [(8, 3, "Third"), (0, 5, "Second"), (0, 1, "First")], version)
    facts = read_soundfont(path)
    assert facts.version == (version, 1) and facts.title == "Tiny" and facts.copyright == "Public domain"
    assert facts.comment == ""
    assert list(facts.presets.items()) == [((0, 1), "First"), ((0, 5), "Second"), ((8, 3), "Third")]


def test_the_first_of_two_presets_in_one_place_counts_and_names_cannot_steer_a_terminal(tmp_path: Path):
    path = write_soundfont(tmp_path / "a.sf2", [(0, 0, "\x1b[31mRed\n"), (0, 0, "Other"), (0, 1, "Klavier à 2")])
    assert preset_names(path) == {(0, 0): "[31mRed", (0, 1): "Klavier à 2"}
    path.write_bytes(path.read_bytes().replace("à".encode(), b"\xe0 "))  # not UTF-8: taken as Latin-1
    assert preset_names(path)[0, 1] == "Klavier à  2"


def test_a_chunk_of_odd_length_may_lack_its_padding(tmp_path: Path):
    """MuseScore's converter to sf3 writes no padding after the samples."""
    info = chunk(b"LIST", b"INFO" + chunk(b"ifil", struct.pack("<HH", 3, 1)))
    table = chunk(b"LIST", b"pdta" + phdr([(0, 0, "Sine")]))
    for padded in (True, False):
        (tmp_path / "a.sf3").write_bytes(riff(info, chunk(b"LIST", b"sdta" + b"odd", padded), table))
        assert preset_names(tmp_path / "a.sf3") == {(0, 0): "Sine"}


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "expected a soundfont"),
        (b"RIFF\0\0\0\0WAVE", "expected a soundfont"),
        (riff(), "table of presets has 0 bytes"),
        (riff(chunk(b"LIST", b"pdta" + chunk(b"phdr", bytes(38)))), "table of presets has 38 bytes"),
        (riff(chunk(b"LIST", b"pdta" + chunk(b"phdr", bytes(77)))), "table of presets has 77 bytes"),
        (riff(chunk(b"LIST", b"pdta" + phdr([(0, 0, "x")]))), "has version 0.0; expected 2"),
        (riff(b"LIST" + struct.pack("<I", 2**32 - 1) + b"pdta"), "4294967295 bytes, 4 are left"),
        (riff(chunk(b"LIST", b"pdta" + b"phdr" + struct.pack("<I", 1000))), "1000 bytes, 0 are left"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content, said):
    (tmp_path / "bad.sf2").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_soundfont(tmp_path / "bad.sf2")


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no soundfont at"):
        read_soundfont(tmp_path / "nothing.sf2")
    with pytest.raises(FileNotFoundError, match="no soundfont at"):
        read_soundfont(tmp_path)


WHOLE = soundfont_bytes([(0, 0, "One"), (0, 1, "Two")])
HEADS = [at for at in range(len(WHOLE)) if WHOLE[at : at + 4] in (b"LIST", b"INFO", b"pdta", b"phdr", b"ifil")]


@given(at=st.sampled_from(HEADS), offset=st.integers(0, 11), bits=st.integers(1, 255), cut=st.integers(0, 400))
def test_whatever_is_broken_ends_in_an_error_or_a_table(tmp_path_factory, at, offset, bits, cut):
    content = bytearray(WHOLE)
    content[at + offset] ^= bits
    path = tmp_path_factory.getbasetemp() / "broken.sf2"
    path.write_bytes(content[: len(content) - cut])
    try:
        names = preset_names(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(name, str) for name in names.values())
