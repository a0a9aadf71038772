"""Starts: containers of eyas against bare systemd-nspawn on the same trees, all started at once.

Both are started by systemd in one lab host, from the same package tree and the same configuration layer. A bare unit
is a script of eight lines that stacks the layers under a tmpfs, and systemd-nspawn; it is up when systemd inside says
so. A container of eyas is up when its probe has passed, too. "trimmed" is what eyas makes of a configuration layer,
"plain" has all that Debian starts. usage: starts.py [--repeats N] [--counts 10,30] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks.common import Report, clocked, in_turns, run, wait_for_quiet
from benchmarks.labs import BenchLab, applied, scratch, write_fleet

GOAL_ALL, GOAL_ONE = 1.15, 1.1
SLOW = 10  # seconds: a stop that takes longer is told

UP = """\
#!/bin/sh
set -eu
. "/etc/eyas/containers/$1.env"
d=/run/bare/$1 map=X-mount.idmap=b:0:$BASE:65536
mkdir -p "$d"
mount -t tmpfs -o size=2G,mode=0755 "bare-$1" "$d"
mkdir "$d/raw" "$d/raw/upper" "$d/raw/work" "$d/rw" "$d/0" "$d/1" "$d/root"
mount --bind -o "$map b:65536:0:1" "$d/raw" "$d/rw"
mount --bind -o "ro,$map" "${LOWERS% *}" "$d/0"
mount --bind -o "ro,$map" "${LOWERS#* }" "$d/1"
mount -t overlay -o "lowerdir=$d/0:$d/1,upperdir=$d/rw/upper,workdir=$d/rw/work" "bare-$1" "$d/root"
"""
DOWN = """\
#!/bin/sh
umount -R "/run/bare/$1" 2>/dev/null || umount -lR "/run/bare/$1"
"""
UNIT = """\
[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
EnvironmentFile=/etc/eyas/containers/%i.env
ExecStartPre=/run/bare-up %i
ExecStart=systemd-nspawn --quiet --keep-unit --boot --notify-ready=yes --settings=no --link-journal=no \\
    --directory=/run/bare/%i/root --machine=%i --network-bridge=br0 \\
    --private-users=${BASE}:65536 --private-users-ownership=off
ExecStopPost=/run/bare-down %i
KillMode=mixed
TimeoutStopSec=30
Slice=machine.slice
Delegate=yes
TasksMax=16384
"""


def install_bare(lab: BenchLab) -> None:
    """Bare units in the lab host, until its end."""
    for path, text in (("bare-up", UP), ("bare-down", DOWN), ("systemd/system/bare@.service", UNIT)):
        lab.succeed("sh", "-c", f"mkdir -p /run/systemd/system; cat >/run/{path}; chmod 755 /run/{path}", input=text)
    lab.succeed("systemctl", "daemon-reload")


def bare(names: list[str]) -> list[str]:
    return [f"bare@{name}.service" for name in names]


def start(lab: BenchLab, units: list[str], argv: list[str] | None = None) -> Callable[[], float]:
    """A case: start all of them by one command; stopped again outside of the time that counts."""

    def case() -> float:
        seconds = clocked(lambda: run(argv or lab.lab.host(lab.name).command(["systemctl", "start", *units])))
        states = lab.execute("systemctl", "is-active", *units).text.split()
        assert states == ["active"] * len(units), f"{states.count('active')} of {len(units)} are active"
        stopped = clocked(lambda: lab.succeed("systemctl", "stop", *units, timeout=300))
        if stopped > SLOW:
            print(f"  (the stop of {units[0]} and {len(units) - 1} more took {stopped:.1f} s)")
        return seconds

    return case


def restart(lab: BenchLab, unit: str) -> float:
    return clocked(lambda: run(lab.lab.host(lab.name).command(["systemctl", "restart", unit])))


def one_fleet(lab: BenchLab, what: str, repeats: int, report: Report) -> None:
    names = lab.names()
    ours = lab.units(names)
    install_bare(lab)
    lab.succeed("systemctl", "stop", *ours)
    count = len(names)
    cases = {
        f"{count} {what}, bare systemd-nspawn": start(lab, bare(names)),
        f"{count} {what}, units of eyas": start(lab, ours),
        f"{count} {what}, eyas apply": start(lab, ours, lab.eyas("apply", "--yes")),
    }
    turns = repeats if count <= 10 else max(3, repeats // 2)
    medians = list(report.table(f"start of {count} {what}", in_turns(cases, turns)).values())
    report.goal(f"start of {count} {what}, units / bare", medians[1] / medians[0], GOAL_ALL)
    report.goal(f"start of {count} {what}, eyas apply / bare", medians[2] / medians[0], GOAL_ALL)


def one_container(lab: BenchLab, what: str, repeats: int, report: Report) -> None:
    """Restarts of one, with no other running. The two take turns, so each is started anew for its turn."""
    first, second = lab.names()[:2]
    units = {f"restart of one, {what}, bare": bare([first])[0], f"restart of one, {what}, eyas": lab.units([second])[0]}
    lab.succeed("systemctl", "start", *units.values())
    cases = {name: (lambda unit=unit: restart(lab, unit)) for name, unit in units.items()}
    medians = list(report.table(f"restart of one, {what}", in_turns(cases, repeats)).values())
    report.goal(f"restart of one, {what}, until its probe passes / bare", medians[1] / medians[0], GOAL_ONE)
    lab.succeed("systemctl", "stop", *units.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--counts", default="10,30")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    counts = [int(word) for word in given.counts.split(",")]
    report = None
    with scratch() as folder:
        for count in counts:
            for what in ("trimmed", "plain"):
                write_fleet(folder / f"{what}{count}", count, plain=what == "plain")
                with applied(folder / f"{what}{count}") as lab:
                    wait_for_quiet(given.wait)
                    report = report or Report("starts", "Starts against bare systemd-nspawn")
                    one_fleet(lab, what, given.repeats, report)
                    if count == counts[0]:
                        one_container(lab, what, 2 * given.repeats, report)
        assert report is not None
        report.write()


if __name__ == "__main__":
    main()
