"""The README's commands are commands that there are, and its Python runs."""

import re
import shlex
from pathlib import Path

import click
import pytest

import sfdata.cli
import sfmodel.cli
from sfdata import PairReader, open_store

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
GROUPS = {"sfdata": sfdata.cli.main, "sfmodel": sfmodel.cli.main}


def command_lines() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.replace("\\\n", "").splitlines()]
    return [line for line in lines if line and line[0] in GROUPS]


def test_there_are_commands_in_the_readme():
    assert {line[0] for line in command_lines()} == set(GROUPS)


@pytest.mark.parametrize("line", command_lines(), ids=" ".join)
def test_every_command_parses(line: list[str]):
    command: click.Command = GROUPS[line[0]]
    arguments = line[1:]
    while isinstance(command, click.Group):
        assert arguments[0] in command.commands
        command, arguments = command.commands[arguments[0]], arguments[1:]
    context = command.make_context(str(command.name), arguments, parent=click.Context(GROUPS[line[0]]))
    assert context.params


def test_the_make_targets_are_there():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", README)) <= targets


def test_the_python_runs(built_store: Path, monkeypatch: pytest.MonkeyPatch):
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert "PairReader" in block and "open_store" in block
    code = block.replace('"store.zarr"', repr(str(built_store)))
    names: dict[str, object] = {}
    exec(code, names)
    assert PairReader(open_store(built_store), "test").batch(slice(0, 64)).reference.shape == (64, 240, 88)
