"""One lab for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.limits.rig import Tenants
from tests.lab.rig import lab_of

labs = lab_of(Tenants, "limits")


@pytest.fixture
def tenants(labs: Tenants) -> Tenants:
    labs.undo_edits()
    return labs
