import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from sfdata.cli import main


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output if code else result.stdout


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        found += (
            commands(command, (*prefix, name)) if isinstance(command, click.Group) else [((*prefix, name), command)]
        )
    return found


@pytest.mark.parametrize(
    "path, command", commands(main), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_help_with_an_example(path, command):
    text = call(*path, "--help")
    assert f"Example: sfdata {' '.join(path)}" in " ".join(text.split())
    for option in command.params:
        assert isinstance(option, click.Argument) or option.help, f"{option.name} has no help"


def test_commands_stand_in_the_order_of_the_pipeline():
    expected = ["soundfonts", "extract", "augment", "render", "build-pairs", "build", "isol", "import", "edit"]
    expected += ["info", "validate", "verify", "plot", "report", "share", "export", "pull"]
    assert list(main.commands) == expected


def test_the_whole_way_by_single_commands(tmp_path: Path, short_midi):
    (tmp_path / "midi").mkdir()
    for path in short_midi[:2]:
        (tmp_path / "midi" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "midi" / "broken.mid").write_bytes(b"nothing")
    steps: list[tuple[Any, ...]] = [
        ("extract", tmp_path / "midi", "-o", tmp_path / "voices"),
        ("augment", tmp_path / "voices", "-o", tmp_path / "performances", "--copies", 1, "--seed", 7),
        ("render", tmp_path / "performances", "--role", "score", "-o", tmp_path / "audio"),
        (
            "render",
            tmp_path / "performances",
            "--role",
            "variant",
            "--soundfont",
            "timgm6mb:1",
            "-o",
            tmp_path / "audio2",
        ),
    ]
    for step in steps:
        result = json.loads(call(*step, "--json"))
        assert result["written"] == (4 if step[0] == "augment" else 2)
        assert [entry["source"] for entry in result["skipped"]] == (["broken.mid"] if step[0] == "extract" else [])
    call(*steps[0], "--strict", code=1)
    store = tmp_path / "store.zarr"
    built = json.loads(
        call(
            "build-pairs", "--references", tmp_path / "audio", "--snippets", tmp_path / "audio2", "-o", store, "--json"
        )
    )
    assert set(built) == {"store", "pieces", "renditions", "pairs", "audio_s", "elapsed_s", "skipped"}
    facts = json.loads(call("info", store, "--json"))
    assert facts["pairs"] == built["pairs"] > 100
    assert {"format_version", "pieces", "renditions", "pairs", "frames", "bins", "frame_rate_hz", "splits",
            "instruments", "bytes"} <= set(facts)  # fmt: skip
    assert "timgm6mb:0" in call("info", store)
    assert json.loads(call("validate", store, "--json")) == {"valid": True, "problems": [], "remarks": []}
    call("plot", store, "--pair", 3, "-o", tmp_path / "pair.png")
    assert (tmp_path / "pair.png").stat().st_size > 10_000


def test_build(tmp_path: Path, short_midi):
    store = tmp_path / "s.zarr"
    built = json.loads(
        call("build", "pipelines/demo.toml", *short_midi[:1], "-o", store, "--workers", 1, "--seed", 3, "--json")
    )
    assert built["pieces"] == 1 and built["skipped"] == []
    assert "exists already" in call("build", "pipelines/demo.toml", *short_midi[:1], "-o", store, code=2)
    assert "valid" in call("validate", store)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["info", "nowhere.zarr"], "no store at nowhere.zarr"),
        (["build", "nothing.toml", "-o", "x.zarr"], "no recipe at nothing.toml"),
        (["extract", "nowhere", "-o", "x"], "no MIDI file or folder"),
        (["render", "nowhere", "-o", "x", "--soundfont", "organ:0"], "registry knows timgm6mb"),
        (["augment", "nowhere", "-o", "x", "--tempo", "2", "1"], "tempo"),
        (["soundfonts", "verify", "organ"], "no soundfont organ"),
    ],
)
def test_input_errors_are_one_line_and_exit_with_2(arguments, said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    output = call(*arguments, code=2)
    assert said in output and "Traceback" not in output


def test_soundfonts():
    assert json.loads(call("soundfonts", "list", "--json"))[0]["name"] == "timgm6mb"
    assert "Harpsichord" in call("soundfonts", "list")
    found = json.loads(call("soundfonts", "verify", "--json"))
    assert found["valid"] and found["problems"] == [] and "timgm6mb" not in found["absent"]
