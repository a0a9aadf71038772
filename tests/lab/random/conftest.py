"""One host for the whole sequence; down at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.lab import down
from tests.lab.crash.rig import Rig
from tests.lab.random.edits import NAMES, TARGETS, first, source


@pytest.fixture(scope="package")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A host with the first fleet; what binds show has its path in a file."""
    given = os.environ.get("EYAS_RANDOM_DIR")  # a lab that is up, of whoever writes these tests
    rig = Rig(Path(given) if given else tmp_path_factory.mktemp("random"))
    try:
        rig.write(first().text())
        if not given:
            rig.eyas("lab", "up", lab=False, timeout=1800)
        for path in (source(name, target) for name in NAMES for target in TARGETS):
            marker = rig.host.root / path[1:] / "marker"
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.write_text(path)
        rig.restore(first().text())
        yield rig
    finally:
        if not given:
            down(rig.directory)
