"""One lab with a small fleet, for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.containers.cells import Cells
from tests.lab.rig import lab_of

cells = lab_of(Cells, "containers")


@pytest.fixture(autouse=True)
def as_found(cells: Cells) -> Iterator[None]:
    """The definitions are whole again after each test; a test that fails on its way does not spoil the next one."""
    yield
    cells.undo_edits()
