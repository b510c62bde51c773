"""sfdata: training data for score following, from MIDI to aligned spectrogram pairs."""

from importlib.metadata import PackageNotFoundError, version

from sfdata.reader import Batch, PairReader
from sfdata.store import Store, open_store

try:
    __version__ = version("sfdata")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"

__all__ = ["Batch", "PairReader", "Store", "__version__", "open_store"]
