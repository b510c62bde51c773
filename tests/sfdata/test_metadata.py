from dataclasses import replace
from pathlib import Path

import pytest

from sfdata import open_store
from sfdata.build import build
from sfdata.metadata import Selection, read_metadata, reason_to_skip
from sfdata.naming import PieceName, parse_name
from sfdata.recipe import read_recipe
from sfdata.validate import validate

COLUMNS = ["surname", "firstname", "music", "nationality", "birth", "death", "youtube_title", "youtube_id"]
COLUMNS += ["similarity", "piano_solo_prob", "audio_name", "audio_duration", "giant_midi_piano", "split"]
COLUMNS += ["surname_in_youtube_title"]


def row(surname, first, music, video, probability="0.9", split="train", curated="1", dataset="1"):
    name = f"{surname}, {first}, {music}, {video}"
    return [surname, first, music, "?", "1", "2", f'{surname} "live" {music}', video, "1.0", probability, name, "60.0",
            dataset, split, curated]  # fmt: skip


def write(path: Path, rows, columns=COLUMNS, delimiter="\t") -> Path:
    path.write_text("\n".join(delimiter.join(line) for line in [columns, *rows]) + "\n", encoding="utf-8")
    return path


ROWS = [
    row("Chopin", "Frédéric", "Études, Op.10", "g0hoN6_HDVU"),
    row("Bach", "Johann Sebastian", "Prelude, BWV 862", "gCL5Zvnt0TU", "0.31", "test"),
    row("Bach", "Carl", "Solo", "abcdefghijK", "", "", "0", "0"),
    row("Nobody", "unknown", "Missing", ""),
]


def test_rows_are_found_by_name_and_by_id(tmp_path: Path):
    metadata = read_metadata(write(tmp_path / "m.csv", ROWS))
    assert len(metadata) == 3  # what was not found online has no file
    chopin = metadata.of("Chopin, Frédéric, Études, Op.10, g0hoN6_HDVU")
    assert chopin.name == PieceName("Études, Op.10", "Frédéric Chopin", "g0hoN6_HDVU")
    assert (chopin.solo_probability, chopin.dataset_split, chopin.curated) == (0.9, "train", True)
    assert metadata.of("Bach_Prelude_and_Fugue_in_A-flat_major_BWV862_gCL5Zvnt0TU_a").dataset_split == "test"
    assert metadata.of("my song") is None


def test_order_of_columns_commas_and_marks_do_not_matter(tmp_path: Path):
    columns = [*reversed(COLUMNS), "more"]
    path = tmp_path / "m.csv"
    path.write_text(
        "\ufeff"
        + ",".join(columns)
        + "\n"
        + ",".join([*(f'"{v.replace(chr(34), chr(34) * 2)}"' for v in ROWS[0][::-1]), "x"])
    )
    assert read_metadata(path).of("x, y, z, g0hoN6_HDVU").name.composer == "Frédéric Chopin"


def test_of_two_works_found_in_one_video_the_one_in_the_dataset_counts(tmp_path: Path):
    rows = [row("A", "B", "Wrong", "abcdefghijK", dataset="0"), row("C", "D", "Right", "abcdefghijK")]
    metadata = read_metadata(write(tmp_path / "m.csv", rows))
    assert metadata.of("x, y, z, abcdefghijK").name.title == "Right"
    assert metadata.of("A, B, Wrong, abcdefghijK").name.title == "Wrong"


@pytest.mark.parametrize(
    "selection, reasons",
    [
        (Selection(), ["", "", "", ""]),
        (Selection(min_solo_probability=0.5), ["", "is 0.31", "is nan", "not in the table"]),
        (Selection(composers=("Bach",)), ["is by Frédéric Chopin", "", "", "is by an unknown composer"]),
        (Selection(composers=("Carl Bach", "chopin")), ["", "is by Johann", "", "unknown composer"]),
        (Selection(dataset_splits=("test",)), ["split train", "", "split (none)", "not in the table"]),
        (Selection(curated=True), ["", "", "curated", "not in the table"]),
    ],
)
def test_choosing(tmp_path: Path, selection, reasons):
    metadata = read_metadata(write(tmp_path / "m.csv", ROWS))
    stems = ["Chopin, Frédéric, Études, Op.10, g0hoN6_HDVU", "x_y_gCL5Zvnt0TU", "Bach, Carl, Solo, abcdefghijK", "song"]
    for stem, said in zip(stems, reasons, strict=True):
        told = reason_to_skip(parse_name(stem), metadata.of(stem), selection)
        assert (said in told) if said else not told


def test_a_recipe_chooses_by_it(tmp_path: Path, small_recipe, giantmidi):
    """Files that are not wanted are named with the reason; composer and title come from the table."""
    write(tmp_path / "m.csv", [ROWS[1], row("Bach", "J. S.", "Prelude, BWV 858", "lJCpUW1Q1yc")])
    text = (
        f'[[sources]]\nmidi = "{giantmidi}"\nmetadata = "m.csv"\ncomposers = ["Bach"]\nmin_solo_probability = 0.3\n'
        '[splits]\nby = "composer"\n'
    )
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    read = read_recipe(tmp_path / "r.toml")
    recipe = replace(small_recipe, sources=read.sources, folder=read.folder, splits=read.splits)
    result = build(recipe, tmp_path / "s.zarr", workers=1)
    assert result.pieces == 2 and len(result.skipped) == len(list(giantmidi.glob("*.mid"))) - 2
    assert all("is by" in entry.reason or "not in the table" in entry.reason for entry in result.skipped)
    store = open_store(tmp_path / "s.zarr")
    assert set(store.pieces["title"]) == {"Prelude, BWV 862", "Prelude, BWV 858"}
    assert len(set(store.pieces["split"])) == 1  # one composer, one split
    assert len(set(store.pieces["work"])) == len(store.pieces["work"])  # but works of their own
    assert not validate(tmp_path / "s.zarr", composers=True)


def test_bad_tables(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no table"):
        read_metadata(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="no column music, youtube_id"):
        read_metadata(write(tmp_path / "a.csv", [], ["surname", "firstname"]))
    with pytest.raises(ValueError, match="could not convert"):
        read_metadata(write(tmp_path / "b.csv", [row("A", "B", "C", "abcdefghijK", "much")]))
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot be read as"):
        read_metadata(tmp_path / "c.csv")
    (tmp_path / "r.toml").write_text('[[sources]]\nmidi = "x"\ncurated = true\n')
    with pytest.raises(ValueError, match="need metadata"):
        read_recipe(tmp_path / "r.toml")
