"""Sources: which MIDI files a build reads, and which of them its recipe does not want."""

from collections.abc import Sequence
from pathlib import Path

from sfdata.metadata import read_metadata, reason_to_skip
from sfdata.midi import find_midi, printable
from sfdata.naming import parse_name
from sfdata.plan import Skipped, Source
from sfdata.recipe import Recipe, SourceSettings


def find_sources(recipe: Recipe, midi: Sequence[str | Path] = ()) -> tuple[list[Source], list[Skipped]]:
    """Find the files to be planned, with what metadata tell of them.

    Parameters
    ----------
    recipe : Recipe
    midi : sequence of paths
        Files and folders that replace the recipe's sources.

    Returns
    -------
    sources : list of Source
        With absolute paths: workers may have another working directory.
    unwanted : list of Skipped
        Files that the recipe's choice leaves out.

    Raises
    ------
    FileNotFoundError
        If a source is not there or holds no MIDI.
    ValueError
        If there are none.
    """
    if midi:
        paths = find_midi([Path(path).absolute() for path in midi])
        return [Source(path, SourceSettings(midi=path.name)) for path in paths], []
    if not recipe.sources:
        raise ValueError("the recipe names no sources; give MIDI files or folders on the command line")
    wanted: list[Source] = []
    unwanted: list[Skipped] = []
    for settings in recipe.sources:
        metadata = read_metadata(recipe.folder / settings.metadata) if settings.metadata else None
        for path in find_midi([recipe.source_path(settings)]):
            stem = printable(path.stem)
            facts = metadata.of(stem) if metadata else None
            reason = reason_to_skip(parse_name(stem), facts, settings.selection)
            if reason:
                unwanted.append(Skipped(printable(path.name), reason))
            else:
                wanted.append(Source(path.absolute(), settings, facts.name if facts else None))
    return wanted, unwanted
