"""Matchmaker's own on-line time warping (pymatchmaker 0.3.0) over a folder; started by matchmaker_followers.py.

It runs in Matchmaker's environment, and needs nothing of ours: FOLDER/NAME.reference.wav, NAME.performance.wav and
NAME.onsets.npy (seconds of the reference) become FOLDER/NAME.npz. Features come from Matchmaker's processors, the
performance's through its stream, and classes and their settings are those that its front end takes by default; but a
place is told in seconds of the reference, not in beats, so that the score needs no reading. All is as shipped: of the
log-spectral features, that they take the real part of the spectrum only (librosa warns of it), of both sides alike.

Run: python benchmarks/matchmaker_oltw.py FOLDER
"""

import contextlib
import io
import sys
import time
from pathlib import Path

import librosa
import numpy as np
from matchmaker.dp import OnlineTimeWarpingArztFrame, OnlineTimeWarpingDixonFrame
from matchmaker.features.audio import (
    FRAME_RATE,
    HOP_LENGTH,
    SAMPLE_RATE,
    ChromagramProcessor,
    LogSpectralEnergyProcessor,
)
from matchmaker.io.audio import AudioStream
from matchmaker.io.stream import STREAM_END
from matchmaker.matchmaker import DEFAULT_KWARGS

FOLLOWERS = {"arzt": OnlineTimeWarpingArztFrame, "dixon": OnlineTimeWarpingDixonFrame}
FEATURES = {"chroma": ChromagramProcessor, "lse": LogSpectralEnergyProcessor}
FRAMES_HEARD = 2  # by one observation: the window is two hops long


def follow(follower_name: str, features: str, reference: np.ndarray, sound: Path, onset_s: np.ndarray) -> np.ndarray:
    """Reports, shape (4, reports): Matchmaker's own time, when all sound used was heard, place, seconds it took."""
    processor = FEATURES[features](sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
    frames, _ = processor((reference, 0.0))
    processor.reset()
    stream = AudioStream(processor=processor, file_path=str(sound), sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
    options = {key: value for key, value in DEFAULT_KWARGS["audio"][follower_name].items() if key != "processor"}
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        stream.run()
    observations = []
    while (item := stream.queue.get()) is not STREAM_END:
        observations.append(item)
    hearing_s = (time.perf_counter() - began) / max(1, len(observations))
    follower = FOLLOWERS[follower_name](
        reference_features=frames,
        score_positions=onset_s,
        frame_rate=FRAME_RATE,
        ref_frame_to_beat=np.arange(len(frames)) * HOP_LENGTH / SAMPLE_RATE,
        **options,
    )
    reports = []
    for observation, own_s in observations:
        if not follower.is_still_following():
            break  # its own loop ends here; the last report stands
        began = time.perf_counter()
        place_s = follower(observation, own_s)
        took_s = hearing_s + time.perf_counter() - began
        reports.append((own_s, own_s + FRAMES_HEARD * HOP_LENGTH / SAMPLE_RATE, place_s, took_s))
    return np.array(reports, dtype=np.float64).reshape(-1, 4).T


def main() -> None:
    folder = Path(sys.argv[1])
    for path in sorted(folder.glob("*.reference.wav")):
        name = path.name.removesuffix(".reference.wav")
        reference, _ = librosa.load(path, sr=SAMPLE_RATE)
        onset_s = np.load(folder / f"{name}.onsets.npy")
        found = {
            f"{follower}-{features}": follow(follower, features, reference, folder / f"{name}.performance.wav", onset_s)
            for follower in FOLLOWERS
            for features in FEATURES
        }
        np.savez(folder / f"{name}.npz", **found)
        print(name, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
