"""One lab for all tests of this folder: two containers, up and reachable."""

from __future__ import annotations

from tests.lab.hold.rig import Hold
from tests.lab.rig import lab_of

rig = lab_of(Hold, "hold")
