"""Links of the host that containers hang on, by files of systemd-networkd whose names say whose they are.

What comes has to be there before any container uses it, and what goes has to stay until none does: a file that only
loses sections (a way, an address) is written last, when every container is what it is to be.
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import Deed, differences, folder_of, table, text, whole

MARK = "-eyas-"
RELOAD = Step("network", "reload", "network:reload", Phase.network)
SETTLE = Step("network", "settle", "network:settle", Phase.prepare)


def _path(step: Step) -> str:
    return f"{paths.NETWORK}/{step.id.split(':', 1)[1]}"


def link_of(content: str) -> str:
    """The link that a .netdev file makes (systemd.netdev(5)), '' when it is no such file."""
    section = ""
    for line in content.splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[NetDev]" and line.startswith("Name="):
            return line.removeprefix("Name=").strip()
    return ""


def narrower(new: str, old: str) -> bool:
    """Whether a file is the other one without some of its sections."""
    left = iter(_sections(old))
    return new != old and all(section in left for section in _sections(new))


def _sections(content: str) -> list[str]:
    return content.strip("\n").split("\n\n")


def _look(system: System, step: Step, folder: str) -> Json:
    return {"folder": folder, "was": snapshot.take(system, _path(step), folder)}


def _write(system: System, step: Step, _saved: Json) -> None:
    system.files.write(_path(step), text(step, "content").encode())


def _remove(system: System, step: Step, saved: Json) -> None:
    link = link_of((system.files.read(_path(step)) or b"").decode(errors="replace"))
    snapshot.put_away(system, _path(step), folder_of(saved))
    if link:
        system.network.delete(link)


def _back(system: System, _step: Step, saved: Json, _boot: bool) -> None:
    snapshot.put_back(system, table(saved)["was"])


def _reload(system: System, _step: Step, _saved: Json) -> None:
    system.network.reload()
    for name in system.files.list(paths.NETWORK):
        if MARK in name and name.endswith(".netdev"):
            link = link_of((system.files.read(f"{paths.NETWORK}/{name}") or b"").decode(errors="replace"))
            if link:
                system.network.wait(link)


def _reload_after(system: System, _step: Step, _saved: Json, boot: bool) -> None:
    if not boot:
        system.network.reload()


def _narrow(system: System, step: Step, saved: Json) -> None:
    _write(system, step, saved)
    _reload(system, step, saved)


def _widened(system: System, step: Step, saved: Json, boot: bool) -> None:
    """At once, not when all else is back: the containers that come back are reached by what had gone."""
    _back(system, step, saved, boot)
    _reload_after(system, step, saved, boot)


def _prepared(system: System, step: Step, saved: Json, boot: bool) -> None:
    """Take back a file that was written for the next boot: no link was made from it."""
    _back(system, step, saved, boot)


def _made(system: System, step: Step, saved: Json, boot: bool) -> None:
    """Take back a file that was written: a link that it made goes too."""
    content = text(step, "content")
    _back(system, step, saved, boot)
    link = link_of(content)
    was = table(table(saved)["was"])
    if link and was["type"] == "absent" and not boot:
        system.network.delete(link)


class Network:
    name = "network"
    verbs: Mapping[str, Deed] = {
        "write": Deed(_write, _look, _made),
        "narrow": Deed(_narrow, _look, _widened),
        "store": Deed(_write, _look, _prepared),
        "remove": Deed(_remove, _look, _back),
        "reload": Deed(_reload),
        "settle": Deed(back=_reload_after),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        name = (want or have).name  # type: ignore[union-attr]
        return whole(want, have, f"network {name}") or differences(
            want, have, ("content",), note=lambda _field, _old, _new: f"{name} changed"
        )

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return [SETTLE, Step(self.name, "remove", change.id, Phase.remove)]
        content: dict[str, Json] = {"content": want.fields["content"]}
        if have is not None and narrower(str(want.fields["content"]), str(have.fields["content"])):
            return [Step(self.name, "narrow", change.id, Phase.publish, content)]
        return [SETTLE, Step(self.name, "write", change.id, Phase.network, content), RELOAD]

    def observe(self, system: System) -> list[Resource]:
        found = []
        for name in system.files.list(paths.NETWORK):
            data = system.files.read(f"{paths.NETWORK}/{name}") if MARK in name else None
            if data is not None:
                fields: dict[str, Json] = {"content": data.decode(errors="replace")}
                found.append(Resource(f"network:{name}", self.name, "host", fields))
        return found
