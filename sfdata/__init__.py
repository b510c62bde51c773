"""sfdata: training data for score following, from MIDI to aligned spectrogram pairs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sfdata.reader import Batch, PairReader
    from sfdata.store import Store, open_store
    from sfdata.views import pairs_view, rendition_view, table_view

__all__ = ["Batch", "PairReader", "Store", "open_store", "pairs_view", "rendition_view", "table_view"]
_HOMES = {
    "Batch": "reader",
    "PairReader": "reader",
    "Store": "store",
    "open_store": "store",
    "pairs_view": "views",
    "rendition_view": "views",
    "table_view": "views",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used, so that importing a submodule stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sfdata' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sfdata.{_HOMES[name]}"), name)
