"""Markdown: tables, pictures, and how figures are written in them."""

from collections.abc import Sequence

NONE = "–"


def text(value: object) -> str:
    """Escape what would be markup in a table or a line of text.

    Examples
    --------
    >>> text("a|b <c> *d*")
    'a\\\\|b &lt;c> \\\\*d\\\\*'
    """
    escaped = str(value).replace("\\", "\\\\").replace("<", "&lt;").replace("\n", " ")
    for mark in "|*`_[":
        escaped = escaped.replace(mark, f"\\{mark}")
    return escaped


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table: first column to the left, the others to the right. Cells are Markdown already.

    Raises
    ------
    ValueError
        If a row has not as many cells as the header.

    Examples
    --------
    >>> print(table(["", "a"], [["x", "1"]]))
    |  | a |
    |---|---:|
    | x | 1 |
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} cells in a table of {len(header)} columns")
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|---" + "|---:" * (len(header) - 1) + "|", *lines[1:]])


def picture(path: str, caption: str) -> str:
    """Write a picture with its caption below it.

    The alternative text is the caption's first sentence.
    """
    return f"![{text(caption.split('. ')[0].rstrip('.'))}]({path})\n\n*{caption}*"


def share(value: float | None, digits: int = 3) -> str:
    """Write a share; a dash where there is none.

    Examples
    --------
    >>> share(0.83, 2), share(0.98765), share(None)
    ('0.83', '0.988', '–')
    """
    return NONE if value is None else f"{value:.{digits}f}"


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Write the mean of some values, and the lowest and the highest where there are several.

    Examples
    --------
    >>> spread([0.5, 0.6, 0.7]), spread([0.5]), spread([2, 4], 0), spread([])
    ('0.600 (0.500–0.700)', '0.500', '3 (2–4)', '–')
    """
    if not values:
        return NONE
    mean = f"{sum(values) / len(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def duration(seconds: float) -> str:
    """Write a time in words.

    Examples
    --------
    >>> duration(12.3), duration(250), duration(9000)
    ('12 s', '4.2 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
