"""A host of a lab that is broken on purpose, and photographs of it past eyas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias

from tests.lab.crash.definitions import BEFORE
from tests.lab.rig import Rig

Photo: TypeAlias = dict[str, str]

# All that eyas may own on the host and in its containers, each line a key and a value as JSON. Left out is what may
# differ between two hosts in the same state: times, invocations, process ids, handles, order of accounts.
LOOK = r"""
import hashlib, json, os, subprocess, sys

def say(key, value):
    print(json.dumps([key, value], sort_keys=True))

def told(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout

def files(top, where, deep=True):
    for folder, folders, names in os.walk(top):
        for name in sorted(names) + [f for f in folders if os.path.islink(os.path.join(folder, f))]:
            path = os.path.join(folder, name)
            seen = os.lstat(path)
            if os.path.islink(path):
                body = "-> " + os.readlink(path)
            else:
                body = open(path, "rb").read().decode(errors="replace")
            say(where + path, "%o %d:%d %s" % (seen.st_mode, seen.st_uid, seen.st_gid, body))

for top in ("/etc/eyas", "/etc/systemd", "/usr/local/lib/eyas", "/var/lib/eyas/names"):
    if top.startswith("/usr/local/lib/eyas"):
        for name in sorted(os.listdir(top)):
            if name != "agent":
                say(top + "/" + name, open(top + "/" + name).read())
    else:
        files(top, "file ")
for path in ("/etc/crash.conf", "/etc/only-before.conf", "/etc/only-after.conf", "/etc/sysctl.d/60-eyas.conf"):
    say("file " + path, open(path).read() if os.path.exists(path) else "none")
for path in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"):
    for line in open(path):
        name = line.split(":")[0]
        if name in ("bob", "ann"):
            say(path + " " + name, line)
say("homes", sorted(os.listdir("/home")))
say("machines", sorted(n for n in os.listdir("/var/lib/machines") if not n.startswith(".")))
owned = json.load(open("/var/lib/eyas/owned.json")) if os.path.exists("/var/lib/eyas/owned.json") else {}
owned["left"] = sorted(owned.get("left", []))
for key in sorted(owned):
    say("owned " + key, {k: v for k, v in owned[key].items() if "fs." not in k} if key == "ids" else owned[key])
for key in ("tcp_fin_timeout", "tcp_keepalive_time", "ip_forward"):
    say("sysctl " + key, open("/proc/sys/net/ipv4/" + key).read())
say("firewall", told("nft", "list", "ruleset"))
say("mounts", sorted(l.split()[4] for l in open("/proc/self/mountinfo") if "/run/eyas" in l.split()[4]))
say("links", sorted(n for n in os.listdir("/proc/sys/net/ipv4/conf") if n.startswith(("ve-", "vb-", "br"))))
say("listed", sorted(l.split()[0] for l in told("machinectl", "list", "--no-legend").splitlines()))
units = [f"systemd-nspawn@{n}.service" for n in ("gone", "again", "live", "new")]
shown = "Id,LoadState,ActiveState,SubState,Result,UnitFileState,NeedDaemonReload,Job,MemoryMax,TasksMax"
edges = ",After,Wants,StopPropagatedFrom,PartOf"
for block in told("systemctl", "show", "--property=" + shown + edges, "crash.service", "eyas-firewall.service",
                  "eyas-recover.service", *units).split("\n\n"):
    values = dict(line.split("=", 1) for line in block.strip().splitlines() if "=" in line)
    for key in edges.split(",")[1:]:
        values[key] = sorted(w for w in values.get(key, "").split() if "nspawn@" in w)
    if values["Id"].startswith("eyas-"):  # for the boot: run or not, they have done what there was to do
        values = {key: values[key] for key in ("Id", "LoadState", "Result", "UnitFileState", "NeedDaemonReload")}
    say("unit " + values.pop("Id"), sorted(values.items()) if values["LoadState"] != "not-found" else
        [values["LoadState"], values["ActiveState"]])
say("failed units", told("systemctl", "list-units", "--failed", "--no-legend", "--plain"))
for name in ("gone", "again", "live", "new"):
    leader = told("machinectl", "show", "--property=Leader", "--value", name).strip()
    if not leader:
        continue
    root = f"/proc/{leader}/root"
    for path in ("/etc/app.conf", "/etc/more.conf", "/etc/hostname"):
        say(f"in {name} {path}", open(root + path).read() if os.path.exists(root + path) else "none")
    points = [p for p in ("/data", "/srv/again", "/shown", "/more") if os.path.exists(root + p)]
    sources = ["/srv/" + name for name in os.listdir("/srv")]
    say(f"in {name} binds", [[p, s] for p in points for s in sources if os.path.samefile(s, root + p)])
    say(f"in {name} accounts", [l for l in open(root + "/etc/passwd") if l.startswith("ann:")])
    print_ = json.load(open(f"/run/eyas/prints/{name}.json"))
    say(f"print {name}", sorted(print_["spec"].items()))
    unit = f"systemd-nspawn@{name}.service"
    id_ = told("systemctl", "show", "--property=InvocationID", "--value", unit).strip()
    say(f"print {name} is of this start", print_["invocation"] == id_)
"""


@dataclass
class Crash(Rig):
    """A host that holds the fleet of `BEFORE`, and whose store has all that `AFTER` needs."""

    declared = BEFORE

    def photo(self) -> Photo:
        """Everything that eyas may have changed, as seen without it."""
        text = self.host.succeed("python3", "-", input=LOOK, timeout=120)
        return {key: json.dumps(value) for key, value in map(json.loads, text.splitlines())}


def differences(one: Photo, two: Photo) -> list[str]:
    """Where two photographs differ, in words."""
    keys = sorted(key for key in {*one, *two} if one.get(key) != two.get(key))
    return [f"{key}: {one.get(key, 'none')[:400]} is now {two.get(key, 'none')[:400]}" for key in keys]
