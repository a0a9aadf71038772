"""Kinds that only write files, for tests of what is not about kinds."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import Change, FieldChange, Json, Resource, Step
from eyas.kind import Verb


def _path(step: Step) -> str:
    """What is written: the id, or what of it follows a kind."""
    return step.id.rpartition(":")[2]


class Put:
    """Write a file; the way back puts the old one there."""

    def save(self, system: System, step: Step, folder: str) -> Json:
        data = system.files.read(_path(step))
        if data is not None:
            system.files.write(f"{folder}/old", data)
        return {"old": f"{folder}/old" if data is not None else None}

    def do(self, system: System, step: Step, saved: Json) -> str | None:
        text = str(step.args["text"])
        if text == "refuse":
            raise Failed(f"cannot write {step.id}: refused", "ask for less")
        if text == "crash":
            raise KeyError("broken")
        system.files.write(_path(step), text.encode())
        return None

    def undo(self, system: System, step: Step, saved: Json, boot: bool = False) -> None:
        assert isinstance(saved, dict)
        if step.args.get("stays"):
            raise Failed(f"cannot put {step.id} back: it is held")
        old = saved["old"]
        if old is None:
            system.files.remove(_path(step))
        else:
            system.files.write(_path(step), system.files.read(str(old)) or b"")


class Remark(Put):
    """Write a file, and tell of something that is no failure."""

    def do(self, system: System, step: Step, saved: Json) -> str | None:
        Put.do(self, system, step, saved)
        return f"{step.id} is odd\n  | it says so itself"


class Meet:
    """Waits until as many others do the same at this moment as ``args`` say."""

    barrier = threading.Barrier(3, timeout=5)

    def save(self, system: System, step: Step, folder: str) -> Json:
        return None

    def do(self, system: System, step: Step, saved: Json) -> None:
        self.barrier.wait()

    def undo(self, system: System, step: Step, saved: Json, boot: bool = False) -> None:
        return


class Many(Put):
    """Does all its steps of a round in one call."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def do_many(self, system: System, steps: Sequence[tuple[Step, Json]]) -> None:
        self.calls.append([step.id for step, _ in steps])
        for step, saved in steps:
            self.do(system, step, saved)


class Toy:
    name = "toy"

    def __init__(self) -> None:
        self.many = Many()

    @property
    def verbs(self) -> Mapping[str, Verb]:
        return {"put": Put(), "remark": Remark(), "meet": Meet(), "many": self.many}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return []

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        return []

    def observe(self, system: System) -> list[Resource]:
        return []


class Machines(Toy):
    """Containers, as the run asks for them: each with an invocation, and one that somebody restarts."""

    name = "container"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[dict[str, str]] = [{"web": "1", "db": "2"}]

    def invocations(self, system: System) -> dict[str, str]:
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def observe(self, system: System) -> list[Resource]:
        return [
            Resource(f"container:{name}", "container", name, {"state": {"active": "active", "invocation": id_}})
            for name, id_ in self.invocations(system).items()
        ]
