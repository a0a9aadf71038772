"""One lab with a small fleet, for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyas.lab import down
from tests.lab.containers.cells import Cells, copy


@pytest.fixture(scope="package")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cells]:
    """The fleet, applied. Tests leave it as they found it: everything up, definitions as in the folder ``fleet``."""
    cells = Cells(copy(tmp_path_factory.mktemp("cells") / "fleet"))
    try:
        cells.eyas("lab", "up", lab=False, timeout=1800)
        cells.apply(timeout=1800)
        yield cells
    finally:
        down(cells.directory)


@pytest.fixture(autouse=True)
def as_found(cells: Cells) -> Iterator[None]:
    """The definitions are whole again after each test; a test that fails on its way does not spoil the next one."""
    yield
    cells.restore()
