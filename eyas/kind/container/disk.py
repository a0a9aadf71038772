"""A container on disk: its spec, what the scripts and systemd read, and its way off the disk again."""

from __future__ import annotations

import json

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System, UnitState
from eyas.core.words import Fields, Json, Step
from eyas.kind import owned, snapshot
from eyas.kind.common import Deed, folder_of, table
from eyas.kind.container import boot
from eyas.kind.container.observe import foreign_drop_ins
from eyas.kind.container.text import render_env, render_limits, render_unit, tables
from eyas.kind.slots import beside, machine_of, split


def name_of(step: Step) -> str:
    """The container of a step; of one that is stateless, the slot (`eyas.kind.slots.machine`)."""
    return machine_of(step)


def spec_of(step: Step) -> dict[str, Json]:
    return table(step.args["spec"])


def spec_text(spec: Fields) -> str:
    """A spec as it stands on disk: one field a line, so that two can be compared by eye."""
    rows = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, sort_keys=True)}" for key, value in sorted(spec.items()))
    return "{\n" + rows + "\n}\n"


def data_paths(spec: Fields) -> list[str]:
    """What stays when the container goes: its data, its journal, its identity."""
    data = [str(bind["source"]) for bind in tables(spec.get("binds")) if bind.get("persistent")]
    ids = [str(spec.get("machine_id", "")), str(beside(spec).get("machine_id") or "")]
    return sorted({*data, *(paths.journal(id_) for id_ in ids if id_)})


# ---- configure


def _look(system: System, step: Step, folder: str) -> Json:
    name = name_of(step)
    places = (paths.spec(name), paths.env(name), paths.unit(name), paths.limits(name), paths.wanted(name))
    foreign: list[str] = []
    if step.args.get("drift"):
        unit = paths.unit_name(name)
        foreign = foreign_drop_ins(name, system.units.show([unit]).get(unit) or UnitState(unit))
    return {
        "folder": folder,
        "was": [snapshot.take(system, path, folder) for path in (*places, paths.image(name), *boot.copies(name))],
        "foreign": [*foreign],
        "left": owned.left(system),
    }


def _configure(system: System, step: Step, saved: Json) -> None:
    name, spec = name_of(step), spec_of(step)
    settle_folders(system, spec)
    for path in foreign_of(saved):
        snapshot.put_away(system, path, folder_of(saved))
    _put(system, paths.env(name), render_env(spec))
    _put(system, paths.limits(name), render_limits(spec))
    _put(system, paths.unit(name), render_unit(name, spec))
    _show_image(system, name)
    if step.args.get("idle"):  # another generation, for the time being: it starts at boot when it takes over
        pass
    elif spec.get("autostart", True):
        if system.files.readlink(paths.wanted(name)) != paths.unit(name):
            system.files.symlink(paths.unit(name), paths.wanted(name))
    else:
        system.files.remove(paths.wanted(name))
    if not step.args.get("boot"):
        boot.drop(system, name)
    # The spec last: a crash before leaves files that differ from the spec on disk, which the next look finds.
    _put(system, paths.spec(name), spec_text(spec))
    owned.back_in_use(system, [*data_paths(spec), paths.identity(split(name)[0])])


def _put(system: System, path: str, text: str) -> None:
    data = text.encode()
    if system.files.read(path) != data:
        system.files.write(path, data)


def _show_image(system: System, name: str) -> None:
    """Let machinectl find the container. What an administrator has there (a root from before) stays as it is."""
    if system.files.stat(paths.image(name)) is None:
        system.files.mkdir(paths.image(name), 0o700)


def foreign_of(saved: Json) -> list[str]:
    foreign = table(saved).get("foreign")
    return [str(path) for path in foreign] if isinstance(foreign, list) else []


def _unconfigure(system: System, step: Step, saved: Json, boot_: bool) -> None:
    was = table(saved)["was"]
    for seen in reversed(was if isinstance(was, list) else []):
        if not (boot_ and table(seen)["path"] in boot.copies(name_of(step))):  # what the boot took stays away
            snapshot.put_back(system, seen)
    for path in foreign_of(saved):
        snapshot.take_back(system, path, folder_of(saved))
    owned.restore_left(system, table(saved)["left"])
    tidy(system, name_of(step))


def settle_folders(system: System, spec: Fields) -> None:
    """Give folders of the layer the owner and mode that they have in the tree.

    The topmost layer decides what a folder looks like in the root: a file at /tmp/x would otherwise close /tmp. A
    folder that is a link in the tree cannot be had in the layer at all: it would hide everything behind the link.
    """
    top, tree = f"{paths.layer(str(spec['layer']))}/root", paths.tree(str(spec["tree"]))
    files = table(spec.get("files"))
    seen: set[str] = set()
    for path in sorted(files):
        parts = path.split("/")[1:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/" + "/".join(parts[:depth])
            if folder in seen or table(files.get(folder)).get("type") == "dir":
                continue
            seen.add(folder)
            below = system.files.stat(tree + folder)
            if below is None:
                break
            if below.type == "link":
                target = system.files.readlink(tree + folder)
                raise Failed(
                    f"cannot put {path} into the container: {folder} is a link to {target} in its image",
                    f"declare the file below {target} instead",
                )
            above = system.files.stat(top + folder)
            if above and (above.mode, above.uid, above.gid) != (below.mode, below.uid, below.gid):
                system.files.mkdir(top + folder, below.mode, below.uid, below.gid)


def tidy(system: System, name: str) -> None:
    """Folders of ours go with the last thing in them."""
    for folder in (paths.drop_ins(name), f"{paths.UNITS}/machines.target.wants", paths.SPECS, paths.ETC):
        if system.files.stat(folder) is not None and not system.files.list(folder):
            system.files.remove(folder)


# ---- remove


def _parts(name: str) -> tuple[str, ...]:
    container, slot = split(name)
    said = (paths.slot(container),) if slot == "b" else ()
    return (
        *said,
        *boot.copies(name),
        paths.wanted(name),
        paths.drop_ins(name),
        paths.unit(name),
        paths.env(name),
        paths.spec(name),
    )


def _look_before_removal(system: System, _step: Step, folder: str) -> Json:
    return {"folder": folder, "left": owned.left(system)}


def _remove(system: System, step: Step, saved: Json) -> None:
    _discard(system, step, saved)
    name = split(name_of(step))[0]
    used = _used_by_others(system, name)
    left = [p for p in data_paths(spec_of(step)) if p not in used and system.files.stat(p) is not None]
    if system.files.stat(paths.identity(name)) is not None:
        left.append(paths.identity(name))
    owned.leave(system, left)
    snapshot.put_away(system, paths.accepted(name), folder_of(saved))  # another one of that name begins anew


def _used_by_others(system: System, name: str) -> set[str]:
    """Data of the containers that stay: all of them are configured when one is removed."""
    files = [file for file in system.files.list(paths.SPECS) if file.endswith(".json")]
    names = [file.removesuffix(".json") for file in files if split(file.removesuffix(".json"))[0] != name]
    return {path for other in names for path in data_paths(json.loads(system.files.read(paths.spec(other)) or b"{}"))}


def _discard(system: System, step: Step, saved: Json) -> None:
    """What is removed of one slot; all that is the container's stays."""
    name = name_of(step)
    system.containers.clear(name)
    for path in _parts(name):
        snapshot.put_away(system, path, folder_of(saved))
    if system.files.stat(paths.image(name)) is not None and not system.files.list(paths.image(name)):
        system.files.remove(paths.image(name))
    tidy(system, name)


def _bring_back(system: System, step: Step, saved: Json, boot_: bool) -> None:
    name = name_of(step)
    for path in reversed((*_parts(name), paths.accepted(name))):
        if boot_ and path in boot.copies(name):
            continue
        snapshot.take_back(system, path, folder_of(saved))
    if system.files.stat(paths.spec(name)) is not None:
        _show_image(system, name)
    owned.restore_left(system, table(saved)["left"])


configure = Deed(_configure, _look, _unconfigure)
remove = Deed(_remove, _look_before_removal, _bring_back)
discard = Deed(_discard, _look_before_removal, _bring_back)
