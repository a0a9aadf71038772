"""One lab with an authority in its internet, for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.lab.certificates.rig import Certified
from tests.lab.rig import lab_of

certifieds = lab_of(Certified, "certificates")


@pytest.fixture
def certified(certifieds: Certified) -> Certified:
    """As declared before each test, with an authority that behaves."""
    certifieds.as_declared()
    return certifieds
