"""Labs for tests. They belong to the test process: what a killed run left is taken away by the next one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.core.events import Event
from eyas.lab import Lab, LabHost, down, remove_orphans, up
from eyas.lab.testing import Host, Internet
from tests.lab.labs import GARUDA, LabMaker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without root they fail: a test that was skipped looks as if it had passed."""
    if os.geteuid() != 0:
        pytest.fail("labs need root: sudo make test, or make test-quick for the rest", pytrace=False)


def say(event: Event) -> None:
    if event.level != "debug":
        print(f"{event.topic} {event.name}: {event.text}")


@pytest.fixture(scope="session", autouse=True)
def no_orphans() -> None:
    remove_orphans(say)


@pytest.fixture(scope="session")
def make_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabMaker]:
    """A function that boots a lab of its own: make_lab(LabHost(...), ..., source=tree). Down at the session's end,
    or before by eyas.lab.down(lab.directory)."""
    made: list[Path] = []

    def make(*hosts: LabHost, **options: object) -> Lab:
        directory = tmp_path_factory.mktemp("fleet")
        made.append(directory)
        return up(directory, hosts or [GARUDA], owner=os.getpid(), outer=False, listener=say, **options)  # type: ignore[arg-type]

    yield make
    for directory in made:
        down(directory)


@pytest.fixture(scope="session")
def lab(make_lab: LabMaker) -> Lab:
    """A lab with the Garuda host, shared by all tests of a session: leave it as you found it."""
    return make_lab()


@pytest.fixture(scope="session")
def host(lab: Lab) -> Host:
    """The one host of the shared lab."""
    return Host(lab, GARUDA.name)


@pytest.fixture(scope="session")
def internet(lab: Lab) -> Internet:
    """Clients beside the shared lab's host."""
    return Internet(lab)
