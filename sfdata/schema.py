"""What a store of format ``sfdata-pairs`` holds: its tables' columns, declared once, and how they are checksummed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "sfdata-pairs"
FORMAT_VERSION = 1
SPLITS = ("train", "validation", "test")
EVERY = "all"  # of what stands in all splits

Table = Mapping[str, NDArray[Any]]

TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "pieces": {
        "title": ("str", "title as the file's name tells it"),
        "composer": ("str", "composer, empty where unknown"),
        "source_id": ("str", "the source's own id (GiantMIDI-Piano: the YouTube id), empty where unknown"),
        "file": ("str", "file name of the source"),
        "sha256": ("str", "of the source file"),
        "licence": ("str", "SPDX identifier or free text, empty where unknown"),
        "attribution": ("str", "whom to credit"),
        "split": ("str", "train, validation or test; all where its onsets are divided"),
        "work": ("str", "pieces of one work share this key"),
        "cut_s": ("float64", "leading silence cut off (below 0: added): time in the source = time here + cut_s"),
    },
    "instruments": {
        "name": ("str", "soundfont:program"),
        "preset": ("str", "the preset's name inside the soundfont"),
        "file": ("str", "file name of the soundfont"),
        "sha256": ("str", "of the soundfont"),
        "bank": ("int32", "MIDI bank"),
        "program": ("int32", "MIDI program, from 0"),
        "licence": ("str", "of the soundfont, empty where unknown"),
        "split": ("str", "the split it is kept to, or all"),
    },
    "performances": {
        "piece": ("int32", "row of pieces"),
        "voice": ("int32", "number of the voice within its piece"),
        "method": ("str", "how the voice was extracted"),
        "role": ("str", "score or variant"),
        "copy": ("int32", "number of the variant, 0 for the score"),
        "first_note": ("int64", "row of notes"),
        "note_count": ("int32", "rows of notes"),
        "augmentation": ("str", "what was drawn, as JSON; {} for the score"),
    },
    "notes": {
        "onset_s": ("float64", "in the performance as rendered"),
        "offset_s": ("float64", "in the performance as rendered"),
        "pitch": ("uint8", "MIDI pitch as sounding"),
        "velocity": ("uint8", "MIDI velocity"),
        "source": ("int32", "number of the voice's note it came from, -1 for an added one"),
        "piece_note": ("int32", "number of the piece's note that one came from, -1 for an added one"),
    },
    "renditions": {
        "first_frame": ("int64", "row of frames"),
        "frame_count": ("int64", "rows of frames"),
        "performance": ("int32", "row of performances"),
        "instrument": ("int32", "row of instruments"),
        "use": ("str", "what pairs may use it for: reference, snippet, or both"),
        "duration_s": ("float64", "of the sound"),
        "gain": ("float32", "linear factor applied to the sound"),
        "room": ("str", "room applied to the sound, empty for none"),
        "sound": ("str", "all that was drawn to befall the sound, as JSON; {} for nothing"),
        "sha256": ("str", "of the rendition's frames as stored, C order"),
    },
    "pairs": {
        "reference_rendition": ("int32", "row of renditions"),
        "reference_start_frame": ("int64", "start of the reference, relative to its rendition"),
        "snippet_rendition": ("int32", "row of renditions"),
        "snippet_centre_s": ("float64", "the snippet's onset, in its rendition"),
        "target_frame": ("float64", "the onset's position in the reference, in frames"),
        "target_s": ("float64", "the onset's position in the reference, in seconds"),
        "note": ("int64", "row of notes: the snippet's onset"),
        "split": ("uint8", "0 train, 1 validation, 2 test"),
        "lookalikes": ("int16", "other passages in the same reference with the same notes"),
    },
}


def array_sha256(values: NDArray[Any]) -> str:
    """SHA-256 of an array's content: raw bytes in C order, or UTF-8 lines for strings."""
    if values.dtype.kind in "OUT":
        return hashlib.sha256("\n".join(json.dumps(str(value)) for value in values).encode()).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
