"""A host that is changed in ways that are not all at once, or that may cut a connection."""

from __future__ import annotations

from tests.lab.rig import Rig
from tests.lab.ways.definitions import fleet


class Ways(Rig):
    """One host with two containers."""

    declared = fleet()

    def change(self, **edits: str) -> None:
        self.write(fleet(**edits))

    def reach(self, **edits: str) -> str:
        """Make the host what an edited fleet says; the id of the run."""
        self.change(**edits)
        self.apply()
        return self.last()["run"]

    def last(self) -> dict[str, str]:
        """The last run, as history tells it."""
        found: dict[str, str] = self.json("history")["runs"][0]
        return found

    def left(self, **edits: str) -> list[str]:
        """What would have to be done so that the host is as an edited fleet says."""
        return self.differs(fleet(**edits))
