"""Sound of a store's renditions, made again from what is stored, for those who want to hear or use it."""

import json
from pathlib import Path

import numpy as np

from sfdata.notes import write_notes_csv
from sfdata.progress import Progress
from sfdata.recipe import recipe_from_dict
from sfdata.render import render_blocks
from sfdata.render import write_audio as write_sound
from sfdata.sound import sound_blocks, tuning_cents
from sfdata.soundfonts import resolve_instrument
from sfdata.store import Store


def write_audio(store: Store, folder: Path, progress: Progress | None = None) -> int:
    """Write each rendition as ``NNNNN_PIECE_INSTRUMENT.flac`` with its notes beside it.

    Parameters
    ----------
    store : Store
    folder : Path
    progress : callable, optional

    Returns
    -------
    int
        How many.

    Raises
    ------
    ValueError
        If a rendition was recorded rather than rendered, or its soundfont is another one here.
    FileNotFoundError
        If a soundfont is not on this machine.
    """
    recipe = recipe_from_dict(store.attrs["recipe"] | {"sources": [], "instruments": {}})
    rate, rooms = store.spectrogram.sample_rate_hz, recipe.rooms()
    folder.mkdir()
    total = store.rows("renditions")
    for row in range(total):
        played = int(store.renditions["instrument"][row])
        name, sha256 = (str(store.instruments[column][played]) for column in ("name", "sha256"))
        if not sha256:
            raise ValueError(
                f"{store.path}: {name} was recorded; only rendered sound can be made again (leave out --audio)"
            )
        instrument = resolve_instrument(name)
        if instrument.sha256 != sha256:
            raise ValueError(
                f"{name} is another file here, sha256 {instrument.sha256}; the store was made with {sha256}"
            )
        performance = int(store.renditions["performance"][row])
        notes, record = store.note_array(performance), json.loads(store.renditions["sound"][row])
        blocks = render_blocks(notes, instrument, rate, recipe.render, tuning_cents(record))
        sound = np.concatenate(list(sound_blocks(blocks, rate, record, rooms)))
        stem = rendition_stem(store, row)
        write_sound(folder / f"{stem}.flac", sound, rate)
        write_notes_csv(folder / f"{stem}.notes.csv", notes)
        if progress:
            progress("write sound", row + 1, total)
    return total


def rendition_stem(store: Store, row: int) -> str:
    """Name of a rendition's files without its ending: ``NNNNN_PIECE_INSTRUMENT``."""
    performance, played = (int(store.renditions[column][row]) for column in ("performance", "instrument"))
    title = store.pieces["title"][store.performances["piece"][performance]]
    return f"{row:05d}_{_plain(title)}_{_plain(store.instruments['name'][played])}"


def _plain(text: str) -> str:
    """What may stand in a file's name anywhere."""
    return "".join(c if c.isascii() and (c.isalnum() or c == "-") else "-" for c in str(text))[:60].strip("-")
