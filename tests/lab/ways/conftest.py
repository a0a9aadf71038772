"""One host with two containers, for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from eyas.lab import down, find
from eyas.lab.testing import Host
from tests.lab.crash.rig import Rig
from tests.lab.ways.definitions import fleet


class Ways(Rig):
    """The rig of another host."""

    @cached_property
    def host(self) -> Host:
        return Host(find(self.directory), "ways")

    def edit(self, **edits: str) -> None:
        self.write(fleet(**edits))

    def reach(self, **edits: str) -> str:
        """Make the host what an edited fleet says; the id of the run."""
        self.edit(**edits)
        self.apply()
        return self.last()["run"]

    def last(self) -> dict[str, str]:
        """The last run, as history tells it."""
        import json

        found: dict[str, str] = json.loads(self.eyas("history", "--json"))["runs"][0]
        return found

    def left(self, **edits: str) -> list[str]:
        """What would have to be done so that the host is as an edited fleet says."""
        return self.differs(fleet(**edits))


@pytest.fixture(scope="package")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    kept = os.environ.get("EYAS_WAYS_DIR")  # a lab that stays up, of whoever writes these tests
    ways = Ways(Path(kept) if kept else tmp_path_factory.mktemp("ways"))
    ways.edit()
    try:
        if not kept:
            ways.eyas("lab", "up", lab=False, timeout=1800)
        ways.eyas("apply", "--yes", timeout=1800)
        yield ways
    finally:
        if not kept:
            down(ways.directory)


@pytest.fixture
def ways(hosts: Ways) -> Ways:
    """The host as the fleet without edits says."""
    hosts.restore(fleet())
    return hosts
