"""One lab with a builder of packages and a mirror, for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.builder.forge import Forge
from tests.lab.rig import lab_of

forges = lab_of(Forge, "builder")


@pytest.fixture
def forge(forges: Forge) -> Forge:
    """The definitions as declared, an empty queue, and nothing left of anybody."""
    forges.undo_edits()
    forges.idle()
    return forges
