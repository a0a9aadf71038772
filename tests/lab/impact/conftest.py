"""One host with three containers, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.lab import down
from tests.lab.impact.definitions import FLEET
from tests.lab.impact.rig import Rig, kept_lab


@pytest.fixture(scope="package")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The fleet, applied."""
    kept = kept_lab()
    rig = Rig(Path(kept) if kept else tmp_path_factory.mktemp("impact"))
    rig.directory.mkdir(exist_ok=True)
    (rig.directory / "fleet.py").write_text(FLEET)
    try:
        if not kept:
            rig.eyas("lab", "up", lab=False, timeout=1800)
        rig.apply(timeout=1800)
        yield rig
    finally:
        if not kept:
            down(rig.directory)
