"""Kernel settings of the host: one file for all of them, and the live value of each.

One that says ``least`` is satisfied by more, and by a kernel that has no such setting for us: a host in a network
namespace cannot have its own table of connections.
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import owned
from eyas.kind.common import Deed, table, text

HEADER = "# made by eyas: kernel settings of the definitions\n"


def _phase(id_: str) -> Phase:
    """What is set of the table of connections is there only since the packet filter made the kernel keep one."""
    return Phase.live if id_.startswith("sysctl:net.netfilter.") else Phase.host


def plain(value: Json) -> str:
    """A value as it can be compared: the kernel separates several numbers by tabs."""
    return " ".join(str(value).split())


def read_file(system: System) -> dict[str, str]:
    """Settings in our file, by name (sysctl.d(5))."""
    data = (system.files.read(paths.SYSCTL) or b"").decode(errors="replace")
    rows = (line.split("=", 1) for line in data.splitlines() if "=" in line and not line.lstrip().startswith("#"))
    return {key.strip(): plain(value) for key, value in rows}


def _put_file(system: System, key: str, value: str | None) -> None:
    have = read_file(system)
    want = {**have, key: value} if value is not None else {k: v for k, v in have.items() if k != key}
    if want == have:
        return
    if not want:
        system.files.remove(paths.SYSCTL)
        return
    lines = "".join(f"{name} = {setting}\n" for name, setting in sorted(want.items()))
    system.files.write(paths.SYSCTL, (HEADER + lines).encode())


def _key(step: Step) -> str:
    return step.id.split(":", 1)[1]


def _look(system: System, step: Step, _folder: str) -> Json:
    key = _key(step)
    return {
        "live": system.kernel.get(key),
        "file": read_file(system).get(key),
        "note": owned.ids(system, "sysctl").get(step.id),
    }


def _set(system: System, step: Step, saved: Json) -> None:
    key, value = _key(step), text(step, "value")
    note = table(table(saved)["note"])
    noted: dict[str, Json] = {"before": note["before"] if "before" in note else table(saved)["live"]}
    if step.args.get("least"):
        noted["least"] = value
    owned.claim(system, step.id, noted, replace=True)
    enough = bool(step.args.get("least")) and (
        not system.kernel.settable(key) or _reaches(system.kernel.get(key), value)
    )
    if not enough and not step.args.get("boot") and plain(system.kernel.get(key)) != plain(value):
        system.kernel.set(key, value)
    _put_file(system, key, plain(value))


def _reaches(value: Json, least: str) -> bool:
    """Whether a number is at least another one."""
    number = plain(value)
    return number.isdigit() and least.isdigit() and int(number) >= int(least)


def _remove(system: System, step: Step, saved: Json) -> None:
    """The value from before us comes back, as far as this boot knows it."""
    key, note = _key(step), table(table(saved)["note"])
    if note.get("before") is not None and system.kernel.settable(key):
        system.kernel.set(key, str(note["before"]))
    _put_file(system, key, None)
    owned.release(system, step.id)


def _back(system: System, step: Step, saved: Json, boot: bool) -> None:
    key, seen = _key(step), table(saved)
    _put_file(system, key, None if seen["file"] is None else str(seen["file"]))
    if not boot and seen["live"] is not None and system.kernel.get(key) != seen["live"]:
        system.kernel.set(key, str(seen["live"]))
    owned.restore(system, step.id, seen["note"])


class Sysctl:
    name = "sysctl"
    verbs: Mapping[str, Deed] = {"set": Deed(_set, _look, _back), "remove": Deed(_remove, _look, _back)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        key = (want or have).name  # type: ignore[union-attr]
        old = plain(have.fields["value"]) if have else None
        new = plain(want.fields["value"]) if want else None
        by_hand = have is not None and want is not None and have.fields.get("file") == new
        if old != new:
            if by_hand:
                return [FieldChange("drift", old, new, Impact.live, f"{key} {old} -> {new}, it was changed by hand")]
            said = f"{key} {old if old is not None else '(as it was)'} -> {new if new is not None else '(as it was)'}"
            return [FieldChange("value", old, new, Impact.live, said)]
        written = have.fields.get("file") if have else None
        if written is not None and written != new:
            return [FieldChange("drift", written, new, Impact.none, f"{key} in {paths.SYSCTL} changed by hand")]
        if want is not None and have is not None and want.fields.get("least") != have.fields.get("least"):
            said = f"{key}: more than {new} is left alone" if want.fields.get("least") else f"{key} is exactly {new}"
            return [FieldChange("least", have.fields.get("least"), want.fields.get("least"), Impact.live, said)]
        return []

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return [Step(self.name, "remove", change.id, Phase.remove)]
        args: dict[str, Json] = {"value": plain(want.fields["value"])}
        if want.fields.get("least"):
            args["least"] = True
        return [Step(self.name, "set", change.id, _phase(change.id), args)]

    def observe(self, system: System) -> list[Resource]:
        """The live value, or the least one where that is reached; ``file`` only when our file says something else."""
        mine = owned.ids(system, self.name)
        written = read_file(system) if mine else {}
        found = []
        for id_, note in mine.items():
            key = id_.split(":", 1)[1]
            value, least = plain(system.kernel.get(key) or ""), str(note.get("least") or "")
            if least and (_reaches(value, least) or not system.kernel.settable(key)):
                value = least  # as good as that
            fields: dict[str, Json] = {"value": value}
            if least:
                fields["least"] = True
            if written.get(key) != value:
                fields["file"] = written.get(key, "")
            found.append(Resource(id_, self.name, "host", fields))
        return found
