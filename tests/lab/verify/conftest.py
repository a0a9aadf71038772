"""One lab for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.rig import lab_of
from tests.lab.verify.rig import Moved

moved_fleet = lab_of(Moved, "verify")


@pytest.fixture
def moved(moved_fleet: Moved) -> Moved:
    """As declared, before each test."""
    moved_fleet.restore()
    return moved_fleet
