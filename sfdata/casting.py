"""Casting: which instruments play a piece's performances, and what befalls their sound on the way.

Instruments are drawn from pools once the piece's split is known, so that what plays in the test split need not have
been heard in training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sfdata.outline import PerformanceOutline, PieceOutline
from sfdata.plan import RenditionPlan
from sfdata.recipe import InstrumentSettings, Recipe
from sfdata.rooms import RoomFile
from sfdata.sound import draw_sound
from sfdata.soundfonts import Instrument, resolve_pool
from sfdata.spectrogram import frame_count


@dataclass(frozen=True)
class Pools:
    """Instruments on this machine, by what they play: references and snippets of train and validation, and of test."""

    references: tuple[Instrument, ...]
    snippets: tuple[Instrument, ...]
    test_references: tuple[Instrument, ...]
    test_snippets: tuple[Instrument, ...]


def resolve_pools(settings: InstrumentSettings) -> Pools:
    """Find a recipe's instruments, and mark those that only train and validation, or only test, may hear.

    Raises
    ------
    FileNotFoundError
        If a soundfont is not on this machine.
    ValueError
        If a name is unknown, an instrument of the train pool is meant for the test pool, or a registered soundfont
        is kept to the other split.
    """
    train = {side: resolve_pool(getattr(settings, side)) for side in ("references", "snippets")}
    test = {side: resolve_pool(getattr(settings, f"test_{side}")) for side in ("references", "snippets")}
    both = sorted({i.name for i in train["snippets"]} & {i.name for i in test["snippets"]})
    if both:
        raise ValueError(f"instruments: {', '.join(both)} in snippets and in test_snippets; expected disjoint pools")
    used = {
        "train": {i for pool in train.values() for i in pool},
        "test": {i for side in test for i in (test[side] or train[side])},
    }

    def marked(pool: Sequence[Instrument]) -> tuple[Instrument, ...]:
        return tuple(replace(i, split=_kept_to(i, i in used["train"], i in used["test"])) for i in pool)

    return Pools(*(marked(pool) for pool in (*train.values(), *test.values())))


def _kept_to(instrument: Instrument, in_train: bool, in_test: bool) -> str:
    split = "all" if in_train and in_test else "train" if in_train else "test"
    if instrument.split not in ("all", split):
        where = {"all": "plays in all splits", "train": "plays in training", "test": "plays in the test"}[split]
        raise ValueError(
            f"instruments: {instrument.name} {where}, and the registry keeps it to {instrument.split}; "
            "choose another, name test pools, or change its entry in the registry"
        )
    return split


def cast_piece(
    piece: PieceOutline, split: str, recipe: Recipe, pools: Pools, rooms: Sequence[RoomFile] = ()
) -> PieceOutline:
    """Decide on all renditions of a piece.

    Parameters
    ----------
    piece : PieceOutline
        Its performances; renditions are replaced.
    split : str
        The piece's.
    recipe : Recipe
    pools : Pools
    rooms : sequence of RoomFile
        The user's impulse responses, where the recipe names a folder of them.
    """
    chosen = recipe.instruments
    test = split == "test"
    references = (test and pools.test_references) or pools.references
    snippets = (test and pools.test_snippets) or pools.snippets
    varied = any(performance.role == "variant" for performance in piece.performances)
    renditions: list[RenditionPlan] = []
    for index, performance in enumerate(piece.performances):
        rng = np.random.default_rng([recipe.seed, int(piece.sha256[:16], 16), index, 3])
        playing: dict[str, list[Instrument]] = {}
        if performance.role == "score":
            playing["reference"] = _draw(references, chosen.draw_references, rng)
        if performance.role == "variant" or not varied:
            playing["snippet"] = _draw(snippets, chosen.draw_snippets, rng)
        # One rendition for each instrument, even where it serves as reference and as snippet, if it sounds the same.
        made: dict[tuple[Instrument, str], RenditionPlan] = {}
        for side, instruments in playing.items():
            for instrument, own in zip(instruments, rng.spawn(len(instruments)), strict=True):
                affected = side == "snippet" or recipe.sound.references
                sound = draw_sound(recipe.sound, own, rooms) if affected else {}
                key = (instrument, side if sound else "")
                held = made.get(key) or _rendition(index, performance, instrument, sound, recipe)
                made[key] = replace(
                    held,
                    is_reference=held.is_reference or side == "reference",
                    is_snippet=held.is_snippet or side == "snippet",
                )
        renditions += made.values()
    return replace(piece, renditions=tuple(renditions))


def _draw(pool: Sequence[Instrument], count: int, rng: np.random.Generator) -> list[Instrument]:
    """Draw `count` of a pool, in the pool's order; all of them for 0, or where there are not more."""
    if not 0 < count < len(pool):
        return list(pool)
    return [pool[i] for i in sorted(rng.choice(len(pool), count, replace=False))]


def _rendition(
    index: int, performance: PerformanceOutline, instrument: Instrument, sound: dict[str, object], recipe: Recipe
) -> RenditionPlan:
    return RenditionPlan(
        performance=index,
        instrument=instrument,
        samples=performance.samples,
        frames=frame_count(performance.samples, recipe.spectrogram),
        is_reference=False,
        is_snippet=False,
        sound=sound,
    )
