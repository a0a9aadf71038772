"""One host with two containers that write, for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.rig import lab_of
from tests.lab.writes.pair import Pair

pairs = lab_of(Pair, "writes")


@pytest.fixture
def pair(pairs: Pair) -> Pair:
    """The fleet, as declared, before each test."""
    pairs.restore()
    return pairs
