"""One lab with the whole Garuda fleet, for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.lab.fleet.garuda import Garuda
from tests.lab.rig import lab_of

FAILED: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        FAILED.append(item.nodeid)
    return report


@pytest.fixture
def failed() -> list[str]:
    """The tests that failed, until somebody clears the list."""
    return FAILED


garuda = lab_of(Garuda, "garuda")
