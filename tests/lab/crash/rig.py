"""A host of a lab that is broken on purpose: eyas as a process that gets killed, and looks at the host past eyas."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from eyas.lab import find
from eyas.lab.testing import Host, retry

HOST = "crash"
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


@dataclass(frozen=True)
class Said:
    """How a command of eyas ended."""

    code: int
    out: str
    err: str
    seconds: float

    def __str__(self) -> str:
        return f"exit status {self.code}\n{self.out}\n{self.err}"


@dataclass
class Rig:
    """A fleet's directory, and the one host of its lab."""

    directory: Path

    # ------------------------------------------------------------ the command line

    def argv(self, *words: str, lab: bool = True) -> list[str]:
        return [sys.executable, "-m", "eyas", "-C", str(self.directory), *(["--lab"] if lab else []), *words]

    def start(self, *words: str, fault: str = "", lab: bool = True) -> subprocess.Popen[str]:
        """A command of eyas, to be killed or waited for."""
        env = {**os.environ, "EYAS_LAB_OWNER": str(os.getpid()), "EYAS_FAULT": fault}
        return subprocess.Popen(
            self.argv(*words, lab=lab),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            start_new_session=True,  # an interrupt of the tests is not one of the command
        )

    def end(self, process: subprocess.Popen[str], timeout: float = 600) -> Said:
        began = time.monotonic()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Said(process.returncode, out, err, time.monotonic() - began)

    def run(self, *words: str, fault: str = "", lab: bool = True, timeout: float = 600) -> Said:
        """A command of eyas, to its end."""
        return self.end(self.start(*words, fault=fault, lab=lab), timeout)

    def eyas(self, *words: str, code: int = 0, fault: str = "", lab: bool = True, timeout: float = 600) -> str:
        """A command that ends with ``code``; what it printed."""
        said = self.run(*words, fault=fault, lab=lab, timeout=timeout)
        assert said.code == code, f"eyas {' '.join(words)} with the fault {fault!r}, not {code}: {said}"
        return said.out

    def apply(self, *, fault: str = "", code: int = 0) -> str:
        return self.eyas("apply", "--yes", code=code, fault=fault)

    def write(self, text: str) -> None:
        """Other definitions."""
        (self.directory / "fleet.py").write_text(text)

    def plan(self) -> Any:
        return json.loads(self.eyas("plan", "--json"))

    def differs(self, text: str) -> list[str]:
        """What would have to be done so that the host is as these definitions say."""
        self.write(text)
        return [f"{change['action']} {change['id']}" for change in self.plan()["changes"] if not elsewhere(change)]

    # ------------------------------------------------------------ the host

    @cached_property
    def host(self) -> Host:
        return Host(find(self.directory), HOST)

    def photo(self) -> Photo:
        """Everything that eyas may have changed, as seen without it."""
        text = self.host.succeed("python3", "-", input=LOOK, timeout=120)
        return {key: json.dumps(value) for key, value in map(json.loads, text.splitlines())}

    def invocations(self) -> dict[str, str]:
        """The start that each running container is of."""
        units = [f"systemd-nspawn@{name}.service" for name in self.names()]
        if not units:
            return {}
        ids = self.host.succeed("systemctl", "show", "--property=InvocationID", "--value", *units).split()
        return dict(zip(self.names(), ids, strict=True))

    def names(self) -> list[str]:
        return sorted(line.split()[0] for line in self.host.succeed("machinectl", "list", "--no-legend").splitlines())

    def open_run(self) -> str:
        """The run that nobody ended, '' when there is none."""
        return self.host.execute("readlink", "/var/lib/eyas/runs/current").text

    def open_run_on_disk(self) -> str:
        """The same, also of a host that is off."""
        link = self.host.root / "var/lib/eyas/runs/current"
        return str(link.readlink()) if link.is_symlink() else ""

    def journal_path(self, run: str) -> Path:
        return self.host.root / f"var/lib/eyas/runs/{run}/journal"

    def journal(self, run: str) -> list[dict[str, Any]]:
        """The lines of a run's journal, as far as it is written."""
        return [json.loads(line) for line in self.journal_path(run).read_text().splitlines() if line.endswith("}")]

    def wait_step(self, process: subprocess.Popen[str], number: int, timeout: float = 300) -> None:
        """Wait until a run has begun its step ``number``."""

        def begun() -> bool:
            assert process.poll() is None, self.end(process)
            run = self.open_run_on_disk()
            return (
                any((line["state"], line.get("n")) == ("saved", number) for line in self.journal(run)) if run else False
            )

        retry(begun, f"step {number} is begun", timeout, pause=0.005)

    def restore(self, text: str) -> None:
        """Whatever a test left, perhaps by failing: no open run, and the host as these definitions say."""
        if self.open_run() and self.run("recover").code:
            self.run("recover", "--accept")
        self.write(text)
        for _ in range(3):  # another lab on this machine may change the kernel between a plan and its apply
            if not self.differs(text) or self.run("apply", "--yes").code == 0:
                return
        self.apply()


def elsewhere(change: Mapping[str, Any]) -> bool:
    """Kernel settings outside /proc/sys/net belong to no namespace: another lab on this machine may set them."""
    return str(change["id"]).startswith("sysctl:fs.")


def differences(one: Photo, two: Photo) -> list[str]:
    """Where two photographs differ, in words."""
    keys = sorted(key for key in {*one, *two} if one.get(key) != two.get(key))
    return [f"{key}: {one.get(key, 'none')[:400]} is now {two.get(key, 'none')[:400]}" for key in keys]


def step_numbers(plan: Mapping[str, Any], *words: str) -> list[int]:
    """Numbers of the steps that are told as "kind.verb id"; those that begin with one of ``words``."""
    told = [f"{step['kind']}.{step['verb']} {step['id']}" for step in plan["steps"]]
    return [number for number, text in enumerate(told) if text.startswith(tuple(words))]


@contextmanager
def hand_on(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the block."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def turn(of: int) -> int:
    """Which share of a long series it is today's turn to do; EYAS_TURN names one."""
    return int(os.environ.get("EYAS_TURN") or time.time() // 86400) % of


FULL = bool(os.environ.get("EYAS_FULL"))
"""Do all of every series: for a night, not for each change."""


def share(points: Sequence[str], of: int) -> list[str]:
    """Today's share of a series, or all of it."""
    return [point for index, point in enumerate(points) if FULL or index % of == turn(of)]
