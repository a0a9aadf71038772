"""One lab for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.network.rig import Net
from tests.lab.rig import lab_of

nets = lab_of(Net, "network")


@pytest.fixture
def net(nets: Net) -> Net:
    nets.undo_edits()
    return nets
