"""Whether a store may be handed on: what the licences of its pieces and instruments allow, and whom to credit."""

import re
from dataclasses import dataclass

from sfdata.registry import registry
from sfdata.store import Store

_NONCOMMERCIAL = re.compile(r"(?i)(?<![a-z])(nc|non-?commercial)(?![a-z])")
_FORBIDDEN = re.compile(
    r"(?i)(all rights reserved|proprietary|no redistribution|not redistributable|(?<![a-z])nd(?![a-z]))"
)


@dataclass(frozen=True)
class Credit:
    """A licence, whom to credit, and for what: pieces or instruments."""

    of: str
    name: str
    licence: str
    attribution: str
    sha256: str


@dataclass(frozen=True)
class Permission:
    """What may be done with a store.

    Attributes
    ----------
    credits : tuple of Credit
        One for each piece and instrument used.
    forbidden : tuple of str
        Why it may not be handed on; empty where it may.
    noncommercial : tuple of str
        What restricts it to uses that are not commercial.
    remarks : tuple of str
        What whoever hands it on must know.
    """

    credits: tuple[Credit, ...]
    forbidden: tuple[str, ...]
    noncommercial: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences, each once, sorted."""
        return tuple(sorted({credit.licence for credit in self.credits if credit.licence}))


def permission_of(store: Store) -> Permission:
    """Judge by the licences that a store tells, and by what the registry tells of its soundfonts.

    A soundfont's licence covers the file; whether sound rendered with it may be handed on is another matter, for which
    the registry has its own entry. A spectrogram is judged as sound.
    """
    credits, forbidden, noncommercial, remarks = [], [], [], []
    pieces = store.pieces
    for row in range(store.rows("pieces")):
        told = [str(pieces[name][row]) for name in ("file", "licence", "attribution", "sha256")]
        credits.append(Credit("piece", *told))
    by_sha256 = {font.sha256: font for font in registry().values()}
    instruments = store.instruments
    for row in range(store.rows("instruments")):
        name, licence, file, sha256 = (str(instruments[c][row]) for c in ("name", "licence", "file", "sha256"))
        font = by_sha256.get(sha256)
        credits.append(Credit("instrument", name, licence, font.title if font else file, sha256))
        if font is None:
            if sha256:
                remarks.append(
                    f"instrument {name} is not registered: whether its sound may be handed on is yours to know"
                )
        elif font.redistribution.sound == "no":
            forbidden.append(f"sound rendered with {name} may not be handed on: {font.redistribution.terms}")
        elif font.redistribution.sound != "yes":
            remarks.append(
                f"whether sound rendered with {name} may be handed on is not known: {font.redistribution.terms}"
            )
        elif font.redistribution.file != "yes":
            remarks.append(
                f"the file of {name} may not be handed on; sound rendered with it may, and that is what is here"
            )
    for credit in credits:
        what = f"{credit.of} {credit.name} ({credit.licence})"
        if not credit.licence:
            forbidden.append(f"{credit.of} {credit.name} tells no licence")
        elif _FORBIDDEN.search(credit.licence):
            forbidden.append(f"{what} forbids it")
        elif _NONCOMMERCIAL.search(credit.licence):
            noncommercial.append(what)
    return Permission(
        tuple(credits), tuple(dict.fromkeys(forbidden)), tuple(noncommercial), tuple(dict.fromkeys(remarks))
    )


def refuse_forbidden(permission: Permission, path: str, allow_noncommercial: bool = False) -> None:
    """Refuse to hand a store on where a licence forbids it.

    Parameters
    ----------
    permission : Permission
    path : str
        Of the store.
    allow_noncommercial : bool
        Whether parts that may not be used commercially are wanted.

    Raises
    ------
    ValueError
        With the reasons, and what can be done.
    """
    reasons = list(permission.forbidden)
    if not allow_noncommercial:
        reasons += [f"{what} is not for commercial use: say --allow-noncommercial" for what in permission.noncommercial]
    if reasons:
        more = f", and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        raise ValueError(
            f"{path} may not be handed on: {'; '.join(reasons[:3])}{more}. A licence is told in the recipe's "
            '[[sources]] (licence = "…") or in meta.json'
        )
