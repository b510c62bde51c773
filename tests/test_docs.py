"""The documentation: the site builds without a warning, its commands are commands that there are."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import click
import pytest

import sfdata.cli
import sfmodel.cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "sfmodel" / "weights").glob("*.md")),
]
GROUPS = {"sfdata": sfdata.cli.main, "sfmodel": sfmodel.cli.main}


def command_lines() -> list[tuple[str, list[str]]]:
    """Each command in a block of shell, with its page."""
    lines = []
    for page in PAGES:
        for block in re.findall(r"```(?:sh|console|)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
            for line in block.replace("\\\n", "").splitlines():
                line = line.removeprefix("$ ")
                if re.match(r"sf(data|model) [a-z-]+(?!:)\b", line) and "…" not in line:
                    lines.append((page.name, [word for word in shlex.split(line, comments=True) if word != "|"]))
    return lines


def test_pages_hold_commands_of_both():
    assert {(page, line[0]) for page, line in command_lines()} >= {("README.md", group) for group in GROUPS}


@pytest.mark.parametrize(
    "page, line", command_lines(), ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_every_command_parses(page: str, line: list[str]):
    command: click.Command = GROUPS[line[0]]
    arguments = line[1:]
    while isinstance(command, click.Group):
        assert arguments[0] in command.commands
        command, arguments = command.commands[arguments[0]], arguments[1:]
    context = command.make_context(str(command.name), arguments, parent=click.Context(GROUPS[line[0]]))
    assert context.params


def test_the_make_targets_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert set(named) <= targets, page.name


def test_every_dependency_is_listed_with_its_licence():
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([a-z0-9-]+) \| (\S.*?) \|", page, flags=re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [names for extra, names in project["optional-dependencies"].items() if extra not in ("dev", "docs")]
    for text in (name for names in [project["dependencies"], *extras] for name in names):
        name = re.split(r"[ ;<>=\[]", text)[0].replace("_", "-").lower()
        assert name in listed, name
        try:
            stated = metadata(name).get("License-Expression")
        except PackageNotFoundError:
            continue  # of an extra that is not installed here
        assert stated is None or stated.split()[0] in listed[name], f"{name} is under {stated} now"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path):
    pytest.importorskip("mkdocs")
    told = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "commands.html", "tutorial.html", "api/sfdata.html", "CHANGELOG.html"} <= pages
    api = (tmp_path / "site" / "api" / "sfdata.html").read_text(encoding="utf-8")
    assert 'id="sfdata.store.open_store"' in api and ":func:" not in api and ":class:" not in api
    for path in (tmp_path / "site").rglob("*.html"):  # nothing is fetched from elsewhere
        text = path.read_text(encoding="utf-8")
        for address in re.findall(r"<(?:script|link|img|iframe)[^>]*?(?:src|href)=\"?(https?://[^\"> ]+)", text):
            assert not address, f"{path.name} loads {address}"
