"""One lab for all tests of this folder: two containers, up and reachable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyas.lab import down
from tests.lab.hold.rig import Rig, copy


@pytest.fixture(scope="package")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig(copy(tmp_path_factory.mktemp("hold") / "fleet"))
    try:
        rig.eyas("lab", "up", timeout=1800)
        rig.eyas("--lab", "apply", "--yes", timeout=1800)
        rig.wait_for_answers()
        yield rig
    finally:
        down(rig.directory)
