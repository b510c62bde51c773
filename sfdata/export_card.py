"""README.md of an exported store: what lies there, how it is read, what each label means, and under which licences."""

import json
from collections.abc import Iterable

from sfdata.card import front_matter, piece_licences
from sfdata.examples import LABELS
from sfdata.permissions import Permission
from sfdata.store import Store

_PAIRS = """Each example is a pair: `reference`, a spectrogram of {reference} frames, `snippet`, one of {snippet} frames
centred on an onset, and `target_frame`, where in the reference that onset lies, in frames from 0. There are {rate:g}
frames a second, of {bins} bins, {dtype}.

"""
_SHOWN = {
    "webdataset": """```python
import webdataset

examples = webdataset.WebDataset("{split}-{{000000..{last:06d}}}.tar", shardshuffle=False).decode()
for example in examples:
    reference, snippet, labels = example["reference.npy"], example["snippet.npy"], example["json"]
```
""",
    "datasets": """```python
import datasets

examples = datasets.load_dataset("PATH-OF-THIS-FOLDER", split="{split}").with_format("numpy")
reference, target_frame = examples[0]["reference"], examples[0]["target_frame"]
```

pandas, Polars, DuckDB and others read the Parquet files in `data/` as they are.
""",
    "jams": """```python
import jams

annotated = jams.load("{file}")
notes = annotated.search(namespace="note_midi")[0]
```

A file describes one rendition: its notes (`note_midi`) and onsets (`onset`) in seconds. The `sandbox` of the notes has
`velocity`, `source` and `piece_note` of each, and `offset_s` exactly; the file's own tells piece, performance,
instrument and sound, and `pairs`: those whose snippets it gives, one list for each label. `sfdata share --audio` makes
the sound, under the same names.
""",
}


def export_card(
    name: str, to: str, store: Store, pairs: dict[str, int], files: list[str], permission: Permission
) -> str:
    """README.md of an export.

    Parameters
    ----------
    name, to : str
        Of the dataset, and of the format.
    store : Store
    pairs : dict of str to int
        Of each split that has some.
    files : list of str
        That hold the data.
    permission : Permission
    """
    split = next(iter(pairs))
    more = _hub_lines(store, pairs) if to == "datasets" else ()
    head = front_matter(name, sum(pairs.values()), permission, to, more)
    last = sum(file.startswith(f"{split}-") for file in files) - 1
    shown = _SHOWN[to].format(split=split, last=last, file=files[0])
    told = (
        ""
        if to == "jams"
        else _PAIRS.format(
            reference=store.reference_frames,
            snippet=store.snippet_frames,
            rate=store.spectrogram.frame_rate_hz,
            bins=store.frames.shape[1],
            dtype=store.frames.dtype,
        )
    )
    labels = "\n".join(f"| `{label}` | {dtype} | {meaning} |" for label, (dtype, meaning) in LABELS.items())
    table = "" if to == "jams" else f"| label | type | meaning |\n|---|---|---|\n{labels}\n\n"
    remarks = "".join(f"- {remark}\n" for remark in permission.remarks)
    return f"""{head}
# {name}

For score following from sound; exported from a store of format `sfdata-pairs` by
[sfdata](https://pypi.org/project/sfdata/). Pairs: {", ".join(f"{split} {count:,}" for split, count in pairs.items())}.

{told}{shown}
{table}## Licences

The pieces: {", ".join(piece_licences(permission))}. Whom to credit is in ATTRIBUTION.md, the terms in LICENSE.

{remarks}"""


def _hub_lines(store: Store, pairs: Iterable[str]) -> list[str]:
    """What tells Hugging Face which files are which split, and that spectrograms are arrays, to be read as such."""
    bins, dtype = int(store.frames.shape[1]), str(store.frames.dtype)
    kinds: dict[str, object] = {
        side: {"array2_d": {"shape": [frames, bins], "dtype": dtype}}
        for side, frames in (("reference", store.reference_frames), ("snippet", store.snippet_frames))
    }
    kinds |= {label: "string" if kind == "str" else kind for label, (kind, _) in LABELS.items()}
    features = [f"  - {json.dumps({'name': label, 'dtype': kind})}" for label, kind in kinds.items()]
    files = [f"  - split: {split}\n    path: data/{split}-*.parquet" for split in pairs]
    configs = ["configs:", "- config_name: default", "  data_files:", *files]
    return ["dataset_info:", "  features:", *features, *configs]
