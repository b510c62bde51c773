"""Instruments by name, by path and by pool; the registry that ships and the user's own."""

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tiny_soundfont import RATE, soundfont_bytes, write_soundfont

from sfdata.cli import main
from sfdata.notes import make_notes
from sfdata.programs import FAMILIES, parse_programs
from sfdata.registry import Download, Redistribution, Soundfont, read_registry, registry, user_registry_path
from sfdata.render import render, synth_host
from sfdata.sf2 import preset_names
from sfdata.soundfonts import (
    Instrument,
    check,
    file_sha256,
    inventory,
    locate,
    resolve_instrument,
    resolve_pool,
    verify,
)
from sfdata.user_fonts import _quoted, add_soundfont

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands in for the user's own: no test reads or writes their home."""
    monkeypatch.setenv("SFDATA_SOUNDFONTS", str(tmp_path / "own"))
    return tmp_path / "own"


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["soundfonts", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


# The registry that ships


def test_every_entry_tells_licence_source_and_terms():
    entries = registry()
    assert {"timgm6mb", "timgm6mb-debian", "fluidr3-gm", "fluidr3-mono-gm", "musescore-general"} <= set(entries)
    assert len({entry.sha256 for entry in entries.values()}) == len(entries)
    for entry in entries.values():
        assert entry.licence in ("GPL-2.0-only", "MIT") and entry.source.startswith("https://") and entry.title
        assert entry.redistribution.file == "yes" == entry.redistribution.sound and entry.redistribution.terms
        assert list(entry.presets) == list(range(8)) and len(set(entry.presets.values())) == 8
        assert entry.locations and entry.split == "all"
        if entry.download is None:
            assert entry.locations[0].startswith("package:")
        else:
            name = entry.download.urls[0].rpartition("/")[2]
            assert entry.download.member.endswith(f".{entry.format}") and name.endswith("_all.deb")
            assert re.fullmatch(r"https://snapshot\.debian\.org/file/[0-9a-f]{40}", entry.download.urls[1])


def test_presets_are_called_as_in_the_files():
    here = [row for row in inventory() if row["path"]]
    assert "timgm6mb" in [row["name"] for row in here]
    for row in here:
        names = preset_names(Path(row["path"]))
        assert row["presets"] == {program: names[0, program] for program in row["presets"]}
        assert Path(row["path"]).stat().st_size == row["bytes"]


def test_the_documentation_tells_the_same():
    text = (ROOT / "docs" / "soundfonts.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if "| GPL" in line or "| MIT" in line
    ]
    assert [row[0] for row in rows] == [f"`{name}`" for name in registry()]
    for (_, form, size, licence, file, sound, package), entry in zip(rows, registry().values(), strict=True):
        assert (form, size, licence) == (entry.format, f"{entry.bytes / 1e6:.0f}", entry.licence)
        assert (file, sound) == (entry.redistribution.file, entry.redistribution.sound)
        where = entry.download.urls[0] if entry.download else entry.locations[0]
        assert f"/{package.strip('`')}_" in where or package.strip("`").removeprefix("comes with `") in where
    for family in FAMILIES:
        assert f"`{family}`" in text
    for command in re.findall(r"^sfdata (soundfonts \w+)", text, re.MULTILINE):
        assert command.split()[1] in ("list", "fetch", "verify", "add")


# Finding files


def test_a_font_is_found_in_the_systems_folders_and_among_the_fetched(tmp_path, folder, monkeypatch):
    font = write_soundfont(tmp_path / "a.sf2")
    entry = Soundfont("a", "A", file_sha256(font), font.stat().st_size, "", "", ("system:Font.sf2",), {})
    monkeypatch.setattr("sfdata.soundfonts.SYSTEM_FOLDERS", (str(tmp_path / "sys1"), str(tmp_path / "sys2")))
    with pytest.raises(FileNotFoundError, match=r"sys1/Font.sf2 and 2 other places: absent.*where it came from"):
        locate(entry)
    for place in (folder / "a.sf2", tmp_path / "sys2" / "Font.sf2"):
        place.parent.mkdir()
        place.write_bytes(font.read_bytes())
        assert locate(entry) == place  # the system's comes before what was fetched
    (tmp_path / "sys1").mkdir()
    (tmp_path / "sys1" / "Font.sf2").write_bytes(b"another")
    assert locate(entry) == tmp_path / "sys2" / "Font.sf2"  # and another file of the name is passed over


def test_absent_fonts_are_a_problem_only_when_asked_for(folder, monkeypatch):
    monkeypatch.setattr("sfdata.soundfonts.SYSTEM_FOLDERS", ())
    assert verify() == [] and "fluidr3-gm" in check().absent and "timgm6mb" not in check().absent
    (problem,) = verify(["timgm6mb", "fluidr3-gm"])
    assert "sfdata soundfonts fetch fluidr3-gm' (120 MB)" in problem
    folder.mkdir()
    (folder / "fluidr3-gm.sf2").write_bytes(b"half of it")
    (problem,) = verify()
    assert "fluidr3-gm.sf2: another file, sha256" in problem
    with pytest.raises(ValueError, match="no soundfont organ in the registry; it knows timgm6mb, "):
        verify(["organ"])


def test_list_and_verify(folder, monkeypatch):
    monkeypatch.setattr("sfdata.soundfonts.SYSTEM_FOLDERS", ())
    rows = {row["name"]: row for row in json.loads(call("list", "--json"))}
    assert rows["timgm6mb"]["path"].endswith("TimGM6mb.sf2") and rows["musescore-general"]["path"] == ""
    assert {"title", "sha256", "bytes", "licence", "source", "split", "presets", "redistribution"} <= set(
        rows["timgm6mb"]
    )
    listed = call("list")
    assert "not on this machine: run 'sfdata soundfonts fetch musescore-general' (76 MB)" in listed
    found = json.loads(call("verify", "--json"))
    assert found["valid"] and found["problems"] == [] and "musescore-general" in found["absent"]
    assert "6 not on this machine" in call("verify")
    assert "is not on this machine" in call("verify", "timgm6mb", "musescore-general", code=2)


# Instruments


def test_banks():
    other = resolve_instrument("timgm6mb:8:4")
    assert (other.name, other.bank, other.program) == ("timgm6mb:8:4", 8, 4)
    assert resolve_instrument("timgm6mb:0:4") == resolve_instrument("timgm6mb:4")
    assert resolve_instrument(f"{other.path}:8:4") == other
    for text, said in {"timgm6mb:99999:0": "bank 99999; expected 0 to 16383", "timgm6mb:²": "0 to 127"}.items():
        with pytest.raises(ValueError, match=said):
            resolve_instrument(text)


def test_instruments_are_equal_by_content_and_preset_alone():
    a = Instrument("a:0", "/here", "00", 0, 0, "MIT")
    assert a.split == "all" and a == replace(a, path="/there", split="test") and a != replace(a, program=1)


@pytest.mark.parametrize(
    "names, programs",
    [
        ([], []),
        (["timgm6mb"], [0]),
        (["timgm6mb:3", "timgm6mb:0-2", "timgm6mb:2,9"], [3, 0, 1, 2, 9]),
        (["timgm6mb:piano"], [0, 1, 2, 3, 4, 5, 6, 7]),
        (["timgm6mb:organ,0"], [16, 17, 18, 19, 20, 21, 22, 23, 0]),
        (["timgm6mb:all"], list(range(128))),
    ],
)
def test_pools(names, programs):
    pool = resolve_pool(names)
    assert [instrument.name for instrument in pool] == [f"timgm6mb:{program}" for program in programs]
    assert pool == [resolve_instrument(instrument.name) for instrument in pool]


def test_a_pool_holds_only_presets_that_the_font_has_and_each_once(tmp_path):
    font = write_soundfont(tmp_path / "a,b.sf2", [(0, 1, "One"), (0, 6, "Six"), (8, 2, "Two")])
    link = tmp_path / "link.sf2"
    link.symlink_to(font)
    assert [i.name for i in resolve_pool([f"{font}:piano", f"{link}:1", f"{link}:8:2"])] == [
        "a,b:1",
        "a,b:6",
        "link:8:2",
    ]
    with pytest.raises(ValueError, match=r"none of these programs in bank 0; it has 1, 6"):
        resolve_pool([f"{font}:2-5"])
    for text, said in {
        "timgm6mb:7-0": "'7-0'; expected numbers",
        "timgm6mb:0-128": "'0-128'",
        "timgm6mb:": "''",
    }.items():
        with pytest.raises(ValueError, match=said):
            resolve_pool([text])
    with pytest.raises(ValueError, match="the registry knows timgm6mb"):
        resolve_pool(["organ:0-3"])


def test_families_are_those_of_general_midi():
    eights = list(FAMILIES)[:16]
    assert [program for name in eights for program in FAMILIES[name]] == list(range(128))
    assert FAMILIES["guitar"] == tuple(range(24, 32)) and FAMILIES["strings"][0] == 40 and FAMILIES["brass"][0] == 56
    names = preset_names(Path(resolve_instrument("timgm6mb").path))
    assert {names[0, program] for program in FAMILIES["pluck"]} >= {"Harpsichord", "Pizzicato", "Koto"}
    assert "Piano 1" not in {names[0, program] for program in FAMILIES["pluck"]}


@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 127)).map(sorted), min_size=1, max_size=6))
def test_programs_are_those_of_the_ranges_each_once(ranges):
    found = parse_programs(",".join(f"{first}-{last}" for first, last in ranges))
    assert set(found) == {program for first, last in ranges for program in range(first, last + 1)}
    assert len(found) == len(set(found)) and found[0] == ranges[0][0]


@pytest.mark.parametrize("version", [2, 3])
def test_sf2_and_sf3_sound_and_are_loaded_once(tmp_path, version):
    font = write_soundfont(tmp_path / f"tiny.sf{version}", [(0, 0, "Sine"), (0, 1, "Again")], version)
    loads = synth_host.cache_info().misses
    for program in (0, 1, 0):
        samples = render(make_notes([0.1], [0.8], [81], [100]), resolve_instrument(f"{font}:{program}"), RATE)
        spectrum = np.abs(np.fft.rfft(samples[int(0.2 * RATE) : int(0.5 * RATE)]))
        assert abs(np.argmax(spectrum) / 0.3 - 880) < 4  # an octave above the sample
    assert synth_host.cache_info().misses == loads + 1


# The user's own fonts


def test_adding_a_font_makes_it_an_instrument(tmp_path, folder):
    font = write_soundfont(tmp_path / "grand piano é.sf3", [(0, 3, 'The "big" one'), (8, 0, "Other")], 3)
    added = json.loads(call("add", font, "--name", "grand", "--licence", "CC0-1.0", "--split", "test", "--json"))
    assert added["warnings"] == [] and added["registry"] == str(folder / "soundfonts.toml")
    entry = registry()["grand"]
    assert (entry.title, entry.format, entry.bytes) == ("Tiny", "sf3", font.stat().st_size)
    assert entry.presets == {3: 'The "big" one'} and entry.redistribution == Redistribution()
    instrument = resolve_instrument("grand:3")
    assert (instrument.path, instrument.licence, instrument.split) == (str(font), "CC0-1.0", "test")
    assert resolve_pool(["grand:all"]) == [instrument] == resolve_pool([f"{font}:3"])
    assert render(make_notes([0.1], [0.8], [69], [100]), instrument, RATE).any()
    assert str(font) in call("list") and "the right ones" in call("verify", "grand")
    font.write_bytes(font.read_bytes() + b"x")
    assert "another file" in call("verify", code=2)


def test_an_entry_keeps_what_the_user_wrote_around_it(tmp_path, folder):
    add_soundfont(write_soundfont(tmp_path / "a.sf2"), "a", "MIT")
    user_registry_path().write_text(user_registry_path().read_text() + "# mine\n")
    add_soundfont(write_soundfont(tmp_path / "b.sf2", [(0, 9, "B")]), "b.2", "MIT")
    assert "# mine\n" in user_registry_path().read_text()
    assert list(read_registry(user_registry_path())) == ["a", "b.2"] and resolve_instrument("b.2:9").licence == "MIT"
    assert [path.name for path in folder.iterdir()] == ["soundfonts.toml"]


def test_without_a_licence_there_is_a_note(tmp_path):
    font = write_soundfont(tmp_path / "a.sf2", [(8, 0, "Only")])
    output = call("add", font, "--name", "a")
    assert "a has no licence (the file itself says: 'Public domain')" in output and "NAME" not in output
    assert "a has no presets in bank 0: name its instruments a:BANK:PROGRAM" in output
    assert resolve_instrument("a:8:0").licence == ""


def write_damaged(path: Path) -> Path:
    """A font whose presets can be read, but which has no instruments."""
    path.write_bytes(soundfont_bytes([(0, 0, "D")]).replace(b"ibag", b"gabi"))
    return path


def test_what_cannot_be_added(tmp_path, folder):
    font = write_soundfont(tmp_path / "a.sf2")
    (tmp_path / "text.sf2").write_text("no soundfont")
    timgm6mb = locate(registry()["timgm6mb"])
    add_soundfont(font, "a", "MIT")
    before = user_registry_path().read_bytes()
    for path, name, split, said in [
        (tmp_path / "text.sf2", "b", "", "expected a soundfont"),
        (font, "a", "", "stands in .*soundfonts.toml; choose another"),
        (font, "b", "", "registered as 'a'; use it by that name"),
        (font, "timgm6mb", "", "is that of another font"),
        (timgm6mb, "tim", "", "registered as 'timgm6mb'; add it with the name timgm6mb"),
        (write_soundfont(tmp_path / "b.sf2", [(0, 1, "B")]), "No Name:1", "", "expected small letters"),
        (write_soundfont(tmp_path / "d\n.sf2", [(0, 2, "D")]), "d", "", "cannot stand in a TOML file"),
        (write_damaged(tmp_path / "c.sf2"), "c", "", "FluidSynth .* cannot load"),
        (tmp_path / "b.sf2", "b", "tests", "split 'tests'; expected one of all, train, validation, test"),
    ]:
        with pytest.raises(ValueError, match=said):
            add_soundfont(path, name, split=split)
    assert user_registry_path().read_bytes() == before
    assert "no soundfont at" in call("add", tmp_path / "nothing.sf2", "--name", "b", code=2)


def test_adding_does_without_fluidsynth(tmp_path, monkeypatch):
    monkeypatch.setenv("SFDATA_FLUIDSYNTH", "/nowhere/libfluidsynth.so")
    assert add_soundfont(write_soundfont(tmp_path / "a.sf2"), "a", "MIT").soundfont.name == "a"


def test_a_known_font_elsewhere_and_kept_to_a_split(tmp_path):
    font = tmp_path / "elsewhere.sf2"
    font.write_bytes(locate(registry()["timgm6mb"]).read_bytes())
    added = add_soundfont(font, "timgm6mb", split="test")
    assert added.soundfont.licence == "GPL-2.0-only" and added.warnings == ()
    entry = registry()["timgm6mb"]
    assert entry.locations == ("package:pretty_midi/TimGM6mb.sf2", str(font)) and entry.redistribution.file == "yes"
    assert resolve_instrument("timgm6mb:4").split == "test"


def entry_text(**changes: object) -> str:
    values = {"title": "T", "sha256": "0" * 64, "bytes": 1, "licence": "", "source": "", "locations": [], **changes}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    return "[own]\n" + "\n".join(lines) + '\n[own.presets]\n0 = "Zero"\n1 = { name = "One", split = "test" }\n'


def test_presets_may_have_splits_of_their_own(folder):
    folder.mkdir()
    (folder / "soundfonts.toml").write_text(entry_text(split="train"))
    entry = registry()["own"]
    assert entry.presets == {0: "Zero", 1: "One"}
    assert [entry.split_of(0, 0), entry.split_of(0, 1), entry.split_of(8, 1)] == ["train", "test", "train"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("not toml", r"soundfonts.toml cannot be read: .*; mend it"),
        ("own = 3", "own: 3; expected a table"),
        (entry_text(sha256=None), "own: .*sha256.*expected an entry like those"),
        (entry_text(sha256="00"), "sha256 '00', bytes 1; expected 64 hexadecimal digits"),
        (entry_text(bytes=0), "bytes 0; expected"),
        (entry_text(bytes="1"), "own: "),
        (entry_text(colour="red"), "own: colour is unknown; expected bytes, "),
        (entry_text(split="tests"), "split 'tests'; expected one of all"),
        (entry_text(format="sf4"), "format 'sf4'; expected one of sf2, sf3"),
        (entry_text().replace("0 =", "128 ="), "presets 128 = 'Zero'; expected 0 to 127"),
        (entry_text().replace('name = "One"', 'nom = "One"'), "presets 1 ="),
        (entry_text() + '[own.redistribution]\nfile = "maybe"\n', "file 'maybe'; expected one of yes, no, unknown"),
        (entry_text() + "[own.download]\nkind = 3\n", "own: .*download|own: "),
        (entry_text().replace("[own]", '["Own!"]').replace("[own.", '["Own!".'), "name 'Own!'; expected small letters"),
        (entry_text().replace("[own]", "[timgm6mb]").replace("[own.", "[timgm6mb."), "gives the name 'timgm6mb' to"),
    ],
)
def test_a_broken_registry_is_named(folder, text, said):
    folder.mkdir()
    (folder / "soundfonts.toml").write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        registry()
    assert "\n" not in str(caught.value)


def test_downloads_check_themselves():
    good = Download("deb", ("https://x/a.deb",), "0" * 64, 1, "usr/a.sf2")
    for changes, said in [
        ({"kind": "zip"}, "kind 'zip'; expected one of file, deb"),
        ({"member": ""}, "member ''; expected the font's path"),
        ({"kind": "file"}, "nothing in a file"),
        ({"urls": ()}, "expected one or more, http or https"),
        ({"urls": ("file:///etc/passwd",)}, "expected one or more, http or https"),
        ({"bytes": 0}, "download: sha256"),
    ]:
        with pytest.raises(ValueError, match=said):
            replace(good, **changes)


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_survives_toml(text):
    assert tomllib.loads(f"x = {_quoted(text)}") == {"x": text}


def test_importing_needs_no_network_library():
    code = (
        "import sys, sfdata.soundfonts, sfdata.user_fonts, sfdata.downloads;"
        "sys.exit(bool({'pooch', 'requests'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
