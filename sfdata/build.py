"""Building a store from MIDI: find sources, have them outlined, and write the store (:mod:`sfdata.writing`).

Worker processes import the main module, as everywhere in Python: a script that calls :func:`build` with more than one
worker does so under ``if __name__ == "__main__":``.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from sfdata.append import Held
from sfdata.casting import cast_piece, resolve_pools
from sfdata.locks import only_builder
from sfdata.outline import PieceOutline, try_outline
from sfdata.place import Place
from sfdata.plan import Skipped
from sfdata.progress import Progress
from sfdata.recipe import Recipe
from sfdata.sources import find_sources
from sfdata.wip import named_already, recover, remove_left_over
from sfdata.workers import Workers
from sfdata.writing import BuildResult, check_target, software_versions, write_store


def build(
    recipe: Recipe,
    output: str | Path,
    midi: Sequence[str | Path] = (),
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    overwrite: bool = False,
    append: bool = False,
    progress: Progress | None = None,
) -> BuildResult:
    """Build a store from MIDI in one pass, with no audio on disk.

    Parameters
    ----------
    recipe : Recipe
    output : path or URL
        The store to write: a folder, or what fsspec reaches, such as ``s3://bucket/store.zarr``.
    midi : sequence of paths
        Files and folders that replace the recipe's sources.
    workers : int, optional
        Local processes; default one a core.
    scheduler : str, optional
        Address of a running Dask scheduler to use instead.
    overwrite : bool
        Replace an existing store once the new one is whole.
    append : bool
        Extend an existing store by what the recipe, or `midi`, has that it lacks; see :mod:`sfdata.append`.
    progress : callable, optional
        See :mod:`sfdata.progress`.

    Returns
    -------
    BuildResult
        Of the whole store.

    Raises
    ------
    FileNotFoundError
        If a source or a soundfont is not there.
    ValueError
        If the target exists, no file could be used, pieces could not be written, or an interrupted build of something
        else lies there.
    """
    began, target = time.monotonic(), Place(output)
    sources, unwanted = find_sources(recipe, midi)
    pools, rooms = resolve_pools(recipe.instruments), recipe.rooms()
    attrs = recipe.as_dict() | ({"sources": [{"midi": "given on the command line"}]} if midi else {})
    attrs["instruments"] |= {side: [i.name for i in getattr(pools, side)] for side in vars(pools)}  # without paths

    def cast(piece: PieceOutline, split: str) -> PieceOutline:
        return cast_piece(piece, split, recipe, pools, rooms)

    with only_builder(target), Workers(workers, scheduler) as crew:
        recover(target)
        if append and named_already(target):
            remove_left_over(target)  # what was to be appended then is in the store
        held = Held(target, recipe, software_versions()) if append else None
        if held is None:
            check_target(target, overwrite, attrs)
        planned: dict[int, PieceOutline | Skipped] = {}
        for index, piece in crew.run(try_outline, sources, recipe):
            planned[index] = piece
            if progress:
                progress("plan", len(planned), len(sources))
        results = [planned[index] for index in range(len(sources))]
        pieces = [piece for piece in results if isinstance(piece, PieceOutline)]
        skipped = unwanted + [piece for piece in results if isinstance(piece, Skipped)]
        return write_store(
            recipe, attrs, pieces, skipped, target, crew, began, progress, overwrite=overwrite, cast=cast, held=held
        )
