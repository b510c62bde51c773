"""What tells people of a shared store: the dataset card, licences with credits, and how to cite."""

import json
from collections.abc import Sequence
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from sfdata.permissions import Permission

_HUGGING_FACE = {"CC-BY-4.0": "cc-by-4.0", "CC0-1.0": "cc0-1.0", "MIT": "mit", "GPL-2.0-only": "gpl-2.0"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def spdx_identifier(licence: str) -> str:
    """SPDX's identifier of a licence as its list spells it; empty where that knows none.

    Examples
    --------
    >>> [spdx_identifier(text) for text in ("cc-by-4.0", "PublicDomain", "MIT OR CC0-1.0", "LicenseRef-mine")]
    ['CC-BY-4.0', '', '', '']
    """
    try:
        known = str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression:
        return ""
    return "" if " " in known or known.startswith("LicenseRef-") else known


def piece_licences(permission: Permission) -> list[str]:
    """Licences of what was played, sorted: the data's own, for what instruments render is not under the font's."""
    return sorted({credit.licence for credit in permission.credits if credit.of == "piece"})


def front_matter(title: str, pairs: int, permission: Permission, kind: str = "zarr", more: Sequence[str] = ()) -> str:
    """YAML that Hugging Face reads at the head of a dataset's README (JSON strings are YAML strings).

    Parameters
    ----------
    title : str
    pairs : int
    permission : Permission
    kind : str
        A tag: the form of the data.
    more : sequence of str
        Further lines.
    """
    licences = piece_licences(permission)
    known = [_HUGGING_FACE.get(spdx_identifier(licence), "other") for licence in licences]
    licence = known[0] if len(known) == 1 else "other"
    lines = ["---", f"pretty_name: {json.dumps(title)}", f"license: {licence}"]
    if licence == "other":
        lines += [f"license_name: {json.dumps(' and '.join(licences))}", "license_link: LICENSE"]
    size = next((told for most, told in _SIZES if pairs < most), "n>1M")
    tags = "\n".join(f"- {tag}" for tag in ("music", "audio", "score-following", kind, "sfdata"))
    lines += ["size_categories:", f"- {size}", "tags:", tags]
    return "\n".join([*lines, *more, "---", ""])


def dataset_card(
    name: str, file: str, facts: dict[str, Any], permission: Permission, commands: Sequence[str], audio: int
) -> str:
    """README.md of a shared store.

    Parameters
    ----------
    name, file : str
        The dataset's, and its store's file.
    facts : dict
        As :func:`sfdata.info.info` gives them.
    permission : Permission
    commands : sequence of str
        That build it again.
    audio : int
        How many renditions lie beside it as sound.
    """
    splits = ", ".join(f"{split} {pairs:,}" for split, pairs in facts["splits"].items())
    instruments = "\n".join(
        f"| {credit.name} | {credit.attribution} | {credit.licence} |"
        for credit in permission.credits
        if credit.of == "instrument"
    )
    sound = f"`audio/` holds the {audio} renditions as FLAC, with their notes beside them.\n\n" if audio else ""
    remarks = "".join(f"- {remark}\n" for remark in permission.remarks)
    return f"""{front_matter(name, facts["pairs"], permission)}
# {name}

Pairs for score following from sound: a 12 s reference spectrogram, a snippet centred on an onset, and where in the
reference that onset is. Format `sfdata-pairs` {facts["format_version"]}, made by [sfdata](https://pypi.org/project/sfdata/).

| | |
|---|---|
| pieces | {facts["pieces"]} |
| renditions | {facts["renditions"]} ({facts["audio_s"] / 3600:.2f} h of sound) |
| pairs | {facts["pairs"]:,} ({splits}) |
| spectrogram | {facts["bins"]} bins, {facts["frame_rate_hz"]:g} frames a second |

{sound}## Use

```python
from sfdata import PairReader, open_store

store = open_store("{file}")  # or its URL: it is read in place
batch = PairReader(store, "train").batch(slice(0, 64))
```

```sh
sfdata validate {file}
sfmodel train {file} -o run/
```

`sha256sum -c SHA256SUMS` checks the files; `sfdata pull` does it while fetching.

## Build it again

`recipe.toml` is the whole recipe with its seed; the same files, soundfonts and software give the same bytes.
`build.json` tells which they were, and what is to be put beside the recipe. In its folder:

```sh
{chr(10).join(commands)}
```

## Licences

The pieces: {", ".join(piece_licences(permission))}. Whom to credit is in ATTRIBUTION.md, the terms in LICENSE. What
instruments play:

| instrument | soundfont | licence of its file |
|---|---|---|
{instruments}

{remarks}"""


def attribution(permission: Permission) -> str:
    """ATTRIBUTION.md: every piece and instrument with licence, credit and checksum."""
    rows = "\n".join(
        f"| {credit.of} | {_cell(credit.name)} | {_cell(credit.licence)} | {_cell(credit.attribution)} | "
        f"`{credit.sha256[:16]}` |"
        for credit in permission.credits
    )
    return f"# Whom to credit\n\n| | | licence | credit | sha256, its start |\n|---|---|---|---|---|\n{rows}\n"


def licence_text(permission: Permission) -> str:
    """LICENSE: what the parts are under, in one page."""
    parts = []
    for licence in permission.licences:
        under = [credit for credit in permission.credits if credit.licence == licence]
        pieces = sum(credit.of == "piece" for credit in under)
        known = spdx_identifier(licence)
        link = f"\n  https://spdx.org/licenses/{known}.html" if known else ""
        parts.append(f"{licence}: {pieces} pieces, {len(under) - pieces} instruments{link}")
    restricted = "".join(f"\nNot for commercial use: {what}" for what in permission.noncommercial)
    return (
        "This dataset is made of parts under these licences; ATTRIBUTION.md names each part.\n\n"
        + "\n".join(parts)
        + "\n\nA soundfont's licence is that of its file, which is not here; what is here is sound rendered with it.\n"
        + restricted
    )


def citation(name: str, licences: list[str], published: str, credits: list[str]) -> str:
    """CITATION.cff (YAML; JSON strings are YAML strings)."""
    known = spdx_identifier(licences[0]) if len(licences) == 1 else ""
    licence = f"license: {known}\n" if known else ""
    references = "".join(
        f"  - type: data\n    title: {json.dumps(credit)}\n    authors:\n      - name: {json.dumps(credit)}\n"
        for credit in credits
    )
    return (
        "cff-version: 1.2.0\n"
        'message: "If you use this dataset, please cite it, and those whom ATTRIBUTION.md names."\n'
        f"title: {json.dumps(name)}\ntype: dataset\ndate-released: {published}\n{licence}"
        'authors:\n  - name: "The makers of this dataset"\n' + (f"references:\n{references}" if references else "")
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
