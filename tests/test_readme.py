"""The README's Python runs; its commands are looked at with those of all pages."""

import re
from pathlib import Path

from sfdata import PairReader, open_store

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_runs(built_store: Path):
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert "PairReader" in block and "open_store" in block
    code = block.replace('"store.zarr"', repr(str(built_store)))
    names: dict[str, object] = {}
    exec(code, names)
    assert PairReader(open_store(built_store), "test").batch(slice(0, 64)).reference.shape == (64, 240, 88)
