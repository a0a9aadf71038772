"""One host for the whole sequence; down at its end."""

from __future__ import annotations

from tests.lab.random.edits import NAMES, TARGETS, first, source
from tests.lab.rig import Rig, lab_of


class Lane(Rig):
    """A host with the first fleet; what binds show has its path in a file."""

    declared = first().text()

    def begin(self) -> None:
        for path in (source(name, target) for name in NAMES for target in TARGETS):
            marker = self.host.root / path[1:] / "marker"
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.write_text(path)
        self.restore()


rig = lab_of(Lane, "random")
