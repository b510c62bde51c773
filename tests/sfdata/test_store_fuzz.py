"""Zipped stores with bytes changed anywhere, or metadata that lie: refused with a ValueError, or read as they were."""

import collections
from pathlib import Path

import numpy as np
import pytest

from tests.store_fuzzing import SAMPLE, changed_stores, content, outcome


@pytest.mark.slow
def test_changed_stores_are_refused_or_the_same(tmp_path: Path):
    whole = content(SAMPLE)
    became = collections.Counter(
        outcome(path, whole) for _, path in changed_stores(SAMPLE, tmp_path, 60, np.random.default_rng(11))
    )
    assert not became["other tables"] and became["refused"] >= 20
