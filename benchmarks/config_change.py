"""One changed file: from the edited definition to the running container, in the example fleet of ten.

Three edits: a file that a service reads at its reload (nginx in web-front), a file of a builder that nobody
has to notice, a file of the host. An apply runs once more under strace(1), which
proves that no package manager was started, where strace is installed; that no image came is seen on the host.
usage: config_change.py [--repeats N] [--lab DIR] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from benchmarks.common import Report, cost, in_turns, run, wait_for_quiet
from benchmarks.labs import BenchLab, applied, copy_garuda, scratch

GOAL = 1.0
PACKAGE_MANAGERS = r'execve\("[^"]*/(apt[a-z-]*|dpkg[a-z-]*|mmdebstrap|debootstrap|npm|pip3?|ostree)"'

EDITS = {
    # name: (file of the definitions, what stands there, what comes in its place)
    "a file of nginx, which reloads": ("fleet.py", r'upload="\d+M"', 'upload="{number}M"'),
    "a PKGBUILD of a builder": ("packages/chaotic-aur/chaotic-tool-git/PKGBUILD", r"(# \d+\n)?\Z", "# {number}\n"),
    "a file of the host": ("programs/neighbours.conf", r"(# \d+\n)?\Z", "# {number}\n"),
}
FOLLOWED = {
    # What every such apply starts, from one end to the other: who sees these sees what stands between them.
    "eyas": r'execve\("[^"]*/eyas", \[',
    "the host's end": r'execve\("[^"]*/python3[^"]*", \[[^]]*"serve"\]',
    "what that starts itself": r'execve\("[^"]*/nft", \[',
}
_numbers = itertools.count(51)


def edit(lab: BenchLab, name: str) -> None:
    """Change one value in the definitions, always to a new one."""
    file, pattern, new = EDITS[name]
    path = lab.folder / file
    old = path.read_text(encoding="utf-8")
    text = re.sub(pattern, new.format(number=next(_numbers)), old, count=1)
    assert text != old, f"{name}: {file} has nothing to edit"
    path.write_text(text, encoding="utf-8")


def trees(lab: BenchLab) -> list[str]:
    """The images that the host has."""
    return sorted(path.name for path in (lab.root / "var/lib/eyas/trees").iterdir())


def case(lab: BenchLab, name: str, processors: list[float]) -> Callable[[], float]:
    def applied_edit() -> float:
        edit(lab, name)
        spent = cost(lab.eyas("apply", "--yes"))
        processors.append(spent.cpu)
        return spent.wall

    return applied_edit


def started_programs(lab: BenchLab, log: Path) -> list[str]:
    """Package managers that an apply of an edit started; strace follows every process of ours and of the agent."""
    edit(lab, next(iter(EDITS)))
    run(["strace", "-f", "-qq", "-e", "trace=execve", "-o", str(log), *lab.eyas("apply", "--yes")])
    text = log.read_text(encoding="utf-8", errors="replace")
    missed = [what for what, pattern in FOLLOWED.items() if not re.search(pattern, text)]
    assert not missed, f"strace saw nothing of {', '.join(missed)}: {log.name} proves nothing"
    return re.findall(PACKAGE_MANAGERS, text)


def measure(lab: BenchLab, repeats: int, report: Report) -> None:
    lab.settle()
    before, built = lab.invocations(), trees(lab)
    processors: dict[str, list[float]] = {name: [] for name in EDITS}
    cases = {name: case(lab, name, processors[name]) for name in EDITS}
    medians = report.table("edit to running, wall", in_turns(cases, repeats))
    report.table("edit to running, processors", {name: spent[1:] for name, spent in processors.items()})
    assert lab.invocations() == before, "a container was restarted"
    assert trees(lab) == built, "an image was built"
    lab.settle()
    for name, seconds in medians.items():
        report.goal(name, seconds, GOAL, " s")
    if shutil.which("strace"):
        found = started_programs(lab, lab.folder.parent / "strace.log")
        assert not found, f"package managers ran: {found}"
        report.say("strace: no apt, dpkg, mmdebstrap, npm, pip or ostree was started; no build, no restart")
        report.figures["package managers started"] = found
    else:
        report.say("no build, no restart (strace is not installed: programs were not watched)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--lab", type=Path, help="a copy of the example whose lab is up and applied; it is edited")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    with scratch() as folder:
        if not given.lab:
            copy_garuda(folder / "garuda")
        with nullcontext(BenchLab(given.lab.resolve())) if given.lab else applied(folder / "garuda") as lab:
            wait_for_quiet(given.wait)
            report = Report("config_change", "One changed file, applied to the fleet of ten")
            measure(lab, given.repeats, report)
            report.write()


if __name__ == "__main__":
    main()
