"""One lab with a front, for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.front.fronts import Fronts
from tests.lab.rig import lab_of

fronts = lab_of(Fronts, "front")


@pytest.fixture(autouse=True)
def as_found(fronts: Fronts) -> Iterator[None]:
    """The definitions are whole again after each test; a test that fails on its way does not spoil the next one."""
    yield
    fronts.undo_edits()
