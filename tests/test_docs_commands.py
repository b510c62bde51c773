"""The page of commands: what it shows is what the commands print."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sfdata.cli
import sfmodel.cli

ROOT = Path(__file__).resolve().parents[1]


def test_every_command_has_an_example_that_was_run():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page, flags=re.DOTALL | re.MULTILINE))
    for group, main in (("sfdata", sfdata.cli.main), ("sfmodel", sfmodel.cli.main)):
        for name, command in main.commands.items():
            for path in [f"{name} {part}" for part in getattr(command, "commands", {})] or [name]:
                section = sections.pop(f"{group} {path}")
                assert f"\n$ {group} {path}" in section or path == "paper"
    assert not sections


@pytest.mark.slow
def test_the_page_is_what_they_print():
    told = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, ROOT / "docs" / "make_commands.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
