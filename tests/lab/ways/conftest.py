"""One host with two containers, for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.rig import lab_of
from tests.lab.ways.rig import Ways

hosts = lab_of(Ways, "ways")


@pytest.fixture
def ways(hosts: Ways) -> Ways:
    """The host as the fleet without edits says."""
    hosts.restore()
    return hosts
