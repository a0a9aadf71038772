"""The host past eyas, and what definitions let expect of it: two tables with the same keys, to be equal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.lab.random.edits import FILES, PORTS, TARGETS, World, source
from tests.lab.rig import Rig

Facts: TypeAlias = dict[str, Any]
PUBLIC = "203.0.113.112"

LOOK = r"""
import json, os, subprocess, sys

files, targets = json.loads(sys.argv[1])

def told(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout

def units(names, *where):
    said = told("systemctl", *where, "show", "--property=" + names[0], *names[1:]).strip()
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in said.split("\n\n")]

def read(path):
    try:
        return open(path).read().strip()
    except OSError:
        return None

def users(path, *names):
    return sorted(name for name in (line.split(":")[0] for line in open(path)) if name in names)

facts, starts = {}, {}
machines = sorted(line.split()[0] for line in told("machinectl", "list", "--no-legend").splitlines())
for machine in machines:
    name = machine.removesuffix(".b")
    if name in starts:
        facts["two of " + name] = True
    known = ["InvocationID,MemoryMax,TasksMax,ActiveState,NeedDaemonReload", f"systemd-nspawn@{machine}.service"]
    row = units(known)[0]
    leader = told("machinectl", "show", "--property=Leader", "--value", machine).strip()
    root = f"/proc/{leader}/root"
    mounts = {}
    for line in read(f"/proc/{leader}/mountinfo").splitlines():
        words = line.split()
        if words[4] in targets:
            mounts[words[4]] = [read(root + words[4] + "/marker"), "ro" in words[5].split(",")]
    inside = {}
    for unit in units(["Id,InvocationID,ActiveState", "*.service"], "--machine=" + machine):
        if unit.get("ActiveState") == "active" and not unit["Id"].startswith("run-"):
            inside[unit["Id"]] = unit["InvocationID"]
    reloads = os.path.exists(root + "/run/reloads") and len(open(root + "/run/reloads").readlines())
    starts[name] = {"machine": machine, "invocation": row["InvocationID"], "units": inside, "reloads": int(reloads)}
    facts["container " + name] = [row["ActiveState"], row["NeedDaemonReload"]]
    facts[name + " limits"] = [row["MemoryMax"], row["TasksMax"]]
    facts[name + " files"] = {path: read(root + path) for path in files if os.path.exists(root + path)}
    facts[name + " settings"] = [read(root + "/etc/answer.conf"), read(root + "/etc/more.conf")]
    facts[name + " binds"] = mounts
    facts[name + " users"] = users(root + "/etc/passwd", "eve", "fay")
    facts[name + " curl"] = os.path.exists(root + "/usr/bin/curl")
    facts[name + " units"] = sorted({"answer.service", "still.service"} & set(inside))
table = json.loads(told("nft", "-j", "list", "table", "inet", "eyas"))["nftables"]
sets = [each["set"] for each in table if "set" in each and each["set"].get("elem")]
facts["held"] = [[each["name"], each["elem"]] for each in sets if each["name"].startswith(("held", "spared"))]
mounted = [line.split()[4] for line in open("/proc/self/mountinfo")]
ours = {path.split("/")[4] for path in mounted if path.startswith(("/run/eyas/roots/", "/run/eyas/layer/"))}
facts["left mounted"] = sorted(ours - set(machines))
facts["links"] = len(told("ip", "-br", "link", "show", "master", "br0").splitlines()) - len(machines)
facts["hold link"] = "eyas-hold" in told("ip", "-br", "link")
facts["failed"] = told("systemctl", "list-units", "--failed", "--no-legend", "--plain").split()
facts["host file"] = read("/etc/crash.conf")
facts["host sysctl"] = int(read("/proc/sys/net/ipv4/tcp_fin_timeout"))
facts["host users"] = users("/etc/passwd", "gil")
facts["open run"] = os.path.lexists("/var/lib/eyas/runs/current")
print(json.dumps([facts, starts]))
"""
ASK = """
import json, socket, sys
found = {}
for port in map(int, sys.argv[2:]):
    try:
        with socket.create_connection((sys.argv[1], port), timeout=3) as client:
            found[port] = client.makefile().readline().strip()
    except OSError:
        pass
print(json.dumps(found))
"""
DEFAULT_FIN = 60


@dataclass(frozen=True)
class Look:
    """``facts`` are what definitions can be compared with; ``starts`` what runs since when, by container: machine,
    invocation, units inside with theirs, and how often the unit reloaded."""

    facts: Facts
    starts: dict[str, dict[str, Any]] = field(default_factory=dict)


def look(rig: Rig) -> Look:
    words = json.dumps([FILES, TARGETS])
    facts, starts = json.loads(rig.host.succeed("python3", "-", words, input=LOOK, timeout=120))
    argv = ["python3", "-c", ASK, PUBLIC, *(str(port) for port in PORTS)]
    facts["answers"] = json.loads(rig.host.lab.exec("internet", argv, timeout=60).text)
    return Look(facts, starts)


def expected(world: World) -> Facts:
    """The facts of a host that is as these definitions say."""
    facts: Facts = {
        "held": [],
        "left mounted": [],
        "links": 0,
        "hold link": False,
        "failed": [],
        "open run": False,
        "host file": str(world.files["/etc/crash.conf"]) if world.files else None,
        "host sysctl": world.sysctls.get("net.ipv4.tcp_fin_timeout", DEFAULT_FIN),
        "host users": sorted(world.users),
        "answers": {},
    }
    for name, cell in world.cells.items():
        memory = str(cell.memory << 20) if cell.memory else "infinity"
        facts |= {
            f"container {name}": ["active", "no"],
            f"{name} limits": [memory, str(cell.tasks) if cell.tasks else "16384"],
            f"{name} files": {path: str(version) for path, version in cell.files.items()},
            f"{name} settings": [str(cell.word), str(cell.more)],
            f"{name} binds": {target: [source(name, target), ro] for target, ro in cell.binds.items()},
            f"{name} users": sorted(cell.users),
            f"{name} curl": cell.image == "fat",
            f"{name} units": ["answer.service", "still.service"],
        }
        facts["answers"] |= {str(port): f"{name} {cell.word} {cell.unit} {cell.more}" for port in cell.forwards}
    return facts


def unlike(seen: Facts, wanted: Facts) -> list[str]:
    """Where the host is not as expected, in words."""
    keys = sorted(key for key in {*seen, *wanted} if seen.get(key) != wanted.get(key))
    return [f"{key}: {seen.get(key)!r}, and not {wanted.get(key)!r}" for key in keys]
