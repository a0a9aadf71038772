"""One host with three containers, for all tests of this folder."""

from __future__ import annotations

from tests.lab.impact.rig import Impact
from tests.lab.rig import lab_of

rig = lab_of(Impact, "impact")
