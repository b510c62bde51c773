"""A page on which one watches a performance being followed: one self-contained HTML file.

It plays the performance; above, the reference's spectrogram and piano roll pass under the cursor with the belief below
them; beneath, the whole path. No resource from outside, and no script but the page's own.
"""

import base64
import hashlib
import io
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sfdata.blocks import joined
from sfdata.notes import NoteArray
from sfdata.page import STYLE, text
from sfdata.side import Side, open_sound, side_notes
from sfdata.soundfonts import DEFAULT_INSTRUMENT
from sfmodel.evidence import LEARNED
from sfmodel.follower import open_follower
from sfmodel.trace import Trace

SHOWN_RATE_HZ = 25.0
LEAST_SHARE = 0.004  # of belief that is shown
OWN_STYLE = """
body { max-width: 60rem; }
audio { width: 100%; margin: .5rem 0; }
canvas { display: block; width: 100%; border: 1px solid #ddd; margin: .5rem 0; }
#reference { height: 20rem; } #path { height: 14rem; cursor: pointer; }
#told { font-variant-numeric: tabular-nums; min-height: 1.5em; }
"""


def follow_page(
    trace: Trace,
    reference: Side,
    notes: NoteArray,
    sound: NDArray[np.float32],
    sample_rate_hz: int,
    sound_start_s: float,
    title: str,
) -> str:
    """Make the page.

    Parameters
    ----------
    trace : Trace
        With beliefs, to show them.
    reference : Side
    notes : NoteArray
        The reference's piano roll, at times in its file; empty where unknown.
    sound : ndarray of float32, shape (samples,)
        The performance.
    sample_rate_hz : int
    sound_start_s : float
        Time in the performance's file of the first sample.
    title : str

    Raises
    ------
    ValueError
        If there are no reports.
    """
    if not len(trace.performance_time_s):
        raise ValueError("there are no reports to show; expected a performance that is longer than a frame")
    step = max(1, round(reference.frame_rate_hz / SHOWN_RATE_HZ))
    frames = reference.frames[::step].astype(np.float64)
    loudest = max(float(frames.max(initial=0)), 1e-9)
    data = {
        "bins": int(frames.shape[1]),
        "rate_hz": reference.frame_rate_hz / step,
        "start_s": reference.start_s,
        "spectrum": _base64(np.clip(255 * frames / loudest, 0, 255).astype(np.uint8).tobytes()),
        "notes": [[round(float(n["onset_s"]), 3), round(float(n["offset_s"]), 3), int(n["pitch"])] for n in notes],
        "time_s": np.round(trace.performance_time_s, 3).tolist(),
        "place_s": np.round(trace.reference_time_s, 3).tolist(),
        "confidence": np.round(trace.confidence, 2).tolist(),
        "belief": [_shown(row) for row in trace.belief],
        "belief_time_s": np.round(trace.belief_time_s, 3).tolist(),
        "cell_s": trace.cell_s,
        "belief_start_s": trace.start_s,
        "audio_start_s": sound_start_s,
        "from_s": min(sound_start_s, float(trace.performance_time_s[0])),
        "to_s": float(trace.performance_time_s[-1]),
        "reference_from_s": reference.start_s,
        "reference_to_s": reference.end_s,
    }
    script = (files("sfmodel") / "assets" / "follow.js").read_text(encoding="utf-8")
    told = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    policy = (
        f"default-src 'none'; script-src 'sha256-{_sha256(script)}'; style-src 'unsafe-inline'; "
        "media-src data:; img-src data:"
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{text(title)}</title>
<style>{STYLE}{OWN_STYLE}</style></head>
<body id="follow"><h1>{text(title)}</h1>
<audio id="sound" controls preload="auto" src="data:audio/ogg;base64,{_base64(_ogg(sound, sample_rate_hz))}"></audio>
<p id="told"></p>
<canvas id="reference" role="img" aria-label="The reference about the place that is followed"></canvas>
<canvas id="path" role="img" aria-label="Place in the reference over time of the performance"></canvas>
<p class="note">Above: the reference, its notes in blue, the belief about the place in green, the place in red. Below:
the whole path; click to go there. Space plays and stops, arrows go 5 s back and on.</p>
<script type="application/json" id="data">{told}</script>
<script>{script}</script></body></html>
"""


def page_of_files(
    reference: str | Path,
    performance: str | Path,
    evidence: str | Path = LEARNED,
    soundfont: str = DEFAULT_INSTRUMENT,
    delay_s: float = 0.0,
) -> str:
    """Follow a performance in a file and make its page.

    Parameters and errors as of :func:`sfmodel.follower.follow_files`.
    """
    reference, performance = Path(reference), Path(performance)
    follower = open_follower(reference, evidence, soundfont, keep_belief=True, delay_s=delay_s)
    blocks, start_s = open_sound(performance, follower.sample_rate_hz, soundfont)
    sound = joined(blocks)
    follower.performance_start_s = start_s
    for _ in follower.follow([sound]):
        pass
    title = f"{performance.name} followed in {reference.name}"
    notes, rate_hz = side_notes(reference), follower.sample_rate_hz
    return follow_page(follower.trace(), follower.reference, notes, sound, rate_hz, start_s, title)


def _shown(belief: NDArray[np.float32]) -> list[list[int]]:
    """Cells that are believed in, with their share of 255."""
    cells = np.flatnonzero(belief >= LEAST_SHARE)
    return [[int(cell), round(255 * min(1.0, float(belief[cell])))] for cell in cells]


def _ogg(sound: NDArray[np.float32], sample_rate_hz: int) -> bytes:
    file = io.BytesIO()
    peak = max(1.0, float(np.abs(sound).max(initial=0)))
    with soundfile.SoundFile(file, "w", sample_rate_hz, 1, format="OGG", subtype="VORBIS") as out:
        for begin in range(0, len(sound), sample_rate_hz):  # libsndfile overflows its stack on long writes
            out.write(sound[begin : begin + sample_rate_hz] / peak)
    return file.getvalue()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _sha256(script: str) -> str:
    return _base64(hashlib.sha256(script.encode()).digest())
