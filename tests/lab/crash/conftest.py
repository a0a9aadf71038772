"""One host for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

import pytest

from tests.lab.crash.definitions import AFTER, BEFORE
from tests.lab.crash.rig import Crash, Photo
from tests.lab.rig import lab_of

rig = lab_of(Crash, "crash")


@pytest.fixture(scope="package")
def after(rig: Crash) -> Photo:
    """The host wholly after: `BEFORE`, then `AFTER`."""
    rig.restore(BEFORE)
    rig.restore(AFTER)
    return rig.photo()


@pytest.fixture
def before(rig: Crash) -> Photo:
    """The host wholly before, as each test begins; bob has set a password, which no definition knows."""
    rig.restore(BEFORE)
    rig.host.succeed("chpasswd", "--encrypted", input="bob:$6$salt$hash\n")
    return rig.photo()
