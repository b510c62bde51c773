"""Stores elsewhere: a local server that speaks S3, and fsspec's memory."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest

from sfdata import PairReader, open_store
from sfdata.build import build
from sfdata.info import info
from sfdata.layout import StoreSettings
from sfdata.place import Place
from sfdata.recipe import Recipe
from sfdata.schema import TABLES
from sfdata.validate import validate

pytest.importorskip("s3fs")
pytest.importorskip("moto")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory):
    """A bucket on a server of our own on loopback; everything that talks to S3 is pointed there."""
    port = free_port()
    log = (tmp_path_factory.mktemp("s3") / "log.txt").open("w")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    told = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        for _ in range(100):
            try:
                fsspec.filesystem("s3", skip_instance_cache=True).mkdir("bucket")
                break
            except Exception:
                assert server.poll() is None
                time.sleep(0.2)
        yield "s3://bucket"
    finally:
        server.kill()
        server.wait()
        log.close()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def coarse_recipe(small_recipe: Recipe) -> Recipe:
    """With shards as they are by default: fewer requests."""
    return replace(small_recipe, store=StoreSettings())


@pytest.fixture(scope="module")
def coarse_store(tmp_path_factory: pytest.TempPathFactory, coarse_recipe: Recipe, short_midi: list[Path]) -> Path:
    path = tmp_path_factory.mktemp("store") / "coarse.zarr"
    build(coarse_recipe, path, short_midi, workers=1)
    return path


def same_content(one: Path | str, other: Path | str) -> None:
    first, second = open_store(one), open_store(other)
    assert first.attrs == second.attrs
    for name in TABLES:
        for column, values in first.table(name).items():
            assert np.array_equal(values, second.table(name)[column])
    assert np.array_equal(first.frames[:], second.frames[:])


def test_a_store_in_a_bucket_is_the_same(bucket, coarse_store, coarse_recipe, short_midi):
    url = f"{bucket}/s.zarr"
    result = build(coarse_recipe, url, short_midi, workers=2)
    assert result.store == url and result.pieces == 3
    same_content(coarse_store, url)
    assert not validate(url)
    assert info(url)["pairs"] == result.pairs
    assert len(PairReader(open_store(url), "test").batch(slice(0, 4)).reference) == 4
    assert not Place(url).beside(".wip").exists()
    assert build(coarse_recipe, url, short_midi, workers=1).pairs == result.pairs  # it is made already
    with pytest.raises(ValueError, match="exists already"):
        build(replace(coarse_recipe, seed=7), url, short_midi, workers=1)


def test_an_interrupted_build_in_a_bucket_goes_on(bucket, coarse_store, coarse_recipe, short_midi, monkeypatch):
    url, noted = f"{bucket}/i.zarr", []
    real = __import__("sfdata.wip", fromlist=["note_done"]).note_done

    def note_then_stop(*what: object) -> None:
        real(*what)
        noted.append(what)
        raise KeyboardInterrupt

    monkeypatch.setattr("sfdata.writer.note_done", note_then_stop)
    with pytest.raises(KeyboardInterrupt):
        build(coarse_recipe, url, short_midi, workers=1)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="not a \\(finished\\) sfdata store"):
        open_store(url)
    with pytest.raises(ValueError, match="interrupted build of other"):
        build(replace(coarse_recipe, seed=7), url, short_midi, workers=1)
    told: list[tuple] = []
    build(coarse_recipe, url, short_midi, workers=1, progress=lambda *state: told.append(state[:3]))
    assert len(noted) == 1 and ("render", 1, 3) in told and ("render", 0, 3) not in told
    same_content(coarse_store, url)


def test_a_second_build_in_a_bucket_refuses(bucket, small_recipe, short_midi):
    url = f"{bucket}/l.zarr"
    lease = {"token": "another", "host": "elsewhere", "process": 7, "until": time.time() + 30}
    Place(url).beside(".wip").write("builder.json", json.dumps(lease).encode())
    with pytest.raises(ValueError, match=r"another build \(process 7 on elsewhere\) is writing"):
        build(small_recipe, url, short_midi[:1], workers=1)
    Place(url).beside(".wip").write("builder.json", json.dumps({**lease, "until": time.time() - 1}).encode())
    build(small_recipe, url, short_midi[:1], workers=1)  # its builder ended long ago


def test_what_only_one_process_sees(built_store, small_recipe, short_midi):
    with pytest.raises(ValueError, match="seen by one process only; take --workers 1"):
        build(small_recipe, "memory://m.zarr", short_midi, workers=2)
    build(small_recipe, "memory://m.zarr", short_midi, workers=1)
    same_content(built_store, "memory://m.zarr")


def test_file_urls_are_paths(tmp_path, built_store, small_recipe, short_midi):
    build(small_recipe, f"file://{tmp_path}/f.zarr", short_midi, workers=1)
    same_content(built_store, tmp_path / "f.zarr")


def test_an_unknown_protocol(small_recipe, short_midi):
    with pytest.raises(ValueError, match="cannot be reached"):
        build(small_recipe, "nowhere://x.zarr", short_midi[:1], workers=1)


def test_places_travel():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(str, (Place("s3://bucket/a.zarr"),)) == "s3://bucket/a.zarr"
