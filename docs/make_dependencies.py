"""Make ``dependencies.md``: the packages that sfdata and sfmodel use, and their licences as SPDX identifiers.

Run it from the repository's root in the environment that ``make install`` makes: ``python docs/make_dependencies.py``.
Licences are those that the installed packages state; where they state none in SPDX's terms, :data:`STATED` has it from
the licence text that they carry.
"""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement

PAGE = Path(__file__).with_name("dependencies.md")
STATED = {
    "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "matplotlib": "PSF-2.0",  # its own licence, worded after Python's
    "mpmath": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "partd": "BSD-3-Clause",
    "protobuf": "BSD-3-Clause",
    "pygame-ce": "LGPL-2.1-or-later",
    "pysmartdl": "Unlicense",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "python-osc": "Unlicense",
    "python-rtmidi": "MIT",
    "s3fs": "BSD-3-Clause",
    "safetensors": "Apache-2.0",
    "scipy": "BSD-3-Clause",
    "sortedcontainers": "Apache-2.0",
    "soundfile": "BSD-3-Clause",
    "sympy": "BSD-3-Clause",
    "tomli-w": "MIT",
    "zict": "BSD-3-Clause",
}
USED = ("", "model", "tensorboard", "partitura", "s3", "live", "xarray", "parquet")
INTRODUCTION = """# Dependencies and their licences

What `pip install` brings for each extra, directly and by way of others, with licences as [SPDX](https://spdx.org/licenses/)
identifiers. None of it is copied into sfdata's own files; wheels of `pygame-ce`, `soundfile` and `soxr` carry the
libraries FluidSynth, libsndfile and libsoxr, which are under the LGPL 2.1 or later and are loaded as shared libraries.
What only tests, documentation and benchmarks need is left out. PyPI's torch for Linux also brings NVIDIA's
CUDA libraries, which are proprietary; its build for processors does not. `docs/make_dependencies.py` makes this page.
"""


def plain(name: str) -> str:
    """A package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(found: Distribution) -> str:
    """A package's licence as SPDX expression."""
    for text in (found.metadata.get("License-Expression"), found.metadata.get("License")):
        text = (
            (text or "")
            .strip()
            .split("\n")[0]
            .removesuffix(" License")
            .replace("BSD 3-Clause", "BSD-3-Clause")
            .replace("Apache 2.0", "Apache-2.0")
        )
        try:
            return str(canonicalize_license_expression(text))
        except InvalidLicenseExpression:
            continue
    return STATED[plain(found.name)]


def needs(name: str, extra: str) -> list[Requirement]:
    """What a package needs for an extra and this system; of an extra other than "", what it adds."""
    needed = [Requirement(text) for text in distribution(name).requires or []]
    plainly = [one for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    if not extra:
        return plainly
    return [one for one in needed if one not in plainly and one.marker and one.marker.evaluate({"extra": extra})]


def gather(needed: list[Requirement], found: dict[str, Distribution]) -> None:
    """Collect packages, and what they need in turn, by name; what another package has taken in is left out."""
    for one in needed:
        if plain(one.name) in found:
            continue
        try:
            found[plain(one.name)] = distribution(one.name)
        except PackageNotFoundError:
            continue
        for extra in ("", *one.extras):
            gather(needs(one.name, extra), found)


def page() -> str:
    """The page."""
    parts, found = [INTRODUCTION], dict[str, Distribution]()
    for extra in USED:
        before, named = set(found), needs("sfdata", extra)
        gather(named, found)
        direct = {plain(one.name) for one in named}
        fresh = sorted((set(found) - before) | (direct & set(found)), key=lambda name: (name not in direct, name))
        if fresh:
            parts.append(f"## {f'sfdata[{extra}]' if extra else 'sfdata'}\n\n| package | licence | |\n|---|---|---|")
            parts += [
                f"| {name} | {licence(found[name])} | {'' if name in direct else 'indirectly'} |" for name in fresh
            ]
            parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
