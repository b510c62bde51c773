"""Facts about a run, as tables for the report."""

from collections.abc import Mapping
from typing import Any

from sfdata.page import table


def settings_html(config: Mapping[str, Any]) -> str:
    """Table of the network's and the training's settings, and the software."""
    parts = []
    for key, title in (("network", "Network"), ("training", "Training"), ("software", "Software")):
        values = config.get(key)
        if isinstance(values, Mapping):
            rows = [(name.replace("_", " "), _plain(value)) for name, value in values.items() if name != "device"]
            parts.append(table([title, "value"], rows))
    return "".join(parts)


def _plain(value: object) -> str:
    """A setting in words."""
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
