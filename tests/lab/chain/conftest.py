"""One host with three containers of one kind, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.chain.row import Row
from tests.lab.rig import lab_of

rows = lab_of(Row, "chain")


@pytest.fixture
def row(rows: Row, request: pytest.FixtureRequest) -> Iterator[Row]:
    """The fleet; what a test changes and keeps is what the next one begins with. Anew after a failure."""
    failed = request.session.testsfailed
    yield rows
    rows.write(rows.text)
    if request.session.testsfailed > failed:
        rows.restore(rows.text)
