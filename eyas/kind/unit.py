"""Units of the host: a file, the links that enable it, and whether it runs."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System, UnitState
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step, digest
from eyas.kind import owned, snapshot
from eyas.kind.common import RELOAD_REMOVED, SETTLE, Deed, by_hand, table, text, whole

EARLY_RELOAD = Step("systemd", "reload", "systemd:reload-host", Phase.host)
"""Units of the host may be needed by containers, so they are read and started before any of those."""

DIRECTORIES = {"WantedBy": "wants", "RequiredBy": "requires", "UpheldBy": "upholds"}


def _name(step: Step) -> str:
    return step.id.split(":", 1)[1]


def path_of(name: str) -> str:
    return f"{paths.UNITS}/{name}"


def install_links(name: str, content: str) -> list[str]:
    """Links that enable a unit, from its [Install] section (systemd.unit(5)); all of them point at the unit."""
    found: list[str] = []
    section = ""
    for line in content.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Install]" and "=" in line:
            key, value = (part.strip() for part in line.split("=", 1))
            if key in DIRECTORIES:
                found += [f"{paths.UNITS}/{target}.{DIRECTORIES[key]}/{name}" for target in value.split()]
            elif key == "Alias":
                found += [f"{paths.UNITS}/{alias}" for alias in value.split()]
    return found


def _links(system: System, name: str, content: str) -> bool:
    """Whether all links of a unit are there; False for a unit that has none."""
    links = install_links(name, content)
    return bool(links) and all(system.files.readlink(link) is not None for link in links)


def _content(system: System, name: str) -> str | None:
    data = system.files.read(path_of(name))
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _state(system: System, name: str) -> UnitState:
    return system.units.show([name]).get(name) or UnitState(name)


def runs(state: UnitState | None, content: str) -> bool:
    """Whether a unit is as it should be when it is to run; one that does its work and ends has to have done it well."""
    if state is None:
        return False
    ends = "Type=oneshot" in content.split()
    return state.running or (ends and state.active == "inactive" and state.result == "success")


def _look(system: System, step: Step, folder: str) -> Json:
    name = _name(step)
    old = _content(system, name) or ""
    links = {*install_links(name, old), *install_links(name, str(step.args.get("content", "")))}
    return {
        "file": snapshot.take(system, path_of(name), folder),
        "links": [snapshot.take(system, link, folder) for link in sorted(links)],
        "note": owned.ids(system, "unit").get(step.id),
    }


def _write(system: System, step: Step, saved: Json) -> None:
    name, content = _name(step), text(step, "content")
    data = content.encode("utf-8", "surrogateescape")
    note = table(table(saved)["note"])
    before: Json = note.get("before")
    if not note:
        before = snapshot.take(system, path_of(name), paths.PREVIOUS)
    owned.claim(system, step.id, {"before": before, "digest": digest(data)}, replace=True)
    wanted = set(install_links(name, content)) if step.args.get("enabled") else set()
    for link in install_links(name, _content(system, name) or "") + install_links(name, content):
        if link not in wanted:
            system.files.remove(link)
    system.files.write(path_of(name), data)
    for link in sorted(wanted):
        system.files.symlink(path_of(name), link)


def _remove(system: System, step: Step, saved: Json) -> None:
    name = _name(step)
    for link in install_links(name, _content(system, name) or ""):
        system.files.remove(link)
    before = table(table(table(saved)["note"]).get("before"))
    if before and before.get("type") != "absent":
        snapshot.put_back(system, before)
    else:
        system.files.remove(path_of(name))
    owned.release(system, step.id)


def _unlink(system: System, step: Step, _saved: Json) -> None:
    """It does not start at the next boot any more; until then it is what it is."""
    for link in install_links(_name(step), _content(system, _name(step)) or ""):
        system.files.remove(link)


def _back(system: System, _step: Step, saved: Json, _boot: bool) -> None:
    seen = table(saved)
    links = seen["links"]
    for link in links if isinstance(links, list) else []:
        snapshot.put_back(system, link)
    snapshot.put_back(system, seen["file"])
    owned.restore(system, _step.id, seen["note"])


def _look_state(system: System, step: Step, _folder: str) -> Json:
    state = _state(system, _name(step))
    return {"running": state.running, "invocation": state.invocation}


def _start(system: System, step: Step, _saved: Json) -> None:
    """Start, or restart what runs with an older file."""
    if step.args.get("restart"):
        system.units.restart([_name(step)])
    else:
        system.units.start([_name(step)])


def _stop(system: System, step: Step, _saved: Json) -> None:
    system.units.stop([_name(step)])
    system.units.reset_failed([_name(step)])


def _unstart(system: System, step: Step, saved: Json, boot: bool) -> None:
    if not boot and not table(saved)["running"]:
        system.units.stop([_name(step)])
        system.units.reset_failed([_name(step)])


def _settle(system: System, step: Step, saved: Json, boot: bool) -> None:
    """Last on the way back: the old files are there and read again; run as before."""
    seen = table(saved)
    if boot or not seen["running"]:
        return
    if _state(system, _name(step)).invocation != seen["invocation"]:
        system.units.restart([_name(step)])


class Unit:
    name = "unit"
    verbs: Mapping[str, Deed] = {
        "settle": Deed(look=_look_state, back=_settle),
        "write": Deed(_write, _look, _back),
        "start": Deed(_start, _look_state, _unstart),
        "stop": Deed(_stop, _look_state),
        "unlink": Deed(_unlink, _look, _back),
        "remove": Deed(_remove, _look, _back),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        name = (want or have).name  # type: ignore[union-attr]
        if want is None or have is None:
            return whole(want, have, f"unit {name}")
        found = []
        if want.fields["content"] != have.fields["content"]:
            runs = bool(want.fields.get("running") and have.fields.get("running"))
            impact = Impact.restart_unit if runs else Impact.live
            change = FieldChange("content", None, None, impact, f"unit {name} changed", name)
            found.append(by_hand(change, f"unit {name}") if have.fields.get("edited") else change)
        if bool(want.fields.get("enabled")) != bool(have.fields.get("enabled")) and install_links(
            name, str(want.fields["content"])
        ):
            said = f"{name} {'enabled' if want.fields.get('enabled') else 'disabled'}"
            found.append(FieldChange("enabled", None, None, Impact.live, said))
        if want.fields.get("running") and not have.fields.get("running") and "@." not in name:
            found.append(FieldChange("running_drift", False, True, Impact.live, f"{name} does not run"))
        return found

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        settle = Step(self.name, "settle", change.id, Phase.prepare)
        if change.action is Action.delete or want is None:
            stop = Step(self.name, "stop", change.id, Phase.stop)
            return [settle, SETTLE, stop, Step(self.name, "remove", change.id, Phase.remove), RELOAD_REMOVED]
        fields = {field.field for field in change.fields}
        args: dict[str, Json] = {"content": want.fields["content"], "enabled": bool(want.fields.get("enabled"))}
        steps = [settle]
        if fields - {"running_drift"}:
            steps += [SETTLE, Step(self.name, "write", change.id, Phase.host, args), EARLY_RELOAD]
        if want.fields.get("running") and "@." not in change.id:
            # A new one may stand in the place of one that a package has brought, and started.
            restart: dict[str, Json] = {"restart": have is None or bool(fields & {"content", "content_drift"})}
            steps.append(Step(self.name, "start", change.id, Phase.network, restart))
        return steps

    def observe(self, system: System) -> list[Resource]:
        mine = owned.ids(system, self.name)
        names = [id_.split(":", 1)[1] for id_ in mine]
        states = system.units.show(names)
        found = []
        for (id_, note), name in zip(mine.items(), names, strict=True):
            content = _content(system, name)
            if content is None:
                continue
            state = states.get(name)
            fields: dict[str, Json] = {
                "content": content,
                "enabled": _links(system, name, content),
                "running": runs(state, content),
            }
            if note.get("digest") != digest(content.encode("utf-8", "surrogateescape")):
                fields["edited"] = True
            found.append(Resource(id_, self.name, "host", fields))
        return found
