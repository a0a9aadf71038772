"""One lab with Compose stacks, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.compose.rig import Stacks
from tests.lab.rig import lab_of

fleet = lab_of(Stacks, "compose")


@pytest.fixture
def stacks(fleet: Stacks) -> Iterator[Stacks]:
    """The fleet; a test that fails on its way does not spoil the next one."""
    yield fleet
    fleet.undo_edits()
