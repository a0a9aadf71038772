"""One host for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.lab import down
from tests.lab.crash.definitions import AFTER, BEFORE
from tests.lab.crash.rig import Photo, Rig


@pytest.fixture(scope="package")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A host that holds the fleet of `BEFORE`, and whose store has all that `AFTER` needs."""
    if "EYAS_CRASH_DIR" in os.environ:  # a lab that is up, of whoever writes these tests
        yield Rig(Path(os.environ["EYAS_CRASH_DIR"]))
        return
    rig = Rig(tmp_path_factory.mktemp("crash"))
    rig.write(BEFORE)
    try:
        rig.eyas("lab", "up", lab=False, timeout=1800)
        rig.eyas("apply", "--yes", timeout=1800)
        yield rig
    finally:
        down(rig.directory)


@pytest.fixture(scope="package")
def after(rig: Rig) -> Photo:
    """The host wholly after: `BEFORE`, then `AFTER`."""
    rig.restore(BEFORE)
    rig.restore(AFTER)
    return rig.photo()


@pytest.fixture
def before(rig: Rig) -> Photo:
    """The host wholly before, as each test begins; bob has set a password, which no definition knows."""
    rig.restore(BEFORE)
    rig.host.succeed("chpasswd", "--encrypted", input="bob:$6$salt$hash\n")
    return rig.photo()
