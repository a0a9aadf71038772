"""Kernel settings of the host: one file for all of them, and the live value of each."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import owned
from eyas.kind.common import Deed, table, text

HEADER = "# made by eyas: kernel settings of the definitions\n"


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
    owned.claim(system, step.id, {"before": table(saved)["live"]})
    if not step.args.get("boot") and plain(system.kernel.get(key)) != plain(value):
        system.kernel.set(key, value)
    _put_file(system, key, plain(value))


def _remove(system: System, step: Step, saved: Json) -> None:
    """The value from before us comes back, as far as this boot knows it."""
    key, note = _key(step), table(table(saved)["note"])
    if note.get("before") is not None and system.kernel.get(key) is not None:
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
        return []

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return [Step(self.name, "remove", change.id, Phase.remove)]
        return [Step(self.name, "set", change.id, Phase.host, {"value": plain(want.fields["value"])})]

    def observe(self, system: System) -> list[Resource]:
        """The live value; ``file`` only when our file says something else."""
        mine = owned.ids(system, self.name)
        written = read_file(system) if mine else {}
        found = []
        for id_ in mine:
            key = id_.split(":", 1)[1]
            value = plain(system.kernel.get(key) or "")
            fields: dict[str, Json] = {"value": value}
            if written.get(key) != value:
                fields["file"] = written.get(key, "")
            found.append(Resource(id_, self.name, "host", fields))
        return found
