"""One host with a stateless container and another that asks it, for all tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.lab import down
from tests.lab.beside.definitions import FLEET
from tests.lab.beside.pair import Pair


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The fleet, applied."""
    kept = os.environ.get("EYAS_BESIDE_DIR")  # a lab that stays up, of whoever writes these tests
    pair = Pair(Path(kept) if kept else tmp_path_factory.mktemp("beside"))
    shutil.copy(Path(__file__).parent / "serve", pair.directory)
    pair.write(FLEET)
    try:
        pair.eyas("lab", "up", lab=False, timeout=1800)
        pair.apply()
        yield pair
    finally:
        if not kept:
            down(pair.directory)


@pytest.fixture
def pair(up: Pair) -> Pair:
    """The same, as declared, before each test; in whichever slot."""
    up.restore(FLEET)
    return up
