"""One lab with the whole Garuda fleet, for all tests of this folder; down when the last of them has run."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from eyas.lab import down
from tests.lab.fleet.garuda import EXAMPLE, Garuda

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


@pytest.fixture(scope="package")
def garuda(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Garuda]:
    """The example, applied. Tests leave it as they found it: ten healthy containers, definitions as in the example."""
    directory: Path = tmp_path_factory.mktemp("garuda") / "fleet"
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns(".eyas", "__pycache__"))
    garuda = Garuda(directory)
    try:
        said = garuda.run("lab", "up", timeout=1800)
        assert said.code == 0, said.err
        said = garuda.run("--lab", "apply", "--yes", timeout=2400)
        assert said.code == 0, f"{said.out}\n{said.err}"
        print(f"first apply: {said.seconds:.1f} s")
        yield garuda
    finally:
        down(directory)
