"""Which containers this host holds, how they differ on disk from what we wrote, and what the running ones run.

One ``show`` for all of them, no other process; a look at a host where nothing changed costs reading four small files
for each container.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System, UnitState
from eyas.core.words import Json, Resource
from eyas.kind.common import table
from eyas.kind.container.text import HEADER, authentic, render_env, render_limits, render_unit
from eyas.kind.slots import bare, current, machine, other, split

PATTERN = "systemd-nspawn@*.service"


def observe(system: System) -> list[Resource]:
    states = system.units.show([PATTERN])
    enabled = set(system.files.list(f"{paths.UNITS}/machines.target.wants"))
    return [_container(system, name, there, states, enabled) for name, there in sorted(_slots(system).items())]


def _container(
    system: System, name: str, there: list[str], states: Mapping[str, UnitState], enabled: set[str]
) -> Resource:
    """One container, whichever slot it is in. What is there of the other one is left over from something that broke."""
    slot = _slot(system, name, there)
    fields = _one(system, machine(name, slot), states, enabled)
    if slot != "a":
        fields["slot"] = slot
    if len(there) > 1:
        fields["leftover"] = other(slot)
    return Resource(f"container:{name}", "container", name, fields)


def invocations(system: System) -> dict[str, str]:
    """The invocations of the containers that run, as `observe` gives them, and nothing that is on disk."""
    states = system.units.show([PATTERN])
    found = {
        name: states.get(paths.unit_name(machine(name, _slot(system, name, there))))
        for name, there in _slots(system).items()
    }
    return {name: state.invocation for name, state in found.items() if state and state.running and state.invocation}


def _slot(system: System, name: str, there: list[str]) -> str:
    return current(system.files, name) if len(there) > 1 else there[0]


def _slots(system: System) -> dict[str, list[str]]:
    """Containers that this host holds, each with the slots that it is in."""
    found: dict[str, list[str]] = {}
    for machine_ in names(system):
        container, slot = split(machine_)
        found.setdefault(container, []).append(slot)
    return found


def names(system: System) -> list[str]:
    """Slots of containers that have a spec, or a unit file of ours (a crash may have left one without the other)."""
    found = {name.removesuffix(".json") for name in system.files.list(paths.SPECS) if name.endswith(".json")}
    for unit in system.files.list(paths.UNITS):
        name = unit.removeprefix("systemd-nspawn@").removesuffix(".service")
        if not name or name in found or paths.unit_name(name) != unit:
            continue
        if (system.files.read(paths.unit(name)) or b"").startswith(HEADER.encode()):
            found.add(name)
    return sorted(found)


def _one(system: System, name: str, states: Mapping[str, UnitState], enabled: set[str]) -> dict[str, Json]:
    unit = paths.unit_name(name)
    state = states.get(unit) or UnitState(unit)
    disk = _json(system.files.read(paths.spec(name)))
    fields: dict[str, Json] = bare(disk)
    if state.running:
        effect = in_effect(system, name, state)
        if effect is None:
            fields["print_drift"] = "not known what it was started from"
        else:
            # Whether it starts at boot is not of this start; it is what the link on disk says.
            fields = {**bare(effect), "autostart": disk.get("autostart")}
            if _but_autostart(effect) != _but_autostart(disk):
                fields["disk"] = bare(disk)
            if not authentic(_text(system, started_from(name))):
                fields["print_drift"] = "it was started from a unit file that was changed by hand"
    drift = _disk_drift(system, name, disk, state, unit in enabled)
    if drift:
        fields["disk_drift"] = [*drift]
    fields["state"] = {
        "active": state.active,
        "sub": state.sub,
        "invocation": state.invocation if state.running else "",
        "result": state.result,
        "since": state.since,
        "memory": state.memory,
        "pid": state.main_pid,
    }
    return fields


def started_from(name: str) -> str:
    """The unit file as it was when the container started."""
    return f"{paths.PRINTS}/{name}.unit"


def in_effect(system: System, name: str, state: UnitState) -> dict[str, Json] | None:
    """The spec of the running container; None when its print is missing, unreadable, or of another start."""
    print_ = _json(system.files.read(paths.print_of(name)))
    spec = print_.get("spec")
    if not isinstance(spec, dict) or print_.get("invocation") != state.invocation:
        return None
    return spec


def _disk_drift(system: System, name: str, disk: Mapping[str, Json], state: UnitState, enabled: bool) -> list[str]:
    """What on disk is not as the spec on disk says: changed by hand, or left half-done by a crash."""
    if not disk:
        return ["its spec is missing"]
    found = []
    try:
        unit, env, limits = render_unit(name, disk), render_env(disk), render_limits(disk)
    except KeyError as error:
        return [f"its spec has no {error.args[0]}"]
    for path, text in ((paths.unit(name), unit), (paths.env(name), env), (paths.limits(name), limits)):
        there = _text(system, path)
        if there != text:
            found.append(f"{path} {_how(path, there)}")
    if system.files.stat(paths.image(name)) is None:
        found.append(f"{paths.image(name)} is missing")
    found += [f"{path} added by hand" for path in foreign_drop_ins(name, state)]
    if enabled != bool(disk.get("autostart", True)):
        found.append("start at boot switched " + ("on" if enabled else "off") + " by hand")
    kept = state.need_reload and system.files.stat(paths.now_unit(name)) is not None  # as it is to be, until a boot
    if state.need_reload and not found and not kept:
        found.append("systemd has not read its unit file yet")
    return found


def _how(path: str, there: str) -> str:
    if not there:
        return "is missing"
    # A unit file knows its own digest; the small files beside it do not, and say so if they ever differ alone.
    return "is of another version of eyas" if path.endswith(".service") and authentic(there) else "changed by hand"


def foreign_drop_ins(name: str, state: UnitState) -> list[str]:
    """Drop-ins of exactly this container's unit that are not ours (systemctl edit, set-property)."""
    folder, ours = f"/{paths.unit_name(name)}.d/", (paths.limits(name), paths.now_limits(name))
    return [path for path in state.drop_ins if folder in path and path not in ours]


def _but_autostart(spec: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in spec.items() if key != "autostart"}


def _text(system: System, path: str) -> str:
    return (system.files.read(path) or b"").decode(errors="replace")


def _json(data: bytes | None) -> dict[str, Json]:
    if data is None:
        return {}
    try:
        return table(json.loads(data))
    except ValueError:
        return {}
