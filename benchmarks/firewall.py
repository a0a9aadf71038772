"""The packet filter and the front of a large host: 200 sites on 30 containers, and 1,000 connections that stay.

Connections are opened in the lab's internet, half of them by IPv6, to a container behind a forward; each asks and is
answered before a change, while it is made, and after it. The changes are applies that add and remove forwards. Then
the seconds of a plan, and whether what has nothing to do with the front leaves its nginx alone.
usage: firewall.py [--connections N] [--containers N] [--sites N] [--repeats N] [--lab DIR] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks.common import HERE, Report, cost, in_turns, run, wait_for_quiet
from benchmarks.labs import BenchLab, applied, scratch

PUBLIC = ("203.0.113.112", "2001:db8:5:1::2")
PORT = 7000
HELD = HERE / "fleets/firewall/held.py"
GOAL = 1.0

FLEET = '''\
"""Sites, each of a container of its own until there are no more containers; and who holds connections."""

from eyas import (
    Bind, Bridge, Container, File, Fleet, Forward, Host, Image, Limits, Open, Probe, Root, Site, System, Uplink,
)
from eyas.parts import front

base = Image.debian("trixie", packages=["ca-certificates", "curl", "less"], name="garuda")
server = System(
    packages=["python3"],
    files={{"/usr/local/bin/held": File.read("held.py", mode=0o755, restart=["held.service"])}},
    units={{"held.service": "[Service]\\nExecStart=/usr/local/bin/held listen {port}\\n\\n"
           "[Install]\\nWantedBy=multi-user.target\\n"}},
    probes=[Probe.tcp({port})],
)
few = {{"root": Root(size="64M"), "settle": 0}}
one = Container(
    "c001", "10.0.6.11", base, parts=[server], limits=Limits(memory="{memory}"),
    forwards=[Forward({port}){forwards}], **few,
)
others = [
    Container(f"c{{number:03}}", f"10.0.6.{{number + 10}}", base, parts=[server], **few)
    for number in range(2, {containers})
]
backends = [one, *others]
sites = [
    Site(f"s{{number}}.example.org", to=backends[number % len(backends)].port({port}), timeout="{timeout}")
    for number in range({sites})
]
web = Container(
    "web-front", "10.0.6.10", base, parts=[front(*sites)],
    binds=[Bind("/srv/acme", "/var/lib/acme", persistent=True)],
    forwards=[Forward(80), Forward(443), Forward(443, "udp")],
)
fleet = Fleet(
    Host(
        "firewall",
        uplink=Uplink("eth0", "{public[0]}/26", "{public[1]}/64", gateway="203.0.113.65", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.6.1/24", "fd00:6::1/64"),
        containers=[web, *backends],
        open=[Open(22)],
    )
)
'''
KNOBS: dict[str, Any] = {"forwards": "", "memory": "512M", "timeout": "60s"}


class Bench:
    """The fleet, its knobs, and the lab that runs it."""

    def __init__(self, folder: Path, containers: int, sites: int) -> None:
        self.folder = folder
        self.size = {"containers": containers, "sites": sites, "port": PORT, "public": PUBLIC}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "held.py").write_bytes((HELD).read_bytes())
        self.turn()

    def turn(self, **knobs: Any) -> None:
        """The definitions with these knobs, the others as they are at first."""
        (self.folder / "fleet.py").write_text(FLEET.format(**self.size, **{**KNOBS, **knobs}), encoding="utf-8")

    def attach(self, lab: BenchLab) -> None:
        self.lab = lab

    def json(self, *words: str) -> Any:
        return json.loads(run([*self.lab.eyas(*words, "--json")]))

    def nginx(self) -> str:
        """What tells one nginx from another: its first process, and the generation of its configuration."""
        said = self.lab.succeed(
            "systemctl", "--machine=web-front", "show", "--property=InvocationID,MainPID", "nginx.service"
        )
        inside = ("systemd-run", "--machine=web-front", "-q", "--pipe", "--wait", "--")
        return said + self.lab.succeed(*inside, "ls", "/run/nginx")


# ---------------------------------------------------------------- connections that stay


class Held:
    """Connections from the lab's internet (`benchmarks/fleets/firewall/held.py`)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the clients have ended: {self.process.wait()}"
        return dict(json.loads(line))

    def ask(self, word: str) -> dict[str, Any]:
        """All of them ask; how many were answered."""
        self.tell(word)
        return self.heard()


@contextmanager
def holding(lab: BenchLab, count: int) -> Iterator[Held]:
    argv = [sys.executable, str(HELD), "connect", str(PORT), str(count), *PUBLIC]
    command = lab.lab.command("internet", argv)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        held = Held(process)
        try:
            yield held
        finally:
            process.terminate()


def under_change(bench: Bench, held: Held, **knobs: Any) -> dict[str, Any]:
    """Ask before a change, all the time while it is made, and after it."""
    before = held.ask("before")
    bench.turn(**knobs)
    process = subprocess.Popen(
        bench.lab.eyas("apply", "--yes", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    began, rounds, lost, longest = time.monotonic(), 0, 0, 0.0
    while process.poll() is None:
        seen = held.ask(f"during{rounds}")
        rounds, lost, longest = rounds + 1, max(lost, seen["lost"]), max(longest, seen["longest"])
    out, err = process.communicate()
    took = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"the apply ended with {process.returncode}\n{out}\n{err}")
    changed = sorted(change["id"] for change in json.loads(out)["plan"]["changes"])
    assert "firewall:eyas" in changed, changed
    after = held.ask("after")
    return {
        "open": before["answered"],
        "answered after": after["answered"],
        "lost": max(before["lost"], lost, after["lost"]),
        "asked while it was made": rounds,
        "longest": round(max(longest, after["longest"]), 3),
        "seconds": round(took, 2),
    }


def connections(bench: Bench, count: int, report: Report) -> None:
    with holding(bench.lab, count) as held:
        opened = held.heard()
        report.say(f"open: {opened}")
        changes = {
            "two forwards added": {"forwards": ", Forward(7001, to=7000), Forward(7002, 'udp')"},
            "one of them removed": {"forwards": ", Forward(7001, to=7000)"},
            "the other one removed": {},
        }
        for name, knobs in changes.items():
            seen = under_change(bench, held, **knobs)
            report.figures[name] = seen
            report.say(f"{name}: {seen}")
            assert seen["open"] == seen["answered after"] == count, seen
            assert seen["lost"] == 0, seen
            assert seen["asked while it was made"], "the apply was over before anybody had asked"


# ---------------------------------------------------------------- plans


def plans(bench: Bench, repeats: int, report: Report) -> None:
    """Seconds of a plan: of definitions as before, of edited ones, and of those where each site has changed."""
    number = 0

    def edited(**knobs: Any) -> None:
        nonlocal number
        number += 1
        bench.turn(**knobs)
        with (bench.folder / "fleet.py").open("a", encoding="utf-8") as file:
            file.write(f"# {number}\n")

    def planned(edit: Callable[[], object]) -> Callable[[], float]:
        def work() -> float:
            edit()
            return cost(bench.lab.eyas("plan")).wall

        return work

    def kept() -> float:
        bench.turn()
        run(bench.lab.eyas("plan"))
        return cost(bench.lab.eyas("plan")).wall

    cases = {
        "plan, nothing to do": kept,
        "plan, definitions evaluated anew": planned(edited),
        "plan, the same, and each site has changed": planned(lambda: edited(timeout="61s")),
    }
    medians = report.table("seconds", in_turns(cases, repeats))
    for name, median in medians.items():
        report.goal(name, median, GOAL, " s")
    bench.turn()


def quiet(bench: Bench, report: Report) -> None:
    """What has nothing to do with the front leaves its nginx alone; what has, does not, or this proves nothing."""
    front = bench.nginx()
    assert "no changes" in run(bench.lab.eyas("apply", "--yes"))
    assert bench.nginx() == front, "an apply that does nothing reloads the front"
    bench.turn(memory="640M", forwards=", Forward(7001, to=7000)")
    done = bench.json("apply", "--yes")
    owners = {change["owner"] for change in done["plan"]["changes"]}
    assert "web-front" not in owners, owners
    assert bench.nginx() == front, "a limit and a forward of another container reload the front"
    bench.turn(timeout="61s")
    run(bench.lab.eyas("apply", "--yes"))
    assert bench.nginx() != front, "a change to the sites did not reload the front: this looks in the wrong place"
    report.say("a no-op apply, and a limit and a forward of another container: the front was not reloaded")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--containers", type=int, default=30)
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--lab", type=Path, help="a directory of this fleet whose lab is up and applied; it is edited")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    with nullcontext(given.lab) if given.lab else scratch() as folder:
        bench = Bench(folder if given.lab else folder / "fleet", given.containers, given.sites)
        with nullcontext(BenchLab(bench.folder)) if given.lab else applied(bench.folder) as lab:
            bench.attach(lab)
            lab.settle()
            wait_for_quiet(given.wait)
            report = Report("firewall", f"{given.sites} sites on {given.containers} containers")
            connections(bench, given.connections, report)
            plans(bench, given.repeats, report)
            quiet(bench, report)
            report.write()


if __name__ == "__main__":
    main()
