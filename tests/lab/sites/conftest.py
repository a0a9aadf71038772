"""One lab with a front, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.rig import lab_of
from tests.lab.sites.rig import Sites

fleet = lab_of(Sites, "sites")


@pytest.fixture
def sites(fleet: Sites) -> Iterator[Sites]:
    """The fleet; a test that fails on its way does not spoil the next one."""
    yield fleet
    fleet.undo_edits()
