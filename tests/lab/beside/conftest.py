"""One host with a stateless container and another that asks it, for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.beside.pair import Pair
from tests.lab.rig import lab_of

up = lab_of(Pair, "beside")


@pytest.fixture
def pair(up: Pair) -> Pair:
    """The fleet, as declared, before each test; in whichever slot."""
    up.restore()
    return up
