"""Sound of a store's renditions, made again from what is stored, for those who want to hear or use it."""

from pathlib import Path

import numpy as np

from sfdata.notes import write_notes_csv
from sfdata.progress import Progress
from sfdata.render import write_audio as write_sound
from sfdata.rerender import RecordedError, Rerenderer
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
    rerenderer, rate = Rerenderer(store), store.spectrogram.sample_rate_hz
    folder.mkdir()
    total = store.rows("renditions")
    for row in range(total):
        try:
            blocks = rerenderer.blocks(row)
        except RecordedError as error:
            raise ValueError(f"{store.path}: {error} (leave out --audio)") from None
        sound = np.concatenate(list(blocks))
        notes = store.note_array(int(store.renditions["performance"][row]))
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
