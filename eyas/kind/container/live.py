"""Changing a container while it runs: the difference of two configuration layers, written into its root.

The overlay under a running root cannot get another lower layer, so what differs is written on top; at its next
start the container finds the same in its new layer. Undoing is the same with the layers exchanged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Entry, System
from eyas.core.words import Fields, Impact, Json, Step
from eyas.kind.common import Deed, integer, table
from eyas.kind.container import ailing, binds, ports
from eyas.kind.container.compare import compare_files, notices, own_unit, wanted_unit
from eyas.kind.container.disk import name_of
from eyas.kind.container.health import ill, state_of, trouble, unhealthy
from eyas.kind.container.observe import started_from
from eyas.kind.container.text import id_base, words

MANAGER = ("/etc/systemd/", "/usr/lib/systemd/", "/lib/systemd/")
NOWHERE = "/dev/null"
PACKAGED = "/usr/lib/systemd/system/"
# Masked, these stay as they are until the next start: what is mounted may be in use, and nobody runs in a target.
LASTING = (".mount", ".automount", ".swap", ".target", ".slice")


@dataclass
class Edit:
    """What has to be done in a running container, from one layer to another."""

    put: list[Entry] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    stop: set[str] = field(default_factory=set)  # before their files go
    restart: set[str] = field(default_factory=set)
    reload: set[str] = field(default_factory=set)
    start: set[str] = field(default_factory=set)
    manager: bool = False  # systemd inside has to read unit files again


def edit_of(system: System, old: Fields, new: Fields) -> Edit:
    """Compare two layers by their manifests, and read from disk what has to be written."""
    edit = Edit()
    before, after = table(old.get("files")), table(new.get("files"))
    for change in compare_files(after, before):
        path = change.field.removeprefix("files.")
        was, now = table(before.get(path)), table(after.get(path))
        edit.manager |= path.startswith(MANAGER)
        entry = _entry(system, str(new["layer"]), path, now) if now else system.containers.find(str(new["tree"]), path)
        if entry is None:
            edit.drop.append(path)
        else:
            edit.put.append(entry)
        _note_units(edit, path, was, now, entry)
        gone = _stopped(path, was, entry)
        if gone and entry is None and system.containers.find(str(new["tree"]), PACKAGED + gone):
            edit.restart.add(gone)  # the package has a unit of this name, which counts again
        elif gone:
            edit.stop.add(gone)
    edit.restart -= edit.stop
    edit.start -= edit.stop  # also of one that is restarted: only what runs is, and what is new does not
    edit.reload -= edit.stop | edit.restart | edit.start
    return edit


def _stopped(path: str, was: Mapping[str, Json], entry: Entry | None) -> str:
    """The unit that must not run any more when a path changed: its file is gone, or it is masked now."""
    unit = own_unit(path)
    if entry is None:
        return unit if was.get("type") == "file" else ""  # a mask or an alias that goes stops nobody
    return unit if entry.target == NOWHERE and not unit.endswith(LASTING) else ""


def _note_units(edit: Edit, path: str, was: Mapping[str, Json], now: Mapping[str, Json], entry: Entry | None) -> None:
    """Which units must notice that one path changed."""
    if own_unit(path) and (entry is None or entry.target == NOWHERE):
        return
    some = now or was
    edit.restart |= set(words(some.get("restart")))
    edit.reload |= set(words(some.get("reload")))
    impact, noticed = notices(path, now, was)
    if impact is Impact.restart_unit and noticed:
        edit.restart.add(noticed)
    enabled = wanted_unit(path)
    if enabled and not was and entry is not None:
        edit.start.add(enabled)


def _entry(system: System, layer: str, path: str, row: Mapping[str, Json]) -> Entry:
    where = f"{paths.layer(layer)}/root{path}"
    kind = str(row["type"])
    data = system.files.read(where) if kind == "file" else b""
    target = system.files.readlink(where) if kind == "link" else ""
    if data is None or target is None:
        raise Failed(f"cannot change {path} in the container: {where} is missing", "eyas apply makes the layer again")
    mode = integer(row.get("mode"), 0o755 if kind == "dir" else 0o644)
    return Entry(path, kind, mode, integer(row.get("uid")), integer(row.get("gid")), data, target)


def perform(system: System, name: str, old: Fields, new: Fields, known: Json, *, back: bool = False) -> str | None:
    """Bring a running container from one spec to another, without a restart of it. ``known``: what `ports.seen` saw
    before the change; ``back``: this is its way back. What it gives is to be told."""
    edit = edit_of(system, old, new)
    if edit.stop:
        system.units.stop(sorted(edit.stop), machine=name)
    if edit.put or edit.drop:
        system.containers.edit(name, id_base(new), edit.put, edit.drop)
    binds.move(system, name, old, new)  # before units begin anew that may need one
    if edit.manager:
        system.units.daemon_reload(machine=name)
    aside = _set_aside(system, name, edit, known, back=back)
    start = sorted((edit.start | {*ports.revived(known, back=back)}) - edit.stop - aside.keys())
    again, reload = sorted(edit.restart), sorted(edit.reload)
    noticing = sorted({*again, *start})
    if noticing:
        # Several edits in a row must not meet the start limit of a unit that did nothing wrong.
        system.units.reset_failed(noticing, machine=name)
    concerned = sorted({*again, *reload, *start})
    with ports.Held(system, name, new, table(known), back=back) as held:
        try:
            system.units.try_restart(again, machine=name)
            system.units.reload(reload, machine=name)
            system.units.start(start, machine=name)
        except Failed as error:
            raise _of_job(system, name, new, error, [*again, *reload, *start]) from None
        if not held.answers():  # first of all: who waits is let in as soon as somebody listens
            _well(system, name, new, concerned)
            if not held.wait():  # who waits goes on waiting while this is taken back
                _well(system, name, new, concerned)
    if held.seconds:
        _well(system, name, new, concerned)
    if back:
        ailing.as_before(system, name, aside)
        return None
    return ailing.mend(system, name, aside, _journal(new))


def _set_aside(system: System, name: str, edit: Edit, known: Json, *, back: bool) -> dict[str, str]:
    """Take those units out of an edit that were ill before the change and are not its matter (see `ailing`). Those of
    the others that cannot reload restart, which is to be no surprise to their clients."""
    before = ailing.known_ill(known)
    aside = ailing.matching(before, edit.reload | edit.restart)
    if not back:
        aside -= ailing.matching(before, edit.restart)
    asked = sorted(edit.reload | edit.restart if back and aside else edit.reload)
    states = system.units.show(asked, machine=name) if asked else {}
    stiff = {state.name for state in states.values() if not state.can_reload}
    stiff = ailing.matching(stiff, edit.reload)
    edit.restart = (ailing.without(edit.restart, aside, states) | stiff) - aside
    edit.reload = ailing.without(edit.reload, aside, states) - edit.restart
    return {unit: active for unit, active in before.items() if unit in aside - edit.stop}


def _well(system: System, name: str, spec: Fields, units: list[str]) -> None:
    """A unit that fails right after its restart fails the step."""
    if not units:
        return
    for unit in ill(system.units.show(units, machine=name)):
        raise unhealthy(
            system,
            name,
            f"cannot restart {unit.name} in {name}: it {trouble(unit)}",
            units=[unit.name],
            folder=_journal(spec),
        )


def _of_job(system: System, name: str, spec: Fields, error: Failed, units: list[str]) -> Failed:
    """The error of a job with what its units said last: those that the error names, where it names some."""
    named = [unit for unit in units if unit in error.message] if len(units) > 1 else []
    return unhealthy(system, name, error.message, units=named or units, folder=_journal(spec))


def _journal(spec: Fields) -> str:
    return paths.journal(str(spec.get("machine_id") or ""))


def noticing(have: Fields, want: Fields) -> list[str]:
    """Units inside that are started or restarted on the way from one spec to another, as far as the specs tell."""
    before, after = table(have.get("files")), table(want.get("files"))
    found: set[str] = set()
    for change in compare_files(after, before):
        path = change.field.removeprefix("files.")
        now = table(after.get(path))
        found |= set(words(now.get("restart")))
        found |= {change.unit} if change.impact is Impact.restart_unit else set()
        found |= {wanted_unit(path)} if now and path not in before else set()
    return sorted(found - {""})


def reloading(have: Fields, want: Fields) -> list[str]:
    """Units inside that are told of a changed file."""
    before, after = table(have.get("files")), table(want.get("files"))
    found: set[str] = set()
    for change in compare_files(after, before):
        path = change.field.removeprefix("files.")
        found |= set(words((table(after.get(path)) or table(before.get(path))).get("reload")))
    return sorted(found)


def write_print(system: System, name: str, spec: Fields) -> None:
    """Note what is in effect now. The start that it belongs to stays."""
    known = table(json.loads(system.files.read(paths.print_of(name)) or b"{}"))
    note = {"invocation": known.get("invocation"), "spec": dict(spec)}
    system.files.write(paths.print_of(name), json.dumps(note).encode())
    system.files.write(started_from(name), system.files.read(paths.unit(name)) or b"")


def _look(system: System, step: Step, _folder: str) -> Json:
    name, old, new = name_of(step), table(step.args["old"]), table(step.args["new"])
    made = binds.missing(system, old, new)
    state = state_of(system, name)
    units = ports.seen(system, name, noticing(old, new), reloading(old, new)) if state.running else {}
    return {"invocation": state.invocation, "made": [*made], "units": units}


def _live(system: System, step: Step, saved: Json) -> str | None:
    name = name_of(step)
    if not _same_start(system, name, saved):
        return None  # it was started anew in between, from the new files
    old, new = table(step.args["old"]), table(step.args["new"])
    said = perform(system, name, old, new, table(saved).get("units"))
    write_print(system, name, new)
    return said


def _unlive(system: System, step: Step, saved: Json, boot: bool) -> None:
    name = name_of(step)
    if not boot and _same_start(system, name, saved):
        old, new = table(step.args["old"]), table(step.args["new"])
        perform(system, name, new, old, table(saved).get("units"), back=True)
        write_print(system, name, old)
    for path in words(table(saved).get("made")):
        with suppress(Failed):  # somebody has put something into it
            system.files.remove(path)


def _same_start(system: System, name: str, saved: Json) -> bool:
    state = state_of(system, name)
    return state.running and state.invocation == table(saved)["invocation"]


live = Deed(_live, _look, _unlive)
