"""One host with three containers of one kind, for all tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.lab import down
from tests.lab.chain.row import Row


@pytest.fixture(scope="package")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Row]:
    """The fleet, applied."""
    kept = os.environ.get("EYAS_CHAIN_DIR")  # a lab that stays up, of whoever writes these tests
    row = Row(Path(kept) if kept else tmp_path_factory.mktemp("chain"))
    row.directory.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).parent / "serve", row.directory)
    row.write(row.text)
    try:
        if not kept:
            row.eyas("lab", "up", lab=False, timeout=1800)
        row.apply()
        yield row
    finally:
        if not kept:
            down(row.directory)


@pytest.fixture
def row(rows: Row, request: pytest.FixtureRequest) -> Iterator[Row]:
    """The same; what a test changes and keeps is what the next one begins with. Anew after a failure."""
    failed = request.session.testsfailed
    yield rows
    rows.write(rows.text)
    if request.session.testsfailed > failed:
        rows.restore(rows.text)
