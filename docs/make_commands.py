"""Make ``commands.md``: every command's help, and what it prints in an example that is run for it.

Run it from the repository's root: ``python docs/make_commands.py`` writes the page, ``--check`` compares it with what
would be written, numbers aside (times differ, and so may the last digits of what was trained), and exits with 1.
"""

import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

import sfdata.cli
import sfmodel.cli
from sfdata.midi import read_midi_notes, write_midi
from sfdata.shipped_files import shipped_file
from sfdata.soundfonts import resolve_instrument

PAGE = Path(__file__).with_name("commands.md")
GROUPS = {"sfdata": sfdata.cli.main, "sfmodel": sfmodel.cli.main}
COLUMNS = "102"
MOST_LINES = 14
LASTS_S = 48  # of each piece: so the sonata's performance has the 45 s that 'sfdata edit' needs
MIDI = {"prelude.mid": "Bach*A-flat*", "fugue.mid": "Bach*F-sharp*", "sonata.mid": "Scarlatti*K9_*"}
RECIPE = """name = "mine"
seed = 1

[[sources]]
midi = "my-midi"
licence = "CC-BY-4.0"
attribution = "GiantMIDI-Piano (Kong, Li, Chen, Wang; ByteDance)"

[augment]
copies = 1
tempo = [0.75, 1.3]

[splits]
train = 1
validation = 1
test = 1
"""
FINE_RECIPE = RECIPE.replace("[augment]", "[spectrogram]\nframe_rate_hz = 50\n\n[augment]")
EXPERIMENT = """name = "first"
seeds = [0]
baselines = ["matched-filter"]

[stores.mine]
recipe = "my.toml"

[training]
model = "reduced"
epochs = 1
batch_size = 64
device = "cpu"

[[runs]]
name = "plain"
"""
META = '{"title": "Sonata", "source": "rendered from sonata.mid", "licence": "CC-BY-4.0"}'
# Run in this order; what is no command of ours is the shell's, and stands with the command that follows.
STORY = """
sfdata soundfonts list
sfdata soundfonts verify timgm6mb
cp {timgm6mb} my-piano.sf2
sfdata soundfonts add my-piano.sf2 --name timgm6mb
sfdata soundfonts fetch timgm6mb
sfdata extract my-midi/ -o voices/ --method all
sfdata augment voices/ -o performances/ --copies 1 --seed 7 --recipe my.toml
sfdata render performances/ --role score --soundfont timgm6mb:0 -o references/
sfdata render performances/ --role variant --soundfont timgm6mb:4 -o snippets/
sfdata build-pairs --references references/ --snippets snippets/ -o pairs.zarr --workers 1
sfdata build my.toml -o store.zarr --dry-run
sfdata build my.toml -o store.zarr --workers 1
sfdata isol -o maps-like/ --soundfont timgm6mb:1 --subsets CH
sfdata import maps maps-like/ -o maps.zarr --workers 1
sfdata info store.zarr
sfdata validate store.zarr
sfdata verify store.zarr --sample 10
sfdata plot store.zarr --pair 100 -o pair.png
sfdata report store.zarr -o report.html
sfdata share store.zarr -o shared/ --date 2026-01-01
sfdata pull shared/ -o pulled/
sfdata export store.zarr -o tars/ --to webdataset
sfdata export store.zarr -o jams/ --to jams
sfmodel models
sfmodel train store.zarr -o run/ --model reduced --epochs 2 --batch-size 64 --device cpu
sfmodel export run/ -o mine.safetensors
sfmodel evaluate run/ store.zarr
sfmodel evaluate matched-filter-5 store.zarr
sfmodel evaluate bundled store.zarr --json
cp performances/sonata.voice0.score.mid score.mid
cp snippets/sonata.voice0.variant1.flac performance.flac
sfmodel predict score.mid performance.flac --at 12.5 --at 20
sfmodel report run/ -o report/
sfmodel follow score.mid performance.flac
sfmodel align score.mid performance.flac -o alignment.csv
mkdir -p recordings/sonata
cp score.mid performance.flac alignment.csv meta.json recordings/sonata/
sfdata import aligned recordings/ -o recorded.zarr --workers 1
sfdata edit recordings/ -o edited/ --edit pause --edit skip
sfmodel benchmark recordings/ -o benchmark/ --task following --method follow
sfdata build fine.toml -o fine.zarr --workers 1
sfmodel train-follower fine.zarr -o follower/ --steps 20 --windows 2 --device cpu
sfmodel sweep experiment.toml -o sweep/ --stores .
"""
ELSEWHERE = {"sfmodel paper": "What it writes: [the paper's experiments](paper.md)."}
INTRODUCTION = """# Commands

What each command says of itself, and what it prints. The examples were run one after another in a folder with the
beginnings of three pieces of piano MIDI and a file that is none in `my-midi/`, and with this recipe as `my.toml`; `…`
stands for lines that are left out. `docs/make_commands.py` makes this page, and the tests compare it with what the
commands do.

```toml
{recipe}```
"""


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, with its full name."""
    if isinstance(command, click.Group):
        for part, inside in command.commands.items():
            yield from commands(inside, f"{name} {part}")
    else:
        yield name, command


def prepare(folder: Path) -> None:
    """Put MIDI, recipes and all that the story needs into the folder."""
    (folder / "my-midi").mkdir()
    for name, pattern in MIDI.items():
        notes = read_midi_notes(next(shipped_file("giantmidi").glob(pattern)))
        write_midi(folder / "my-midi" / name, notes[notes["onset_s"] < LASTS_S])
    (folder / "my-midi" / "broken.mid").write_bytes(b"This is no MIDI.")
    texts = {"my.toml": RECIPE, "fine.toml": FINE_RECIPE, "experiment.toml": EXPERIMENT, "meta.json": META}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def run_story(folder: Path) -> dict[str, list[str]]:
    """Run the story in the folder; the transcripts of each command."""
    names = {name for group, command in GROUPS.items() for name, _ in commands(command, group)}
    font = resolve_instrument("timgm6mb").path
    transcripts: dict[str, list[str]] = {}
    before: list[str] = []
    for line in STORY.strip().splitlines():
        words = shlex.split(line.format(timgm6mb=font))
        if words[0] not in GROUPS:
            subprocess.run(words, check=True, cwd=folder)
            before.append("$ " + line.format(timgm6mb="TimGM6mb.sf2"))
            continue
        done = CliRunner().invoke(GROUPS[words[0]], words[1:], prog_name=words[0])
        if done.exit_code:
            raise SystemExit(f"{line}: exit code {done.exit_code}\n{done.output}") from done.exception
        name = max((name for name in names if f"{line} ".startswith(f"{name} ")), key=len)
        transcripts.setdefault(name, []).append("\n".join([*before, f"$ {line}", *shortened(done.output, folder)]))
        before = []
    return transcripts


def shortened(output: str, folder: Path) -> list[str]:
    """Lines of what was printed: those of a long one's beginning and end, with no path of this machine."""
    output = output.replace(f"{folder}/", "").replace(sys.prefix, ".venv")
    output = re.sub(r"python3\.\d+", "python3", output)
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 3], "…", *lines[-2:]]
    return lines


def page(transcripts: dict[str, list[str]]) -> str:
    """The page."""
    parts = [INTRODUCTION.format(recipe=RECIPE)]
    for group, root in GROUPS.items():
        for name, command in commands(root, group):
            context = click.Context(command, info_name=name, parent=None, **root.context_settings)
            parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```\n")
            parts += [f"```console\n{transcript}\n```\n" for transcript in transcripts.get(name, [])]
            if name in ELSEWHERE:
                parts.append(ELSEWHERE[name] + "\n")
    return "\n".join(parts)


def without_numbers(text: str) -> list[str]:
    """Lines in which every number, and the space that lines it up, is the same."""
    return [re.sub(r"[\s#]+", " ", re.sub(r"-?\d[\d,.]*", "#", line)) for line in text.splitlines()]


def main() -> int:
    """Write the page, or compare it."""
    os.environ["COLUMNS"] = COLUMNS
    os.environ["MPLBACKEND"] = "agg"
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.environ["SFDATA_SOUNDFONTS"] = str(folder / "soundfonts")
        prepare(folder)
        os.chdir(folder)
        try:
            made = page(run_story(folder))
        finally:
            os.chdir(here)
    if "--check" not in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    held = PAGE.read_text(encoding="utf-8")
    differences = list(difflib.unified_diff(without_numbers(held), without_numbers(made), "commands.md", "now", n=0))
    print("\n".join(differences))
    return int(bool(differences))


if __name__ == "__main__":
    sys.exit(main())
