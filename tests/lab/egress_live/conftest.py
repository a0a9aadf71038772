"""One lab for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.egress_live.rig import Live
from tests.lab.rig import lab_of

lives = lab_of(Live, "egress_live")


@pytest.fixture
def live(lives: Live) -> Live:
    lives.anew()
    return lives
