"""Run by test_apply_kill.py in a process of its own, which is really killed: ROOT apply|recover"""

from __future__ import annotations

import sys
from pathlib import Path

from eyas.apply.fault import from_environment
from eyas.apply.journal import Runs
from eyas.apply.recover import recover
from eyas.apply.run import apply
from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Phase, Plan, Step
from eyas.host.files import RealFiles
from eyas.kind import KINDS
from tests.toys import Machines, Toy


class Place:
    """A system that is only files below a folder."""

    def __init__(self, root: str) -> None:
        self.files = RealFiles(root)


def main(root: str, verb: str) -> int:
    machines = Machines()
    machines.seen = [{}]
    KINDS.update({"toy": Toy(), "container": machines})
    steps = [Step("toy", "put", f"/t/{n}", Phase.prepare, {"text": "new"}) for n in range(3)]
    steps.append(Step("toy", "put", "/t/swept", Phase.sweep, {"text": "new"}))
    runs = Runs(Path(root + paths.RUNS))
    system: System = Place(root)  # type: ignore[assignment]  # files are all that this kind needs
    if verb == "apply":
        return apply(Plan("h", (), tuple(steps)), {}, system, runs, fault=from_environment()).exit_code
    outcome = recover(system, runs, fault=from_environment())
    return 0 if outcome is None else outcome.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
