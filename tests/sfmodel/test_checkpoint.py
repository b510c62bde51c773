import json
import shutil

import pytest
import torch

from sfdata.files import write_atomically
from sfmodel.checkpoint import (
    WEIGHTS_FORMAT,
    export_network,
    load_network,
    read_config,
    read_tensors,
    save_weights,
    write_config,
    write_tensors,
)
from sfmodel.networks import NetworkSettings, build_network
from sfmodel.report import write_report

TINY = NetworkSettings("reduced", 24, 9, 12, ((2,),), 0, (8,))


def config_of(settings: NetworkSettings) -> dict:
    from dataclasses import asdict

    return {"network": asdict(settings), "training": {}, "store": {}}


@pytest.fixture
def run_dir(tmp_path):
    torch.manual_seed(1)
    network = build_network(TINY)
    write_config(tmp_path, config_of(TINY))
    save_weights(tmp_path / "best.safetensors", network, {"epoch": 3, "validation_loss": 4.5})
    torch.manual_seed(2)
    save_weights(tmp_path / "last.safetensors", build_network(TINY), {"epoch": 7, "validation_loss": None})
    return tmp_path


def test_weights_come_back_exactly(run_dir):
    torch.manual_seed(1)
    expected = build_network(TINY).state_dict()
    network, config = load_network(run_dir)
    assert not network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    assert config["checkpoint"]["epoch"] == 3 and config["checkpoint"]["validation_loss"] == 4.5


def test_best_last_and_files_by_name(run_dir):
    assert load_network(run_dir, "last")[1]["checkpoint"]["epoch"] == 7
    assert load_network(run_dir / "last.safetensors")[1]["checkpoint"]["epoch"] == 7
    with pytest.raises(ValueError, match="expected one of best, last"):
        load_network(run_dir, "worst")


def test_missing_things_are_named(run_dir, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(FileNotFoundError, match=r"no config\.json in .*expected a folder made by"):
        load_network(empty)
    with pytest.raises(FileNotFoundError, match="no run at"):
        load_network(empty / "nothing")
    (run_dir / "best.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_network(run_dir)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_truncated_weights_are_refused(run_dir, length):
    path = run_dir / "best.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"best\.safetensors \(\d+ bytes\) is damaged"):
        load_network(run_dir)


def test_a_flipped_bit_is_found(run_dir):
    path = run_dir / "best.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="do not match their checksum"):
        load_network(run_dir)


def test_other_files_are_refused(run_dir):
    (run_dir / "best.safetensors").write_bytes(b"PK\x03\x04 a zip, or a pickle in one" * 10)
    with pytest.raises(ValueError, match="damaged or no safetensors file"):
        load_network(run_dir)
    write_tensors(run_dir / "best.safetensors", {"x": torch.zeros(2)}, "something-else", {})
    with pytest.raises(ValueError, match="'something-else' version '1'; expected 'sfmodel-weights'"):
        load_network(run_dir)


def test_config_and_weights_of_different_networks(run_dir):
    from dataclasses import asdict, replace

    write_config(run_dir, config_of(replace(TINY, dense=(9,))))
    with pytest.raises(ValueError, match="belong to different networks"):
        load_network(run_dir)
    # A file whose metadata agree but whose tensors don't.
    other = build_network(replace(TINY, dense=(9,))).state_dict()
    write_config(run_dir, config_of(TINY))
    write_tensors(run_dir / "best.safetensors", other, WEIGHTS_FORMAT, {"network": asdict(TINY)})
    with pytest.raises(ValueError, match=r"tensor 'head\.\d\.\w+' is torch.float32 \(.*asks for"):
        load_network(run_dir)
    del other["head.0.weight"]
    write_tensors(run_dir / "best.safetensors", other, WEIGHTS_FORMAT, {"network": asdict(TINY)})
    with pytest.raises(ValueError, match=r"tensor 'head\.0\.weight' is missing"):
        load_network(run_dir)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "not a run of sfmodel"),
        ('{"format": "sfmodel-run", "format_version": 9}', "format version 9; this sfmodel reads version 1"),
        ('{"format": "sfmodel-run", "format_version": 1}', "section 'network' is missing"),
        (
            '{"format": "sfmodel-run", "format_version": 1, "network": "x"}',
            "section 'network' is .x.; expected",
        ),
        ("[" * 200_000 + "]" * 200_000, "is no JSON"),
        ('{"format": "sfmodel-run", "format_version": 1, "network": {"name": "x"}}', "cannot be used"),
    ],
)
def test_damaged_configs(run_dir, content, message):
    (run_dir / "config.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_config(run_dir)


def test_an_absurd_config_allocates_nothing(run_dir):
    config = json.loads((run_dir / "config.json").read_text())
    config["network"]["dense"] = [10**9, 10**9]
    (run_dir / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="belong to different networks"):
        load_network(run_dir)


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_tensors_of_every_kind_come_back(tmp_path):
    tensors = {"scalar": torch.tensor(7), "empty": torch.zeros(0, 3), "strided": torch.arange(6.0).reshape(2, 3).T}
    write_tensors(tmp_path / "t", tensors, "kind", {"ä": [1, None]})
    found, facts = read_tensors(tmp_path / "t", "kind")
    assert facts == {"ä": [1, None]}
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)


def test_a_moved_run_still_loads(run_dir, tmp_path_factory):
    moved = tmp_path_factory.mktemp("elsewhere") / "run"
    shutil.move(run_dir, moved)
    assert load_network(moved)[1]["checkpoint"]["epoch"] == 3


def test_an_exported_network_stands_alone(run_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    write_config(run_dir, {**config_of(TINY), "store": {"path": "/home/someone/a.zarr", "pairs": 5}})
    size = export_network(run_dir, folder / "net.safetensors")
    assert size == (folder / "net.safetensors").stat().st_size
    network, config = load_network(folder / "net.safetensors")
    expected, _ = load_network(run_dir)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, expected.state_dict()[name]), name
    assert config["checkpoint"]["epoch"] == 3 and config["store"] == {"pairs": 5}  # nobody's path goes along
    assert load_network(export_of(run_dir, folder, "last"))[1]["checkpoint"]["epoch"] == 7
    # wherever it lies, also beside another run's config
    shutil.copy(folder / "net.safetensors", run_dir / "copy.safetensors")
    assert load_network(run_dir / "copy.safetensors")[1]["store"] == {"pairs": 5}


def export_of(run_dir, folder, which):
    export_network(run_dir, folder / f"{which}.safetensors", which)
    return folder / f"{which}.safetensors"


@pytest.mark.parametrize("facts", [None, 5, [1], {"config": 5}])
def test_facts_of_other_types(run_dir, facts):
    write_tensors(run_dir / "best.safetensors", build_network(TINY).state_dict(), WEIGHTS_FORMAT, facts)
    with pytest.raises(ValueError, match="facts in its metadata are no JSON object"):
        load_network(run_dir)


def test_facts_that_are_deep(run_dir, monkeypatch):
    deep = "[" * 100_000 + "]" * 100_000
    with monkeypatch.context() as patched:
        patched.setattr("sfmodel.checkpoint.json.dumps", lambda _facts: deep)
        write_tensors(run_dir / "best.safetensors", build_network(TINY).state_dict(), WEIGHTS_FORMAT, {})
    with pytest.raises(ValueError, match="facts in its metadata are no JSON object"):
        load_network(run_dir)


@pytest.mark.parametrize("store", [None, []])
def test_configs_without_a_store(run_dir, store):
    write_config(run_dir, config_of(TINY) | {"store": store})
    with pytest.raises(ValueError, match=r"section 'store' is (null|\[\]); expected an object"):
        export_network(run_dir, run_dir / "net.safetensors")
    with pytest.raises(ValueError, match=r"section 'store' is (null|\[\]); expected an object"):
        write_report(run_dir)


def test_what_cannot_be_exported(run_dir, tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.safetensors"):
        export_network(run_dir, tmp_path / "net.pt")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export_network(run_dir, tmp_path / "none" / "net.safetensors")
    with pytest.raises(FileNotFoundError, match="no run at"):
        export_network(tmp_path / "none", tmp_path / "net.safetensors")
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    shutil.copy(run_dir / "best.safetensors", lonely / "best.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        load_network(lonely / "best.safetensors")
