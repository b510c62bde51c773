"""Whether a store may be handed on: what the licences of its pieces and instruments allow, and whom to credit."""

import re
import unicodedata
from dataclasses import dataclass

from sfdata.registry import registry
from sfdata.store import Store

_PRIVATE = r"(?:personal|private|home|internal|preview)"
_LEARNED = r"(?:research|evaluation|academic|educational|education|scientific|teaching|non-?profit)"
_ONLY = r"(?:[ -](?:use|usage|uses|purpose|purposes))*"
_BOTH = re.compile(r"(?:non-?)?commercial(?:ly)?(?: use)?,? (?:and|or|as well as|&)(?: for)? (?:non-? ?)?commercial")
_NONCOMMERCIAL = re.compile(
    r"(?<![a-z0-9])nc(?![a-z])|(?<![a-z])ccbync|(?<![a-z])ncgl|non[- ]?commercial"
    r"|(?<![a-z])(?:not?|never|without)(?: (?:be|for|to|any|used|sold|in|allow|permit|use))* commercial"
    r"|commercial(?: (?:use|usage|uses|purposes?))? (?:is |are )?(?:not|prohibited|forbidden|excluded)(?! restricted)"
    rf"|(?<![a-z]){_LEARNED}{_ONLY},?[ -]only|(?<![a-z])only (?:for )?(?:your )?(?:own )?{_LEARNED}"
    rf"|(?<![a-z])for (?:your )?(?:own )?(?:{_PRIVATE}|{_LEARNED}) (?:use|purposes?)(?! (?:and|or|as well))"
    rf"|^{_LEARNED} use$"
)
_FORBIDDEN = re.compile(
    r"all rights reserved|(?<!non-)(?<!not )proprietary|(?<![a-z0-9])nd(?![a-z])|(?<![a-z])ccby(?:nc)?nd"
    r"|(?<![a-z])(?:no|without)[ -]?deriv|(?<![a-z])(?:no|non|not)(?:[ -]|[ -]for )?(?:re)?-?distribut"
    r"|(?<![a-z])(?:not|cannot|never)(?: be)?(?: freely)? (?:re-?)?(?:distribut|shar|pass|hand)"
    r"|redistribution (?:is )?(?:not|prohibited|forbidden)"
    rf"|(?<![a-z]){_PRIVATE}{_ONLY},?[ -]only|(?<![a-z])only (?:for )?(?:your )?(?:own )?{_PRIVATE}"
)
_UNTOLD = re.compile(
    r"\W*(?:(?:the )?licen[cs]e)?\W*(?:is )?"
    r"(?:unknown|not known|none|no licen[cs]e|not told|not specified|unspecified|undefined|unclear|unlicensed"
    r"|noassertion|null|n/?a|tbd|todo)?\W*(?:licen[cs]e)?\W*"
)
_LONGEST_UNTOLD = 40
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad_"), "-")
_NOTHING = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"), None)


def judged(licence: str) -> str:
    """Tell what a licence, as it is written, says of handing on: it is told by nothing but its words.

    Returns
    -------
    str
        ``untold``, ``forbidden``, ``noncommercial`` or ``free``.

    Examples
    --------
    >>> [judged(text) for text in ("?", "CC BY-ND 4.0", "Non\u2011Commercial", "free for any use, commercial or not")]
    ['untold', 'forbidden', 'noncommercial', 'free']
    """
    text = unicodedata.normalize("NFKC", licence).translate(_NOTHING).translate(_DASHES).casefold()
    text = " ".join(text.split())
    if len(text) < _LONGEST_UNTOLD and _UNTOLD.fullmatch(text):
        return "untold"
    if _FORBIDDEN.search(text):
        return "forbidden"
    return "noncommercial" if _NONCOMMERCIAL.search(_BOTH.sub("any", text)) else "free"


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
        licence = licence or (font.licence if font else "")  # which may have been told since
        credits.append(Credit("instrument", name, licence, font.title if font else file, sha256))
        if font is None:
            if sha256:
                remarks.append(
                    f"instrument {name} is not registered: whether its sound may be handed on is yours to know"
                )
        elif font.redistribution.sound == "no":
            forbidden.append(f"sound rendered with {name} may not be handed on: {font.redistribution.terms}")
        elif font.redistribution.sound != "yes":
            terms = font.redistribution.terms or "its entry in the registry does not tell; it is yours to know"
            remarks.append(f"whether sound rendered with {name} may be handed on is not known: {terms}")
        elif font.redistribution.file != "yes":
            remarks.append(
                f"the file of {name} may not be handed on; sound rendered with it may, and that is what is here"
            )
    for credit in credits:
        what = f"{credit.of} {credit.name} ({credit.licence})"
        verdict = judged(credit.licence)
        if verdict == "untold":
            written = f" ({credit.licence!r})" if credit.licence.strip() else ""
            forbidden.append(f"{credit.of} {credit.name} tells no licence{written}")
        elif verdict == "forbidden":
            forbidden.append(f"{what} forbids it")
        elif verdict == "noncommercial":
            noncommercial.append(what)
    return Permission(
        tuple(credits), tuple(dict.fromkeys(forbidden)), tuple(noncommercial), tuple(dict.fromkeys(remarks))
    )


def _where_told(credit: Credit) -> str:
    if credit.of == "piece":
        return (
            """A piece's licence is told in the recipe's [[sources]] (licence = "…"), in meta.json, or with --licence"""
        )
    if credit.sha256:
        font = credit.name.split(":")[0]
        return f"'sfdata soundfonts add {credit.attribution} --name {font} --licence …' tells that of {credit.name}"
    return "A recording's licence is told in meta.json, or with --licence"


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
        remedies = dict.fromkeys(
            _where_told(credit) for credit in permission.credits if judged(credit.licence) == "untold"
        )
        told = "".join(f". {remedy}" for remedy in list(remedies)[:3])
        raise ValueError(f"{path} may not be handed on: {'; '.join(reasons[:3])}{more}{told}")
