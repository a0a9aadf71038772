"""One lab for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.docker.rig import Docks
from tests.lab.rig import lab_of

docks = lab_of(Docks, "docker")


@pytest.fixture(autouse=True)
def as_found(docks: Docks) -> Iterator[None]:
    """The definitions are whole again after each test."""
    yield
    docks.undo_edits()
