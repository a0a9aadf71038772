"""No-op apply: what it costs to find that nothing has to be done, for the example fleet of ten containers.

Beside it stands what cannot be saved: a start of Python, a way into the lab host, one answer of systemd about all
containers, one of nft about all rules. And what the same command costs when nothing is kept of the last evaluation.
usage: noop_apply.py [--repeats N] [--lab DIR] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import Cost, Report, clocked, cost, in_turns, peak_memory, wait_for_quiet
from benchmarks.labs import BenchLab, applied, copy_garuda, scratch
from eyas.host.units import show_argv
from eyas.kind.container.observe import PATTERN

GOAL, LIMIT, MEMORY = 0.22, 0.5, 150
NFT = ["nft", "-j", "list", "table", "inet", "eyas"]


def bare(lab: BenchLab) -> dict[str, list[str]]:
    """What every tool that looks at this host has to do, as commands."""
    systemd = show_argv([PATTERN])
    both = f"{' '.join(systemd)} >/dev/null & {' '.join(NFT)} >/dev/null; wait"
    return {
        "python3 -I -S, doing nothing": ["/usr/bin/python3", "-I", "-S", "-c", "pass"],
        "into the lab host and out": lab.lab.host(lab.name).command(["true"]),
        "there: systemctl show of all": lab.lab.host(lab.name).command(systemd),
        "there: nft -j list": lab.lab.host(lab.name).command(NFT),
        "there: both at once": lab.lab.host(lab.name).command(["sh", "-c", both]),
        "there: systemctl daemon-reload, which eyas does without": lab.lab.host(lab.name).command(
            ["systemctl", "daemon-reload"]
        ),
    }


def forget(folder: Path) -> None:
    """Take away what an evaluation left, but not what the lab and the lock are."""
    shutil.rmtree(folder / ".eyas/cache", ignore_errors=True)


def measure(lab: BenchLab, repeats: int, report: Report) -> None:
    lab.settle()
    before = lab.invocations()
    costs: dict[str, list[Cost]] = {}

    def case(name: str, argv: Sequence[str]) -> float:
        costs.setdefault(name, []).append(cost(argv))
        return costs[name][-1].wall

    def cold() -> float:
        forget(lab.folder)
        return case("apply, nothing kept", lab.eyas("apply", "--yes"))

    ours = {
        name: (lambda name=name, words=words: case(name, lab.eyas(*words)))
        for name, words in (("apply", ["apply", "--yes"]), ("plan", ["plan"]), ("status", ["status"]))
    }
    medians = report.table("no-op, wall", in_turns(ours, repeats))
    report.table("no-op, processors", {name: [c.cpu for c in costs[name][1:]] for name in ours})
    report.table("apply when nothing is kept, wall", in_turns({"apply, nothing kept": cold}, max(2, repeats // 4)))
    floor = {name: (lambda argv=argv: clocked(lambda: cost(argv))) for name, argv in bare(lab).items()}
    report.table("what cannot be saved, wall", in_turns(floor, repeats))
    lab.settle()
    peaks = [peak_memory(lab.eyas("apply", "--yes")) for _ in range(5)]
    report.table("memory of all processes at once", {"apply": peaks}, "MiB")
    report.goal("no-op apply of ten containers", medians["apply"], GOAL, " s")
    report.goal("no-op apply of ten containers, at the very most", medians["apply"], LIMIT, " s")
    report.goal("its memory", max(peaks), MEMORY, " MiB")
    assert lab.invocations() == before, "a container was restarted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--lab", type=Path, help="a fleet directory whose lab is up and applied")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    if given.lab:
        wait_for_quiet(given.wait)
        report = Report("noop_apply", "No-op apply of ten containers")
        measure(BenchLab(given.lab.resolve()), given.repeats, report)
        report.write()
        return
    with scratch() as folder:
        copy_garuda(folder / "garuda")
        with applied(folder / "garuda") as lab:
            wait_for_quiet(given.wait)
            report = Report("noop_apply", "No-op apply of ten containers")
            measure(lab, given.repeats, report)
            report.write()


if __name__ == "__main__":
    main()
