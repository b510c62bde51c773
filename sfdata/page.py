"""Building blocks of a self-contained HTML page: no outside resources, all text escaped, no script but a page's own.

Everything that comes from data goes through :func:`text`; a policy in the page's head has browsers run nothing else,
and ask for nothing, whatever came through. Pages are light, and narrow screens get narrow tables: with
``stacked`` every row becomes a card whose cells name their columns.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 46rem; background: #fff; color: #1c1c1c;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-bottom: 2px solid #0072B2; padding-bottom: .2rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p { margin: .5rem 0; }
.lead { font-size: 1.1rem; }
small, .note { color: #555; font-size: .875rem; }
figure { margin: 1rem 0 2rem; }
figure img { display: block; width: 100%; max-width: 40rem; height: auto; }
figcaption { color: #444; font-size: .9rem; margin-top: .4rem; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: .925rem; }
caption { text-align: left; color: #444; font-size: .9rem; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .5rem; border-bottom: 1px solid #ddd; }
th, td { overflow-wrap: normal; }
table.stacked th[scope=row], td:last-child { overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #888; vertical-align: bottom; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
td small { display: block; white-space: nowrap; }
nav a { margin-right: 1rem; white-space: nowrap; }
a { color: #005a92; }
details summary { cursor: pointer; padding: .3rem 0; }
@media (max-width: 40rem) {
  body { padding: .75rem; }
  th, td { padding: .3rem .25rem; }
  table { font-size: .85rem; }
  td small { font-size: .7rem; }
  table.stacked thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.stacked tr { display: block; border-bottom: 2px solid #bbb; padding: .4rem 0; }
  table.stacked td, table.stacked th { display: block; border: 0; padding: .05rem 0; text-align: left;
    overflow-wrap: anywhere; }
  table.stacked td:empty { display: none; }
  table.stacked td::before { content: attr(data-label) ": "; color: #555; }
}
"""


def text(value: object) -> str:
    """Escape anything for use in HTML, inside attributes too; a number and its unit stay on one line.

    Examples
    --------
    >>> text('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return escape(re.sub(r"(?<=\d) (?=%|ms\b|s\b|Hz\b)", "\u00a0", str(value)), quote=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    caption: str = "",
    *,
    numbers: bool = False,
    stacked: bool = False,
) -> str:
    """Write a table; the first cell of each row is its heading.

    Parameters
    ----------
    columns : sequence of str
    rows : iterable of sequences
        A cell that is a pair is a figure and the small print under it.
    caption : str
    numbers : bool
        All cells but the first are numbers.
    stacked : bool
        Turn rows into cards on narrow screens.
    """
    kind = ' class="number"' if numbers else ""
    head = "".join(f'<th scope="col"{kind if i else ""}>{text(name)}</th>' for i, name in enumerate(columns))
    body = []
    for row in rows:
        cells = [f'<th scope="row">{text(row[0])}</th>']
        for name, cell in zip(columns[1:], row[1:], strict=True):
            inner = f"{text(cell[0])}<small>{text(cell[1])}</small>" if isinstance(cell, tuple) else text(cell)
            cells.append(f'<td{kind} data-label="{text(name)}">{inner}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    css = ' class="stacked"' if stacked else ""
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return f"<table{css}>{title}<thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(body)}\n</tbody></table>\n"


def counted(count: int, singular: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "piece"), counted(1200, "pair")
    ('1 piece', '1,200 pairs')
    """
    return f"{count:,} {singular}{'' if count == 1 else 's'}"


def data_address(content: bytes, kind: str) -> str:
    """Give the address under which a page holds content itself; `kind` is its media type.

    Examples
    --------
    >>> data_address(b"sound", "audio/flac")
    'data:audio/flac;base64,c291bmQ='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def picture(png: bytes, alternative: str, caption: str) -> str:
    """Embed a PNG with a caption and a text for those who cannot see it."""
    return (
        f'<figure><img src="{data_address(png, "image/png")}" alt="{text(alternative)}">'
        f"<figcaption>{text(caption)}</figcaption></figure>\n"
    )


def section(anchor: str, title: str, *parts: str) -> str:
    """Write a section with a heading that can be linked to."""
    return f'<section id="{text(anchor)}"><h2>{text(title)}</h2>\n{"".join(parts)}</section>\n'


def paragraph(content: str, css: str = "") -> str:
    """Write a paragraph of plain text."""
    return f"<p{f' class={chr(34)}{text(css)}{chr(34)}' if css else ''}>{text(content)}</p>\n"


def document(
    title: str, lead: str, sections: Mapping[str, tuple[str, str]], *, style: str = "", script: str = ""
) -> str:
    """Put a page together.

    Parameters
    ----------
    title, lead : str
        Plain text.
    sections : mapping of str to (str, str)
        Anchor to title and inner HTML.
    style : str
        More CSS.
    script : str
        The one script that the page may run; nothing of it comes from data.
    """
    links = "".join(f'<a href="#{text(anchor)}">{text(name)}</a> ' for anchor, (name, _) in sections.items())
    body = "".join(section(anchor, name, inner) for anchor, (name, inner) in sections.items())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # an icon of no content keeps browsers from asking for /favicon.ico
        f'<link rel="icon" href="data:,">\n<title>{text(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n'
        f"<body>\n<header><h1>{text(title)}</h1>\n{paragraph(lead, 'lead')}<nav>{links}</nav></header>\n"
        f"<main>\n{body}</main>\n{f'<script>{script}</script>' if script else ''}</body>\n</html>\n"
    )


def _policy(script: str) -> str:
    """What browsers may load: what the page holds itself; of scripts the one of this very text."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    scripts = f"; script-src 'sha256-{digest}'" if script else ""
    return f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'{scripts}"
