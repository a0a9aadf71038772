"""What a neighbour's clients see while a tenant uses up all that it has: on an emulated machine, whose kernel has all
controllers and whose clock goes by instructions, so that the load of this machine does not count.

Each bomb is measured between two calm stretches; compared are the seconds within which 99 of 100 requests are answered.
Usage: python -m benchmarks.bombs [--seconds 40] [--rate 20] [--only memory ...]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.common import HERE, Report
from eyas.lab.bombs import BOMBS, Seen, bomb, clients, hits
from eyas.lab.emulated import Emulated, emulated

GOAL = 1.5


def measure(machine: Emulated, names: list[str], rate: float, seconds: float, report: Report) -> None:
    clients(machine, rate, 5)  # the first ones pay for what is read for the first time
    before = clients(machine, rate, seconds)
    for name in names:
        with bomb(machine, name):
            seen = clients(machine, rate, seconds)
            named = hits(machine)
        after = clients(machine, rate, seconds)
        row(report, name, before, seen, after, named)
        before = after


def row(report: Report, name: str, before: Seen, seen: Seen, after: Seen, named: dict[str, set[str]]) -> None:
    calm = (before.most + after.most) / 2
    told = ", ".join(f"{container} ({', '.join(sorted(limits))})" for container, limits in sorted(named.items()))
    report.say(
        f"{name}: p50 {1000 * seen.half:.1f} ms, calm {1000 * before.half:.1f}; p99 {1000 * seen.most:.1f} ms, calm "
        f"{1000 * before.most:.1f} and {1000 * after.most:.1f}; longest {1000 * seen.longest:.1f} ms; "
        f"failed {seen.failed} of {seen.sent}; eyas status: {told or 'nobody'}"
    )
    report.figures[name] = {"before": asdict(before), "seen": asdict(seen), "after": asdict(after), "status": told}
    report.goal(f"p99 under the bomb against calm, {name}", seen.most / calm, GOAL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--only", nargs="*", choices=[*BOMBS], default=[*BOMBS])
    args = parser.parse_args()
    report = Report("bombs", "A neighbour's clients while a tenant uses up all that it has")
    with tempfile.TemporaryDirectory(prefix="eyas-bombs-") as place:
        folder = Path(place)
        shutil.copytree(HERE / "fleets/bombs", folder / "fleet")
        with emulated(folder, folder / "fleet") as machine:
            machine.eyas("apply", "--yes")
            measure(machine, args.only, args.rate, args.seconds, report)
    report.write()


if __name__ == "__main__":
    main()
