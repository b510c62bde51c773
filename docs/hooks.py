"""What the site takes from outside of ``docs``: the README as its first page, changes, model cards, recipes."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
BESIDE = (
    "CHANGELOG.md",
    "sfmodel/weights/*.md",
    "sfdata/shipped/*/CREDITS.md",
    "LICENSE",
    "CITATION.cff",
    "pipelines/*.toml",
)


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the repository's files at their places, and the README as ``index.md``."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(
        File.generated(config, "index.md", content=re.sub(r"(?<=\[)docs/(\w+)\.md(?=\])|(?<=\]\()docs/", r"\1", readme))
    )
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, str(path.relative_to(ROOT)), content=path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """In the site, what lies beside ``docs`` lies in it."""
    markdown = re.sub(r"\]\(\.\./(?=sfmodel/|sfdata/|pipelines/)", "](", markdown)
    return markdown.replace("](../../docs/", "](../../")


def on_page_content(html: str, **_: Any) -> str:
    """In docstrings, make links of Sphinx's roles where the site knows the name, and plain code where it does not."""

    def link(match: re.Match[str]) -> str:
        name, short = match["name"], bool(match["short"])
        shown = f"<code>{name.rsplit('.', 1)[-1] if short else name}</code>"
        return f'<autoref optional identifier="{name}">{shown}</autoref>' if "." in name else shown

    return re.sub(r":(?:func|class|mod|data|meth|attr):<code>(?P<short>~?)(?P<name>[^<]+)</code>", link, html)
