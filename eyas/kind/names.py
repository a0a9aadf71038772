"""The names of containers and sites: one hosts file that all containers share, which the host's name server reads too.

A container finds names in the file; whoever asks by DNS (Docker's containers within a container do) finds the same, by
dnsmasq(8) on the bridge. A changed file is a reload of it, never a restart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import Deed, differences, folder_of, table, text

UNIT_NAME = "eyas-names.service"


def unit(addresses: Sequence[str]) -> str:
    """The name server's unit: it listens on these addresses of the bridge only, and asks for all else whom the host
    itself asks."""
    argv = [
        "/usr/sbin/dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--pid-file=",
        "--log-facility=-",
        "--bind-dynamic",  # the bridge may come later
        *(f"--listen-address={address}" for address in addresses),
        "--no-hosts",
        "--addn-hosts=/run/eyas-names/hosts",
        "--resolv-file=/etc/resolv.conf",  # also where that names a stub on the host itself
        "--domain-needed",
        "--bogus-priv",
        "--cache-size=10000",
        "--dns-forward-max=1000",
    ]
    command = " \\\n    ".join(argv)
    return f"""\
[Unit]
Description=Names of the containers and of the fleet's sites
Documentation=man:eyas(1)
After=network.target eyas-firewall.service
Before=machines.target

[Service]
Type=exec
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
ExecStartPre=+{paths.PROGRAMS}/names-up
ExecStart={command}
ExecReload=+{paths.PROGRAMS}/names-up
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def _look(system: System, _step: Step, folder: str) -> Json:
    was, next_ = (snapshot.take(system, path, folder) for path in (paths.NAMES, paths.NAMES_NEXT))
    return {"folder": folder, "was": was, "next": next_}


def _write(system: System, step: Step, _saved: Json) -> None:
    system.files.mkdir(paths.NAMES_DIR)
    system.files.write(paths.NAMES, text(step, "content").encode())
    system.files.remove(paths.NAMES_NEXT)
    system.units.reload([UNIT_NAME])


def _stage(system: System, step: Step, _saved: Json) -> None:
    """For the next boot: every container sees the file itself, and at once."""
    system.files.mkdir(paths.NAMES_DIR)
    system.files.write(paths.NAMES_NEXT, text(step, "content").encode())


def _remove(system: System, _step: Step, saved: Json) -> None:
    snapshot.put_away(system, paths.NAMES, folder_of(saved))
    system.files.remove(paths.NAMES_NEXT)


def _back(system: System, _step: Step, saved: Json, boot: bool) -> None:
    snapshot.put_back(system, table(saved)["was"])
    if not boot:
        system.units.reload([UNIT_NAME])
    if table(saved).get("next"):
        snapshot.put_back(system, table(saved)["next"])


class Names:
    name = "names"
    verbs: Mapping[str, Deed] = {
        "write": Deed(_write, _look, _back),
        "stage": Deed(_stage, _look, _back),
        "remove": Deed(_remove, _look, _back),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        return differences(want, have, ("content",), note=lambda _field, old, new: changed_names(old, new))

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete:
            return [Step(self.name, "remove", change.id, Phase.remove)]
        assert want is not None
        return [Step(self.name, "write", change.id, Phase.network, {"content": want.fields["content"]})]

    def observe(self, system: System) -> list[Resource]:
        data = system.files.read(paths.NAMES)
        if data is None:
            return []
        return [Resource("names:hosts", self.name, "host", {"content": data.decode(errors="replace")})]


def changed_names(old: Json, new: Json) -> str:
    """In words: which names come and go."""
    before, after = (
        {tuple(line.split()) for line in str(text_ or "").splitlines() if line.strip() and line[0] != "#"}
        for text_ in (old, new)
    )
    gone, come = sorted({w[1] for w in before - after}), sorted({w[1] for w in after - before})
    words = [f"{name} renumbered" for name in sorted({*gone} & {*come})]
    words += [f"{name} added" for name in come if name not in gone]
    words += [f"{name} removed" for name in gone if name not in come]
    return "names: " + (", ".join(words) or "changed")
