"""A store as xarray shows it: labelled axes with units, read when computed, from wherever the store is.

Axes are named after what they count, with the unit in the name: ``reference_time_s``, ``frequency_hz``. What is read is
checked as always: renditions and columns are compared with their checksums. Needs the extra ``xarray``.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfdata.examples import LABELS, pair_labels
from sfdata.reader import SplitPairs
from sfdata.schema import TABLES
from sfdata.store import Store
from sfdata.windows import cut_windows

if TYPE_CHECKING:
    import xarray

CHUNK_PAIRS = 512
_UNITS = {"_s": "s", "_hz": "Hz", "_frame": "frames", "_frames": "frames"}


def pairs_view(store: Store, split: str = "train", chunk_pairs: int = CHUNK_PAIRS) -> xarray.Dataset:
    """Show the pairs of a split.

    Parameters
    ----------
    store : Store
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    chunk_pairs : int
        Pairs that are cut together; a chunk reads the renditions that it needs.

    Returns
    -------
    xarray.Dataset
        ``reference`` (pair, reference_time_s, frequency_hz) and ``snippet`` (pair, snippet_time_s, frequency_hz), dask
        arrays of the store's dtype, and every label of :data:`sfdata.examples.LABELS` (pair). ``pair`` is the row in
        the store's table; ``snippet_time_s`` is 0 in the middle of the snippet.

    Raises
    ------
    ImportError
        If xarray is not installed.
    ValueError
        If the split holds no pairs, or is damaged: of frames, when they are computed.
    """
    import dask.array

    xr = _xarray()
    if chunk_pairs < 1:
        raise ValueError(f"chunk_pairs {chunk_pairs}; expected at least 1")
    pairs = SplitPairs(store, split)
    rate_hz, half = pairs.frame_rate_hz, pairs.snippet_frames // 2
    sizes = tuple(len(pairs.rows[i : i + chunk_pairs]) for i in range(0, len(pairs), chunk_pairs))
    place = dask.array.arange(len(pairs), chunks=(sizes,), dtype=np.int64)

    def windows(side: str, length: int) -> Any:
        return dask.array.map_blocks(
            _cut,
            place,
            pairs=pairs,
            side=side,
            dtype=store.frames.dtype,
            chunks=(sizes, length, pairs.bins),
            new_axis=[1, 2],
            meta=np.empty((0, 0, 0), dtype=store.frames.dtype),
        )

    labels = pair_labels(store, pairs.rows)
    axes = {
        "pair": _labelled("pair", labels.pop("pair"), LABELS["pair"][1]),
        "reference_time_s": _axis("reference_time_s", np.arange(pairs.reference_frames) / rate_hz, "in the reference"),
        "snippet_time_s": _axis(
            "snippet_time_s", np.arange(-half, pairs.snippet_frames - half) / rate_hz, "from the snippet's middle frame"
        ),
        "frequency_hz": _frequencies(store),
    }
    variables: dict[str, Any] = {
        name: _labelled("pair", values, LABELS[name][1], name) for name, values in labels.items()
    }
    told = {"long_name": "compressed magnitude", "units": "1"}
    variables["reference"] = (
        ("pair", "reference_time_s", "frequency_hz"),
        windows("reference", pairs.reference_frames),
        told,
    )
    variables["snippet"] = ("pair", "snippet_time_s", "frequency_hz"), windows("snippet", pairs.snippet_frames), told
    return xr.Dataset(variables, axes, {"store": str(store.path), "split": split})


def rendition_view(store: Store, rendition: int) -> xarray.DataArray:
    """Show the spectrogram of one rendition.

    Parameters
    ----------
    store : Store
    rendition : int
        Row of the table of renditions.

    Returns
    -------
    xarray.DataArray
        (time_s, frequency_hz), one dask chunk; what the table tells of the rendition is in its attributes.

    Raises
    ------
    ImportError
        If xarray is not installed.
    ValueError
        If there is no such rendition, or, when it is computed, if it is damaged.
    """
    import dask
    import dask.array

    xr = _xarray()
    count = store.rows("renditions")
    if not 0 <= rendition < count:
        raise ValueError(f"rendition {rendition}; {store.path} has 0 to {count - 1}")
    frames = int(store.renditions["frame_count"][rendition])
    read = dask.delayed(_rendition, pure=False)(store, rendition)
    values = dask.array.from_delayed(read, (frames, store.frames.shape[1]), store.frames.dtype)
    axes = {
        "time_s": _axis("time_s", np.arange(frames) / store.spectrogram.frame_rate_hz, "in the rendition"),
        "frequency_hz": _frequencies(store),
    }
    attributes = {
        **store.row("renditions", rendition),
        "long_name": "compressed magnitude",
        "units": "1",
        "store": str(store.path),
    }
    return xr.DataArray(values, axes, ("time_s", "frequency_hz"), f"rendition {rendition}", attributes)


def table_view(store: Store, table: str) -> xarray.Dataset:
    """Show a table: a variable for each column, read when computed.

    Parameters
    ----------
    store : Store
    table : str
        One of :data:`sfdata.schema.TABLES`.

    Returns
    -------
    xarray.Dataset
        Dimension: the table's name without its last letter; ``notes`` are counted along ``note``. Strings are objects.

    Raises
    ------
    ImportError
        If xarray is not installed.
    ValueError
        If there is no such table, or, when it is computed, if a column is damaged.
    """
    import dask
    import dask.array

    xr = _xarray()
    if table not in TABLES:
        raise ValueError(f"table {table!r}; expected one of {', '.join(TABLES)}")
    dimension, variables = table.removesuffix("s"), {}
    for name, (kind, meaning) in TABLES[table].items():
        dtype = np.dtype(object if kind == "str" else kind)
        read = dask.delayed(_column, pure=False)(store, table, name, dtype)
        values = dask.array.from_delayed(read, (store.rows(table),), dtype)
        variables[name] = _labelled(dimension, values, meaning, name)
    return xr.Dataset(variables, attrs={"store": str(store.path)})


def _xarray() -> ModuleType:
    try:
        import xarray
    except ImportError as error:
        raise ImportError("views need xarray; install it with: pip install 'sfdata[xarray]'") from error
    return xarray


def _cut(place: NDArray[np.int64], pairs: SplitPairs, side: str) -> NDArray[np.floating]:
    """Windows of some pairs, shape (pairs, frames, bins)."""
    rendition = getattr(pairs, f"{side}_rendition")[place]
    start, length = getattr(pairs, f"{side}_start")[place], getattr(pairs, f"{side}_frames")
    frames, first_of = pairs.read(np.unique(rendition))
    return cut_windows(frames, first_of[rendition], pairs.frame_count[rendition], start, length)


def _rendition(store: Store, rendition: int) -> NDArray[np.floating]:
    return store.rendition_frames(rendition)


def _column(store: Store, table: str, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.array(store.column(table, name), dtype=dtype)


def _labelled(dimension: str, values: Any, meaning: str, name: str = "") -> tuple[str, Any, dict[str, str]]:
    units = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")
    return dimension, values, {"long_name": meaning} | ({"units": units} if units else {})


def _axis(name: str, values: NDArray[np.floating], meaning: str) -> tuple[str, Any, dict[str, str]]:
    return _labelled(name, values, meaning, name)


def _frequencies(store: Store) -> tuple[str, Any, dict[str, str]]:
    return _axis("frequency_hz", store.spectrogram.bin_frequencies_hz(), "centre of the bin")
