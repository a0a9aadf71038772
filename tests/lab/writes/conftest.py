"""One host with two containers that write, for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.lab import down
from tests.lab.writes.definitions import FLEET
from tests.lab.writes.pair import Pair


@pytest.fixture(scope="package")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The fleet, applied."""
    kept = os.environ.get("EYAS_WRITES_DIR")  # a lab that stays up, of whoever writes these tests
    pair = Pair(Path(kept) if kept else tmp_path_factory.mktemp("writes"))
    pair.directory.mkdir(exist_ok=True)
    pair.write(FLEET)
    try:
        pair.eyas("lab", "up", lab=False, timeout=1800)
        pair.apply()
        yield pair
    finally:
        if not kept:
            down(pair.directory)


@pytest.fixture
def pair(pairs: Pair) -> Pair:
    """The same, as declared, before each test."""
    pairs.restore(FLEET)
    return pairs
