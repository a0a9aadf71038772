"""The lab of this folder: edits of the definitions, and what runs in which start, seen without eyas."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.lab.impact.definitions import FLEET
from tests.lab.rig import Rig

# For the host (named "") and each container that runs: its start, the starts of the services in it, and what is mounted
# where, in the container and in its service that has mounts of its own: [source, ro or rw].
LOOK = r"""
import json, subprocess

def told(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout

def units(*words):
    shown = told("systemctl", *words, "show", "--property=Id,InvocationID,ActiveState", "*.service")
    rows = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n")]
    names = {row["Id"]: row["InvocationID"] for row in rows if row.get("ActiveState") == "active"}
    return {name: id_ for name, id_ in names.items() if name.endswith(("idle.service", "other.service", "spare.service",
                                                                       "fresh.service"))}

def mounts(pid):
    found = {}
    for line in open(f"/proc/{pid}/mountinfo"):
        words = line.split()
        found[words[4]] = ["/" + words[3].partition("/root/")[2], words[5].split(",")[0]]
    return found

def name_and_leader():
    for line in told("machinectl", "list", "--no-legend").splitlines():
        name = line.split()[0]
        for line in open("/run/systemd/machines/" + name):
            if line.startswith("LEADER="):
                yield name, line[7:].strip()

seen = {"": {"start": "", "units": units(), "mounts": {}, "idle": {}}}
for name, leader in name_and_leader():
    unit = f"systemd-nspawn@{name}.service"
    group = f"/sys/fs/cgroup/machine.slice/{unit}/payload/system.slice/idle.service/cgroup.procs"
    idle = open(group).read().split()
    seen[name] = {
        "start": told("systemctl", "show", "--property=InvocationID", "--value", unit).strip(),
        "leader": leader,
        "units": units("--machine=" + name),
        "mounts": mounts(leader),
        "idle": mounts(idle[0]),
    }
print(json.dumps(seen))
"""
Seen = dict[str, dict[str, Any]]


@dataclass
class Impact(Rig):
    """The fleet of `definitions`."""

    declared = FLEET

    seen: Seen = field(default_factory=dict)
    """What the last look saw."""

    def look(self) -> Seen:
        self.seen = json.loads(self.host.succeed("python3", "-", input=LOOK))
        return self.seen

    def change(self, *edits: tuple[str, str]) -> dict[str, Any]:
        """Edit the definitions and apply them; the plan that was done."""
        for old, new in edits:
            self.edit(old, new)
        found: dict[str, Any] = self.json("apply", "--yes")
        return found

    def left(self) -> list[str]:
        """What a plan would still do."""
        return [f"{change['action']} {change['id']}" for change in self.plan()["changes"]]

    def inside(self, name: str, *argv: str) -> str:
        return self.succeed(name, *argv)

    def read(self, name: str, *paths: str) -> list[str]:
        """Files of a running container, as its own services see them but for their own mounts."""
        leader = self.seen[name]["leader"]
        return [self.host.succeed("cat", f"/proc/{leader}/root{path}") for path in paths]

    def bound(self, name: str, target: str) -> list[str] | None:
        """What a container shows at a path: [path of the host, ro or rw]. Its services see the same."""
        seen = self.seen[name]
        shown = seen["mounts"].get(target)
        # All that is there when it starts, ProtectSystem=strict makes read-only for it.
        inside = seen["idle"].get(target)
        assert (inside and inside[0]) == (shown and shown[0]), "a service with mounts of its own sees the same"
        return list(shown) if shown else None


def units_of(seen: Seen, name: str) -> dict[str, str]:
    found: dict[str, str] = seen[name]["units"]
    return found


def moved(before: Seen, after: Seen, name: str) -> set[str]:
    """Services that run in another start than before, or that are new."""
    old = units_of(before, name)
    return {unit for unit, start in units_of(after, name).items() if old.get(unit) != start}
