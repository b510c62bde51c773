"""Exports: read by the packages they are for, every label and value as in the store; refusals, interruptions."""

import importlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfdata import PairReader, open_store
from sfdata.build import build
from sfdata.cli import main
from sfdata.examples import LABELS, Shard, pair_labels, split_shards, typed_labels
from sfdata.export import FORMATS, MARKER, ExportSettings, export
from sfdata.midi import read_midi_notes, write_midi
from sfdata.pull import pull
from sfdata.recipe import read_recipe
from sfdata.schema import SPLITS, TABLES
from sfdata.whole_folder import SUMS
from tests.range_server import serving

SAMPLE = Path(__file__).parents[1] / "data" / "format-1.zarr.zip"
RECIPE = """
seed = 5
[[sources]]
midi = "midi"
licence = "{licence}"
attribution = "GiantMIDI-Piano, “übers.” | ByteDance"
[augment]
copies = 1
tempo = {{ factor = [0.9, 1.1] }}
[instruments]
references = ["timgm6mb:0"]
snippets = ["timgm6mb:1", "timgm6mb:4"]
[splits]
train = 1.0
validation = 1.0
test = 1.0
"""


def make(folder: Path, licence: str, midi: list[Path]) -> Path:
    (folder / "recipe.toml").write_text(RECIPE.format(licence=licence))
    (folder / "midi").mkdir()
    for file in midi:
        write_midi(folder / "midi" / file.name, read_midi_notes(file)[:70])
    build(read_recipe(folder / "recipe.toml"), folder / "three.zarr", workers=1)
    return folder / "three.zarr"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, short_midi: list[Path]) -> Path:
    """Three pieces, one for each split."""
    return make(tmp_path_factory.mktemp("export"), "CC-BY-4.0", short_midi)


@pytest.fixture(scope="module")
def exported(store: Path, tmp_path_factory: pytest.TempPathFactory):
    """Exports of the store, each made when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("exported"), {}

    def give(to: str) -> Path:
        if to not in made:
            made[to] = export(store, folder / to, ExportSettings(to, shard_pairs=30))
        return folder / to

    return give


def expected_labels(path: Path, row: int) -> dict[str, object]:
    """Labels of a pair, from the tables by hand."""
    store = open_store(path)
    pairs, notes = store.table("pairs"), store.table("notes")
    told = {name: values[row].item() for name, values in pairs.items()}
    reference, snippet = told["reference_rendition"], told["snippet_rendition"]
    piece = store.performances["piece"][store.renditions["performance"][reference]]
    told |= {"pair": row, "split": ("train", "validation", "test")[told["split"]]}
    told |= {name: int(notes[name][told["note"]]) for name in ("pitch", "velocity")}
    told |= {
        name: str(store.pieces[name][piece]) for name in ("title", "composer", "work", "file", "licence", "attribution")
    }
    told |= {
        f"{side}_instrument": str(store.instruments["name"][store.renditions["instrument"][rendition]])
        for side, rendition in (("reference", reference), ("snippet", snippet))
    }
    return told


def check_examples(path: Path, split: str, examples: list[tuple[np.ndarray, np.ndarray, dict]]) -> None:
    """Every value and every label of a split, in the order of the store."""
    opened = open_store(path)
    reader = PairReader(opened, split)
    batch = reader.batch(slice(None))
    assert len(examples) == len(reader)
    np.testing.assert_array_equal(np.stack([example[0] for example in examples]), batch.reference)
    np.testing.assert_array_equal(np.stack([example[1] for example in examples]), batch.snippet)
    assert [example[2]["pair"] for example in examples] == reader.rows.tolist()
    rows, labels = reader.rows, [example[2] for example in examples]
    for name in TABLES["pairs"]:  # all of them, straight from the table
        if name != "split":
            assert [told[name] for told in labels] == opened.pairs[name][rows].tolist(), name
    for i in {0, len(rows) // 2, len(rows) - 1}:
        assert labels[i] == expected_labels(path, int(rows[i]))


def test_labels_by_hand():
    store = open_store(SAMPLE)
    labels = pair_labels(store, np.array([3, 0]))
    assert list(labels) == list(LABELS)
    assert labels["pair"].tolist() == [3, 0] and labels["split"].tolist() == ["test", "test"]
    assert labels["target_frame"].tolist() == store.pairs["target_frame"][[3, 0]].tolist()
    assert labels["pitch"].tolist() == [int(store.notes["pitch"][store.pairs["note"][i]]) for i in (3, 0)]
    assert labels["pitch"].dtype == np.uint8 and labels["title"].dtype == object
    assert labels["snippet_instrument"].tolist() == ["timgm6mb:1"] * 2
    assert all(len(values) == 0 for values in pair_labels(store, np.array([], dtype=np.int64)).values())


def test_what_differs_is_named():
    def shard(value: float = 0.5, pitch: int = 60) -> Shard:
        frames = np.full((1, 2, 3), value, dtype=np.float16)
        return Shard(frames, frames[:, :1], typed_labels({"pitch": [pitch]}))

    assert shard().difference(shard()) == ""
    assert shard(0.25).difference(shard()) == "reference"
    assert shard(pitch=61).difference(shard()) == "label pitch"
    assert Shard(shard().reference, shard().snippet, {}).difference(shard()) == "names of the labels"
    wide = Shard(shard().reference.astype(np.float32), shard().snippet, shard().labels)
    assert wide.difference(shard()) == "reference"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
    dtype=st.sampled_from(["float16", "float32"]),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("form", ["webdataset", "datasets"])
def test_any_labels_and_values_come_back(form: str, tmp_path: Path, texts, numbers, dtype: str, seed: int):
    if form == "datasets":
        pytest.importorskip("pyarrow")
    module, rng, count = importlib.import_module(f"sfdata.export_{form}"), np.random.default_rng(seed), len(texts)

    def windows(frames: int) -> np.ndarray:
        values = np.frombuffer(rng.bytes(count * frames * 3 * np.dtype(dtype).itemsize), dtype)
        return np.nan_to_num(values, nan=-0.0).reshape(count, frames, 3)

    def label(name: str, kind: str) -> list:
        if kind in ("str", "float64"):
            return (texts if kind == "str" else numbers * count)[:count]
        low = 0 if name == "pair" else np.iinfo(kind).min
        return rng.integers(low, np.iinfo(kind).max, count, kind, endpoint=True).tolist()

    shard = Shard(windows(2), windows(1), typed_labels({name: label(name, told[0]) for name, told in LABELS.items()}))
    path = tmp_path / module.shard_name("train", 0, 1)
    module.write_shard(path, shard)
    assert shard.difference(module.read_shard(path)) == ""
    before = path.read_bytes()
    module.write_shard(path, shard)
    assert path.read_bytes() == before


def test_parquet_of_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    from sfdata import export_datasets as module

    monkeypatch.setattr(module, "ROW_GROUP", 20)
    shard = next(split_shards(open_store(SAMPLE), "test", 50))
    path = tmp_path / module.shard_name("test", 0, 1)
    module.write_shard(path, shard)
    assert parquet.ParquetFile(path).num_row_groups == 3
    assert shard.difference(module.read_shard(path)) == ""


def test_tar_files_tell_nothing_of_whoever_made_them(store: Path, exported):
    with tarfile.open(exported("webdataset") / "train-000000.tar") as archive:
        members = archive.getmembers()
    rows = open_store(store).pair_rows("train")[:30]
    endings = ("reference.npy", "snippet.npy", "json")
    assert [member.name for member in members] == [f"{row:09d}.{ending}" for row in rows for ending in endings]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, 0, "", "", 0o644)}


def test_webdataset_reads_every_pair(store: Path, exported):
    webdataset = pytest.importorskip("webdataset")
    folder = exported("webdataset")
    for split in SPLITS:
        files = sorted(str(path) for path in folder.glob(f"{split}-*.tar"))
        assert len(files) == -(-len(open_store(store).pair_rows(split)) // 30) > 1
        found = list(webdataset.WebDataset(files, shardshuffle=False).decode())
        assert [example["__key__"] for example in found] == [f"{example['json']['pair']:09d}" for example in found]
        check_examples(
            store, split, [(example["reference.npy"], example["snippet.npy"], example["json"]) for example in found]
        )


def test_datasets_reads_every_pair(store: Path, exported, tmp_path: Path):
    datasets = pytest.importorskip("datasets")
    folder = exported("datasets")
    found = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "one"))  # by what README.md's head says
    assert list(found) == list(SPLITS)
    for split in SPLITS:
        arrays = found[split].with_format("numpy", columns=["reference", "snippet"])[:]
        labels = found[split].remove_columns(["reference", "snippet"]).to_list()
        check_examples(store, split, list(zip(arrays["reference"], arrays["snippet"], labels, strict=True)))
    dtype = open_store(store).frames.dtype.name
    assert found["train"].features["reference"] == datasets.Array2D((240, 88), dtype)
    files = {split: str(folder / f"data/{split}-*.parquet") for split in SPLITS}
    plain = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "two"))
    kinds = plain["train"].features
    assert list(kinds) == list(found["train"].features) == ["reference", "snippet", *LABELS]
    assert kinds["reference"].feature.feature.dtype == dtype
    for label, (kind, _) in LABELS.items():
        assert kinds[label].dtype == found["train"].features[label].dtype == ("string" if kind == "str" else kind)
    for split in SPLITS:
        one, other = (data[split].remove_columns(["reference", "snippet"]) for data in (plain, found))
        assert one.to_list() == other.to_list()
    assert plain["test"][5]["reference"] == found["test"][5]["reference"]


@pytest.mark.filterwarnings("ignore:Passing a schema to Validator:DeprecationWarning")  # within jams
def test_jams_reads_every_note_and_pair(store: Path, exported):
    jams = pytest.importorskip("jams")
    folder, opened = exported("jams"), open_store(store)
    files = sorted(folder.rglob("*.jams"))
    assert len(files) == opened.rows("renditions")
    pairs = []
    for file in files:
        annotated = jams.load(str(file), validate=False)
        assert annotated.validate(strict=True)
        told = annotated.sandbox
        performance = int(opened.renditions["performance"][told.rendition])
        notes = opened.performance_notes(performance)
        assert file.parent.name == opened.pieces["split"][opened.performances["piece"][performance]]
        assert annotated.file_metadata.duration == opened.renditions["duration_s"][told.rendition]
        (given,), (onsets,) = annotated.search(namespace="note_midi"), annotated.search(namespace="onset")
        assert [note.time for note in given.data] == notes["onset_s"].tolist()
        assert [note.value for note in given.data] == notes["pitch"].tolist()
        np.testing.assert_allclose([n.time + n.duration for n in given.data], notes["offset_s"], rtol=0, atol=1e-12)
        for name in ("offset_s", "velocity", "source", "piece_note"):
            assert given.sandbox[name] == notes[name].tolist()
        assert [onset.time for onset in onsets.data] == sorted(set(notes["onset_s"].tolist()))
        columns = told.pairs
        for i, reference in enumerate(columns["reference_file"]):
            pairs.append({name: columns[name][i] for name in ("pair", *TABLES["pairs"])})
            sandbox = json.loads((folder / reference).read_text())["sandbox"]
            assert sandbox["rendition"] == columns["reference_rendition"][i]
    pairs.sort(key=lambda pair: pair["pair"])
    assert [pair["pair"] for pair in pairs] == list(range(opened.rows("pairs")))
    for name, values in opened.table("pairs").items():
        expected = [SPLITS[value] for value in values] if name == "split" else values.tolist()
        assert [pair[name] for pair in pairs] == expected


@pytest.mark.parametrize("to", list(FORMATS))
def test_licences_and_checksums_go_along(store: Path, exported, tmp_path: Path, to: str):
    if to == "datasets":
        pytest.importorskip("pyarrow")
    folder = exported(to)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=folder, check=True)
    assert "“übers.” \\| ByteDance" in (folder / "ATTRIBUTION.md").read_text()
    assert "CC-BY-4.0: 3 pieces" in (folder / "LICENSE").read_text()
    card = (folder / "README.md").read_text()
    assert card.startswith("---\n") and "license: cc-by-4.0" in card
    facts = json.loads((folder / MARKER).read_text())
    assert facts["to"] == to and sum(facts["pairs"].values()) == open_store(store).rows("pairs")
    assert all((folder / file).is_file() for file in facts["files"])
    again = tmp_path / "again"
    export(store, again, ExportSettings(to, shard_pairs=30))
    assert (again / SUMS).read_bytes() == (folder / SUMS).read_bytes()  # the same store, the same bytes
    pull(folder, tmp_path / "pulled")
    assert (tmp_path / "pulled" / SUMS).read_bytes() == (folder / SUMS).read_bytes()


def test_shuffled_pairs_are_the_same_ones():
    store = open_store(SAMPLE)

    def rows(seed: int | None) -> list[int]:
        shards = [shard.labels["pair"] for shard in split_shards(store, "test", 30, seed)]
        assert [len(shard) for shard in shards] == [30, 30, 19]
        return np.concatenate(shards).tolist()

    assert rows(None) == sorted(rows(1)) == list(range(79))
    assert rows(1) == rows(1) and rows(1) != rows(None) and rows(1) != rows(2)
    batch = PairReader(store, "test").batch(np.array(rows(1)[:30]))
    np.testing.assert_array_equal(next(split_shards(store, "test", 30, seed=1)).reference, batch.reference)


def test_a_store_elsewhere_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SFDATA_CACHE", str(tmp_path / "cache"))
    export(SAMPLE, tmp_path / "near", ExportSettings("webdataset"))
    with serving(SAMPLE.parent) as server:
        export(f"{server.url}/{SAMPLE.name}", tmp_path / "far", ExportSettings("webdataset"))
    assert (tmp_path / "far" / SUMS).read_bytes() == (tmp_path / "near" / SUMS).read_bytes()


def test_licences_are_heeded(tmp_path: Path, short_midi: list[Path]):
    restricted = make(tmp_path, "CC-BY-NC-SA-4.0", short_midi[:1])
    with pytest.raises(ValueError, match=r"CC-BY-NC-SA-4.0.*say --allow-noncommercial"):
        export(restricted, tmp_path / "no", ExportSettings("jams"))
    assert not (tmp_path / "no").exists()
    export(restricted, tmp_path / "yes", ExportSettings("jams"), allow_noncommercial=True)
    assert "Not for commercial use" in (tmp_path / "yes" / "LICENSE").read_text()


def test_a_folder_that_is_there_stays(tmp_path: Path):
    jams = ExportSettings("jams")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / SUMS).write_text("")
    with pytest.raises(ValueError, match="mine exists already; choose another name"):
        export(SAMPLE, tmp_path / "mine", jams)
    with pytest.raises(ValueError, match=r"holds no export\.json, so it was not made by this"):
        export(SAMPLE, tmp_path / "mine", jams, overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [SUMS]
    export(SAMPLE, tmp_path / "out", jams)
    export(SAMPLE, tmp_path / "out", ExportSettings("webdataset"), overwrite=True)
    assert not list((tmp_path / "out").rglob("*.jams")) and (tmp_path / "out" / "test-000000.tar").is_file()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path, error: type[BaseException]):
    def stop(step: str, done: int, total: int) -> None:
        assert (step, total) == ("export", 8) and not (tmp_path / "out").exists()
        if done == 3:
            raise error

    with pytest.raises(error):
        export(SAMPLE, tmp_path / "out", ExportSettings("webdataset", shard_pairs=10), progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_reads_back_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from sfdata import export_webdataset as module

    real = module._npy
    monkeypatch.setattr(module, "_npy", lambda array: real(np.where(array == array.max(), 0, array)))
    with pytest.raises(OSError, match=r"test-000000.tar: reference reads back other than it was written"):
        export(SAMPLE, tmp_path / "out", ExportSettings("webdataset"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"to": "csv"}, "export to 'csv'; expected one of webdataset, jams, datasets"),
        ({"to": "jams", "seed": 1}, "expected at least 0, and none for jams"),
        ({"to": "webdataset", "seed": -1}, "seed -1; expected at least 0"),
        ({"to": "webdataset", "shard_pairs": 0}, "shard_pairs 0; expected 1 to 65536"),
    ],
)
def test_settings_that_cannot_be(options: dict, told: str):
    with pytest.raises(ValueError, match=told):
        ExportSettings(**options)


def test_damaged_stores_are_refused(store: Path, tmp_path: Path):
    bad = shutil.copytree(store, tmp_path / "bad.zarr")
    chunk = next(path for path in (bad / "frames" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-50])
    with pytest.raises(ValueError, match="is not valid"):
        export(bad, tmp_path / "out", ExportSettings("webdataset"))
    assert not (tmp_path / "out").exists()


def test_without_pyarrow_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'sfdata\[parquet\]'"):
        export(SAMPLE, tmp_path / "out", ExportSettings("datasets"))


def test_the_command(tmp_path: Path):
    (choice,) = (option for option in main.commands["export"].params if option.name == "to")
    assert isinstance(choice.type, click.Choice) and list(choice.type.choices) == list(FORMATS)
    arguments = ["export", str(SAMPLE), "-o", str(tmp_path / "out"), "--to", "webdataset", "--shard-pairs", "50"]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["pairs"] == {"test": 79} and told["files"] == len(list((tmp_path / "out").iterdir())) == 7
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2 and "exists already" in again.output
    again = CliRunner().invoke(main, [*arguments, "--overwrite", "--seed", "3"])
    assert again.exit_code == 0 and "pairs: test 79" in again.output and "CC-BY-4.0" in again.output
