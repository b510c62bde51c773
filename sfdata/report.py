"""The report on a store: one self-contained HTML page, with sound."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfdata.distributions import KINDS, QUANTILES, Distribution, distribution, draw_distribution
from sfdata.excerpt_page import SCRIPT, STYLE, pair_html
from sfdata.excerpts import HeardPair, HeardSide, draw_pairs, hear_pair
from sfdata.facts import instruments_html, pieces_html, store_rows
from sfdata.files import check_folder_of, write_atomically
from sfdata.info import summary
from sfdata.page import counted, document, paragraph, picture, table, text
from sfdata.permissions import permission_of
from sfdata.progress import Progress
from sfdata.rebuild import recipe_toml
from sfdata.rerender import Rerenderer
from sfdata.store import Store, open_store
from sfdata.validate import Problem, remarks, validate

REPORT_FILE = "report.html"
ENDINGS = (".html", ".htm")
LISTED = 50  # problems, skipped sources
DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)  # what contradictory data can raise


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes
    ----------
    report : str
        The page.
    store : str
    bytes : int
        Of the page.
    valid : bool or None
        None where it was not looked at.
    problems : list of Problem
    pairs : list of dict
        Of each pair on the page: ``pair`` (its row), ``title``, ``target_s``, and of ``reference`` and ``snippet``
        ``instrument``, ``start_s`` (in its rendition), ``mark_s`` (the onset, from its beginning on), ``sound``
        (whether there is any), ``likeness`` (correlation of the sound's spectrogram with the stored one) and
        ``silent`` (why there is none).
    distributions : dict
        Key to name of a group to ``count``, ``p5``, ``p25``, ``median``, ``p75``, ``p95``.
    """

    report: str
    store: str
    bytes: int
    valid: bool | None
    problems: list[Problem]
    pairs: list[dict[str, Any]]
    distributions: dict[str, Any]


def write_report(
    path: str | Path,
    output: str | Path,
    pairs: int = 4,
    seed: int = 0,
    check: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Write one HTML page about a store: what is in it, whether it is whole, distributions, and pairs with sound.

    Sound is made again from what the store records. Where that cannot be, because the soundfont is not at hand or the
    rendition was recorded, the page says so in its place. The same store and the same seed give the same bytes.

    Parameters
    ----------
    path : path
        As :func:`sfdata.store.open_store` takes it.
    output : path
        An ``.html`` file, or a folder, made where there is none, that is to hold ``report.html``. One that is there is
        replaced.
    pairs : int
        How many pairs are shown.
    seed : int
        Of drawing them, and of what else is looked at in part.
    check : bool
        Whether to validate the store, which reads all of it.
    progress : callable, optional
        Called as ``progress(step, done, total)``.

    Returns
    -------
    Report

    Raises
    ------
    FileNotFoundError
        If there is no store, or no folder for the page.
    ValueError
        If it is no store, `pairs` or `seed` is below zero, or the page cannot stand where it should.
    """
    if pairs < 0 or seed < 0:
        raise ValueError(f"pairs {pairs}, seed {seed}; expected both 0 or more")
    page = _page_path(Path(output))
    store = open_store(path)
    problems = validate(path, progress=progress) if check else []
    shown, heard = _hear(store, pairs, seed, progress)
    told, drawn = _tell_distributions(store, seed)
    sections = {
        "contents": ("What is in it", _guarded(lambda: contents_html(store))),
        "whole": ("Is it whole", whole_html(store, check, problems)),
        "pairs": ("Pairs", shown),
        "distributions": ("Distributions", told),
        "instruments": ("Instruments", _guarded(lambda: instruments_html(store))),
        "pieces": ("Pieces", _guarded(lambda: pieces_html(store))),
        "recipe": ("Recipe and versions", _guarded(lambda: recipe_html(store))),
    }
    lead = _lead(store, check, problems)
    content = document(f"Report on {store.place.name}", lead, sections, style=STYLE, script=SCRIPT).encode()
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, content)
    return Report(
        str(page),
        str(path),
        len(content),
        not problems if check else None,
        problems,
        [_pair_facts(store, pair) for pair in heard],
        {one.key: one.summary() for one in drawn},
    )


def _page_path(output: Path) -> Path:
    """Where the page goes; refuses what is in the way before any work is done."""
    if output.suffix.lower() in ENDINGS and not output.is_dir():
        check_folder_of(output)
        return output
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file; expected a folder, or a name that ends in {' or '.join(ENDINGS)}")
    if (output / "zarr.json").exists():
        raise ValueError(f"{output} is a store, which the report does not belong into; name another folder")
    return output / REPORT_FILE


def _hear(store: Store, count: int, seed: int, progress: Progress | None) -> tuple[str, list[HeardPair]]:
    """The section of pairs, and what is in it."""
    rerenderer, reason = None, ""
    try:
        rerenderer = Rerenderer(store)
    except DAMAGE as error:
        reason = f"The sound cannot be made again: the store's recipe cannot be read ({error})"
    heard: list[HeardPair] = []
    parts = []
    try:
        rows = draw_pairs(store, count, seed).tolist()
    except DAMAGE as error:
        return _damaged(error), []
    for done, row in enumerate(rows, start=1):
        try:
            pair = hear_pair(store, row, rerenderer, reason)
            parts.append(pair_html(store, pair))
            heard.append(pair)
        except DAMAGE as error:
            parts.append(f"<article><h3>Pair {row}</h3>{_damaged(error)}</article>\n")
        if progress:
            progress("make sound", done, len(rows))
    if not rows:
        return paragraph("None were asked for." if store.rows("pairs") else "The store holds no pairs.", "note"), heard
    introduction = paragraph(
        f"{counted(len(rows), 'pair')}, drawn with seed {seed}. The orange line is the onset that a pair is about, in "
        "the reference (the target) and in the snippet; that is where its sound begins. While a sound plays, "
        "a green line moves through its picture; a click into a picture plays from there. The sounds are under the "
        "licences of piece and instrument: whoever passes this page on passes them on."
    )
    return introduction + "".join(parts), heard


def _tell_distributions(store: Store, seed: int) -> tuple[str, list[Distribution]]:
    found, parts = [], []
    for key in KINDS:
        try:
            one = distribution(store, key, seed)
            if one.values:
                parts.append(picture(draw_distribution(one), f"Distribution: {one.title}", one.caption))
                found.append(one)
        except DAMAGE as error:
            parts.append(_damaged(error))
    rows = [
        (f"{one.title}: {group}", f"{values['count']:,}", *(f"{values[key]:.3g}" for key in QUANTILES))
        for one in found
        for group, values in one.summary().items()
    ]
    if not parts:
        return paragraph("There is nothing to distribute.", "note"), found
    return f'<div class="grid">{"".join(parts)}</div>' + table(
        ["", "values", *QUANTILES],
        rows,
        "What lies below the figures: 5 %, 25 %, … of the values.",
        numbers=True,
        stacked=True,
    ), found


def contents_html(store: Store) -> str:
    """Table of what is in a store, and of what was left out of it."""
    facts = summary(store)
    rows = [
        ("format", f"sfdata-pairs {facts['format_version']}"),
        ("pieces", f"{facts['pieces']:,}"),
        ("pairs", f"{facts['pairs']:,}"),
        ("splits keep whole", facts["splits_by"]),
        *store_rows(store),
        ("frames", f"{facts['frames']:,}"),
        ("size", "not known" if facts["bytes"] is None else f"{facts['bytes'] / 1e6:,.1f} MB"),
        ("seed", store.attrs.get("seed", "not told")),
        ("sources that were skipped", f"{len(facts['skipped']):,}"),
    ]
    html = table(["Store", store.place.name], rows)
    if facts["skipped"]:
        skipped = [(entry.get("source", ""), entry.get("reason", "")) for entry in facts["skipped"][:LISTED]]
        html += table(["Skipped", "reason"], skipped, stacked=True) + _more(len(facts["skipped"]))
    return html


def whole_html(store: Store, check: bool, problems: list[Problem]) -> str:
    """What validation found."""
    if not check:
        return paragraph("This was not looked at (--no-validate). 'sfdata validate' tells.", "note")
    told = "".join(paragraph(f"Note: {remark}", "note") for remark in remarks(store.path))
    if not problems:
        return told + paragraph(
            "Valid: outline, checksums, links between tables, labels against notes and spectrograms, variants against "
            "their records, nothing that leaks between splits.",
            "good",
        )
    rows = [(problem.check, problem.detail) for problem in problems[:LISTED]]
    found = paragraph(f"{counted(len(problems), 'problem')}. What follows may be wrong where they are.", "bad")
    return told + found + table(["Check", "what it found"], rows) + _more(len(problems))


def recipe_html(store: Store) -> str:
    """The resolved recipe, the software that made the store, and all licences."""
    software = sorted(store.attrs.get("software", {}).items())
    licences = permission_of(store).licences
    return (
        paragraph(f"Licences: {', '.join(licences) or 'none are told'}.")
        + table(["Made with", "version"], software)
        + "<details><summary>The whole recipe, every default written out</summary>"
        + f"<pre>{text(recipe_toml(store.attrs['recipe']))}</pre></details>\n"
    )


def _lead(store: Store, check: bool, problems: list[Problem]) -> str:
    whole = "" if not check else f" {counted(len(problems), 'problem')} found in it." if problems else " It is valid."
    return (
        f"{counted(store.rows('pieces'), 'piece')}, {counted(store.rows('renditions'), 'rendition')}, "
        f"{counted(store.rows('pairs'), 'pair')}.{whole}"
    )


def _guarded(make: Callable[[], str]) -> str:
    """What `make` gives, or why there is nothing to show: one damaged table does not take the page with it."""
    try:
        return make()
    except DAMAGE as error:
        return _damaged(error)


def _damaged(error: Exception) -> str:
    return paragraph(f"This cannot be shown ({type(error).__name__}): {error}", "bad")


def _more(total: int) -> str:
    return paragraph(f"… and {total - LISTED:,} more.", "note") if total > LISTED else ""


def _pair_facts(store: Store, pair: HeardPair) -> dict[str, Any]:
    def side(heard: HeardSide) -> dict[str, Any]:
        return {
            "instrument": heard.instrument,
            "start_s": heard.cut.start_s,
            "mark_s": heard.cut.mark_s,
            "sound": bool(heard.flac),
            "likeness": round(heard.likeness, 7),
            "silent": heard.silent,
        }

    return {
        "pair": pair.row,
        "title": str(store.pieces["title"][pair.piece]),
        "target_s": float(store.pairs["target_s"][pair.row]),
        "reference": side(pair.reference),
        "snippet": side(pair.snippet),
    }
