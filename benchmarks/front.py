"""The front beside an nginx configured by hand for the same site, and beside the backend asked directly.

All are asked from the lab's internet by wrk(1), in turns: with connections that stay, which is the cost of a
request, and with one for each request, which is the cost of TLS. The backend is an nginx with a literal answer, so that
the proxies are what is measured. By hand there is also one that keeps its connections to the backend. What the proxy's
container spends of processors for a request is told as well: others on the machine disturb that least.
usage: front.py [--rounds N] [--seconds N] [--connections N] [--lab DIR] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from benchmarks.common import HERE, Report, wait_for_quiet
from benchmarks.labs import BenchLab, applied, scratch

NAME = "app.example.org"
FRONT, BY_HAND, KEPT = "the front", "by hand", "by hand, backend connections kept"
DIRECT = "the backend itself, plain HTTP"
TARGETS = {
    FRONT: f"https://{NAME}/",
    BY_HAND: f"https://{NAME}:9443/",
    KEPT: f"https://{NAME}:9444/",
    DIRECT: f"http://{NAME}:8080/",
}
WAYS: Mapping[str, tuple[str, ...]] = {"connections stay": (), "one connection a request": ("-H", "Connection: close")}
GOAL = 0.97
SHOWN = re.compile(r"Requests/sec:\s+([\d.]+)")
LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
UNIT = {"us": 1e-3, "ms": 1.0, "s": 1e3}
WHERE = {FRONT: "web-front", BY_HAND: "by-hand", KEPT: "by-hand", DIRECT: "behind"}
Figures = tuple[float, float, float, float]
"""Requests a second, milliseconds of the median and of the 99th percentile, microseconds of processor for a request."""


def spent(lab: BenchLab, name: str) -> int:
    """Nanoseconds of processors that a container has used."""
    unit = f"systemd-nspawn@{WHERE[name]}.service"
    return int(lab.succeed("systemctl", "show", "--value", "--property=CPUUsageNSec", unit))


def wrk(lab: BenchLab, name: str, seconds: float, connections: int, more: tuple[str, ...]) -> Figures:
    """One run. Any answer that is no success ends the benchmark: a refusal is faster than an answer."""
    url, before = TARGETS[name], spent(lab, name)
    argv = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds:g}s", *more, url]
    done = subprocess.run(lab.lab.command("internet", argv), capture_output=True, text=True, check=False)
    said = done.stdout
    if done.returncode or "Non-2xx" in said or re.search(r"(connect|read|write) [1-9]", said):
        raise SystemExit(f"{url}: {said}{done.stderr}")
    rate = SHOWN.search(said)
    assert rate, said
    shares = {share: float(value) * UNIT[unit] for share, value, unit in LATENCY.findall(said)}
    requests = re.search(r"(\d+) requests in", said)
    assert requests, said
    return float(rate[1]), shares["50"], shares["99"], (spent(lab, name) - before) / 1e3 / int(requests[1])


def measure(lab: BenchLab, rounds: int, seconds: float, connections: int, report: Report) -> None:
    for way, more in WAYS.items():
        found: dict[str, list[Figures]] = {name: [] for name in TARGETS}
        for number in range(rounds + 1):
            # Never the same twice in a row: the first run's connections to the backend still rest in the second one.
            names = [*TARGETS]
            for name in names[number % len(names) :] + names[: number % len(names)]:
                figures = wrk(lab, name, seconds if number else 1, connections, more)
                if number:  # the first one is for warming up
                    found[name].append(figures)
        tell(report, way, found)


def tell(report: Report, way: str, found: Mapping[str, list[Figures]]) -> None:
    rates = {name: [figures[0] for figures in rows] for name, rows in found.items()}
    report.table(f"requests a second, {way}", rates, "1/s")
    report.table(f"median latency, {way}", {n: [f[1] for f in rows] for n, rows in found.items()}, "ms")
    report.table(f"99th percentile, {way}", {n: [f[2] for f in rows] for n, rows in found.items()}, "ms")
    used = {name: [figures[3] for figures in rows] for name, rows in found.items()}
    cost = report.table(f"processors of the container, {way}", used, "µs/request")
    report.say(f"processors, by hand / the front: {cost[BY_HAND] / cost[FRONT]:.3f}")
    # neighbours in time stand beside each other, so each round gives a ratio of its own
    ratios = [ours / theirs for ours, theirs in zip(rates[FRONT], rates[BY_HAND], strict=True)]
    report.say(f"ratios of the rounds: {', '.join(f'{ratio:.3f}' for ratio in ratios)}")
    report.goal(f"by hand / the front, {way}", 1 / statistics.median(ratios), round(1 / GOAL, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5, help="of each run")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--lab", type=Path, help="a directory with this fleet whose lab is up and applied")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a quiet machine")
    args = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("cannot measure the front: wrk is missing\nhint: apt install wrk")
    with scratch() as folder:
        if not args.lab:
            shutil.copytree(HERE / "fleets/front", folder, dirs_exist_ok=True)
        with nullcontext(BenchLab(args.lab)) if args.lab else applied(folder) as lab:
            wait_for_quiet(args.wait)
            report = Report("front", "The front beside an nginx configured by hand")
            measure(lab, args.rounds, args.seconds, args.connections, report)
            report.write()


if __name__ == "__main__":
    main()
