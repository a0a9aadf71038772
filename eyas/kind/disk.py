"""Directories with data and an end: an ext4 file system in an image file beside the directory, mounted by a unit.

``/srv/dock`` of 20G is the sparse file ``/srv/dock.disk``, mounted at /srv/dock by ``srv-dock.mount``, which
containers that bind it pull in at their start (``RequiresMountsFor=``). Who fills it is told that there is no room,
and nobody else.

It grows while it is used, and is never made smaller or removed: it is data. How much it was declared to hold is noted
(`owned`), because the way back cannot make it smaller again.
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System, UnitState
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step
from eyas.kind import owned, snapshot
from eyas.kind.common import Deed, integer, table, text, whole

UNIT = """\
# made by eyas
[Unit]
Description=Data of {container} at {path}

[Mount]
What={image}
Where={path}
Type=ext4
Options=loop,noatime,discard
"""
LOST = "lost+found"
OWNER = ("mode", "owner", "group")
"""What the directory begins with; afterwards it is its service's business (`eyas.kind.directory`)."""


def image_of(path: str) -> str:
    """The file that holds what is at a path."""
    return f"{path}.disk"


def mount_unit(path: str) -> str:
    """The name of the mount unit of a path (systemd.unit(5), "STRING ESCAPING")."""
    plain = path.strip("/")
    found = "".join(
        "-" if char == "/" else char if char.isascii() and (char.isalnum() or char in ":_.") else _escape(char)
        for char in plain
    )
    return (_escape(".") + found[1:] if found.startswith(".") else found) + ".mount"


def _escape(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())


def shown(size: int) -> str:
    """Bytes as a person wrote them."""
    for exponent, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size >= 1 << exponent and size % (1 << exponent) == 0:
            return f"{size >> exponent}{unit}"
    return str(size)


def _content(system: System, path: str) -> list[str]:
    return [name for name in system.files.list(path) if name != LOST]


def _look(system: System, step: Step, folder: str) -> Json:
    path = text(step, "path")
    unit = mount_unit(path)
    state = system.units.show([unit]).get(unit) or UnitState(unit)
    return {
        "note": owned.ids(system, "disk").get(step.id),
        "left": owned.left(system),
        "had": system.volumes.size(image_of(path)) is not None,
        "there": system.files.stat(path) is not None,
        "unit": snapshot.take(system, f"{paths.UNITS}/{unit}", folder),
        "mounted": state.running,
    }


def _make(system: System, step: Step, saved: Json) -> None:
    path, size, seen = text(step, "path"), integer(step.args["size"]), table(saved)
    image, unit = image_of(path), mount_unit(path)
    if not seen["mounted"] and _content(system, path):
        raise Failed(
            f"cannot give {path} a size: it has data that is on no disk of its own",
            f"move it away (mv {path} {path}.old), apply, and copy it back (cp -a {path}.old/. {path})",
        )
    owned.claim(system, step.id, {"size": size, "container": step.args["container"]}, replace=True)
    owned.back_in_use(system, [image])
    if system.volumes.size(image) is None:
        system.volumes.make(image, size)
    body = UNIT.format(container=step.args["container"], path=path.replace("%", "%%"), image=image.replace("%", "%%"))
    system.files.write(f"{paths.UNITS}/{unit}", body.encode())
    system.units.daemon_reload()
    system.units.start([unit])
    if not seen["had"]:
        system.files.mkdir(path, *(integer(step.args[key]) for key in OWNER))


def _back(system: System, step: Step, saved: Json, boot: bool) -> None:
    path, seen = text(step, "path"), table(saved)
    unit, image = mount_unit(path), image_of(path)
    empty = not boot and not _content(system, path)
    if not boot and not seen["mounted"]:
        system.units.stop([unit])
        system.units.reset_failed([unit])
    snapshot.put_back(system, seen["unit"])
    if not boot:
        system.units.daemon_reload()
    owned.restore_left(system, seen["left"])
    if not seen["had"]:
        if empty:
            system.files.remove(image)
        elif system.volumes.size(image) is not None:
            owned.leave(system, [image])  # somebody may have put data into it since: it stays
        if not boot and not seen["there"] and not system.files.list(path):
            system.files.remove(path)
    owned.restore(system, step.id, seen["note"])


def _look_note(system: System, step: Step, _folder: str) -> Json:
    return owned.ids(system, "disk").get(step.id)


def _grow(system: System, step: Step, saved: Json) -> None:
    path, size = text(step, "path"), integer(step.args["size"])
    before = integer(table(saved).get("size"))
    if size < before:
        raise Failed(
            f"cannot make the disk of {path} smaller: it has {shown(before)}",
            f"declare {shown(before)} again, or copy the data to another bind",
        )
    system.volumes.grow(image_of(path), size)
    owned.claim(system, step.id, {**table(saved), "size": size}, replace=True)


def _back_note(system: System, step: Step, saved: Json, _boot: bool) -> None:
    """It stays as big as it has become; what was declared is what it was."""
    owned.restore(system, step.id, saved)


class Disk:
    name = "disk"
    verbs: Mapping[str, Deed] = {"make": Deed(_make, _look, _back), "grow": Deed(_grow, _look_note, _back_note)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        if want is None or have is None:
            return whole(want, have, "disk", Impact.live)
        found = []
        new, old = integer(want.fields["size"]), integer(have.fields["size"])
        if new != old:
            said = f"disk of {want.name} {shown(old)} -> {shown(new)}" + (" (it cannot be made smaller)" * (new < old))
            found.append(FieldChange("size", old, new, Impact.live, said))
        if not have.fields.get("mounted"):
            found.append(FieldChange("mounted_drift", False, True, Impact.live, f"disk of {want.name} is not mounted"))
        return found

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return []
        args: dict[str, Json] = {"path": want.name, "size": want.fields["size"], "container": want.owner}
        args |= {key: want.fields.get(key, 0o755 if key == "mode" else 0) for key in OWNER}
        fields = {field.field for field in change.fields}
        steps = []
        if have is not None and "size" in fields:  # before it is mounted, if it is not
            steps.append(Step(self.name, "grow", change.id, Phase.prepare, args))
        if have is None or "mounted_drift" in fields:
            steps.append(Step(self.name, "make", change.id, Phase.prepare, args))
        return steps

    def observe(self, system: System) -> list[Resource]:
        """Those whose file is there, with the size that they were declared with."""
        notes = owned.ids(system, self.name)
        units = {id_: mount_unit(id_.split(":", 1)[1]) for id_ in notes}
        states = system.units.show(list(units.values())) if units else {}
        found = []
        for id_, note in notes.items():
            if system.files.stat(image_of(id_.split(":", 1)[1])) is not None:
                state = states.get(units[id_])
                fields: dict[str, Json] = {"size": note.get("size"), "mounted": state is not None and state.running}
                found.append(Resource(id_, self.name, str(note.get("container", "host")), fields))
        return found
