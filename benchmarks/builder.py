"""The package builder: builds in RAM against builds on disk, and clean roots against other ways to have one.

All of it in one container of a lab. A build is timed by the builder, from its start to its place in the repository; a
root from the command to its end, with `true` run in it and nothing left of it, except where it is made clean by
copying over the last one. Other ways: `cp -a` of the same tree, as mkarchroot and makechrootpkg do; rsync over a copy
that was used before, as makechrootpkg does on most file systems; `docker run` of an image of the same tree.
usage: builder.py [--repeats N] [--wait SECONDS] [--lab DIRECTORY]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import HERE, Report, in_turns, wait_for_quiet
from benchmarks.labs import BenchLab, applied, scratch

WELL_UNDER = 0.5
TREE = "/run/eyas-packages"
PLACE = "/var/lib/package-builder/bench"
NSPAWN = (
    "systemd-nspawn --quiet --register=no --keep-unit --settings=no --as-pid2 --link-journal=no --timezone=off "
    "--console=pipe --resolv-conf=off --private-network"
)
CLOCK = """
import subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True)
print(time.perf_counter() - began, done.returncode, done.stderr.replace(chr(10), " "))
"""
MADE = re.compile(r"made in ([0-9.]+) ms")
COPY = f"cp -a --reflink=auto {TREE} {PLACE}/one && {NSPAWN} --directory={PLACE}/one true; rm -rf {PLACE}/one"
OVER = f"rsync -aW --delete {TREE}/ {PLACE}/kept/ && {NSPAWN} --directory={PLACE}/kept touch /var/tmp/used"


def inside(lab: BenchLab, *argv: str) -> str:
    """A command in the container, as its root."""
    return lab.succeed("systemd-run", "--machine=forge", "-q", "--pipe", "--wait", "--", *argv, timeout=600)


def clock(lab: BenchLab, *argv: str) -> tuple[float, str]:
    """Seconds of a command in the container, by a clock there; what it said to its terminal."""
    seconds, code, said = (inside(lab, "python3", "-I", "-S", "-c", CLOCK, *argv) + "  ").split(" ", 2)
    if code != "0":
        raise SystemExit(f"{' '.join(argv)}: exit {code}\n{said}")
    return float(seconds), said


def build(lab: BenchLab, package: str, *, disk: bool) -> Callable[[], float]:
    """A build of another version of a package, its root in RAM or on disk."""
    learned = f"/var/lib/package-builder/disk/{package}"

    def case() -> float:
        raise_version = f"sed -i 's/^pkgver=.*/pkgver={time.time_ns()}/' /etc/eyas/packages/{package}/PKGBUILD"
        mark = f"mkdir -p {Path(learned).parent} && touch {learned}" if disk else f"rm -f {learned}"
        inside(lab, "sh", "-c", f"{raise_version} && {mark}")
        (id,) = inside(lab, "package-builder", "queue", package).split()
        row: dict[str, Any] = {}
        while not row.get("ended"):
            time.sleep(0.3)
            rows = json.loads(inside(lab, "package-builder", "list", "--json"))["builds"]
            row = next((row for row in rows if row["id"] == id), {})
        if (row["state"], row["backing"]) != ("published", "disk" if disk else "ram"):
            raise SystemExit(f"{package}: {row}")
        return float(row["seconds"])

    return case


def roots(lab: BenchLab, made: list[float]) -> dict[str, Callable[[], float]]:
    """The ways to a clean root; ``made`` gets the seconds in which ours in RAM were there."""

    def ours() -> float:
        seconds, said = clock(lab, "package-builder", "root", "true")
        made.append(float(MADE.findall(said)[0]) / 1000)
        return seconds

    return {
        "ours, in RAM": ours,
        "ours, on disk": lambda: clock(lab, "package-builder", "root", "--disk", "true")[0],
        "cp -a of the tree, systemd-nspawn, rm": lambda: clock(lab, "sh", "-c", COPY)[0],
        "rsync over a used copy, systemd-nspawn": lambda: clock(lab, "sh", "-c", OVER)[0],
        "docker run --rm of the same tree": lambda: clock(lab, "docker", "run", "--rm", "same:1", "true")[0],
    }


def measure(lab: BenchLab, repeats: int, wait: float) -> None:
    inside(lab, "mkdir", "-p", PLACE)
    same = f"docker image inspect same:1 || tar -C {TREE} --one-file-system -c . | docker import - same:1"
    inside(lab, "sh", "-c", f"{{ {same}; }} >/dev/null 2>&1")
    wait_for_quiet(wait)
    report = Report("builder", "Clean roots and builds")
    report.say(f"the tree: {inside(lab, 'du', '-sxm', TREE).split()[0]} MiB")
    made: list[float] = []
    report.table("a clean root, `true` in it", in_turns(roots(lab, made), repeats))
    report.table("of that", {"ours, in RAM: until it is there": made})
    report.goal("a clean root, made", statistics.median(made), WELL_UNDER, " s")
    for package, what in (("files", "10,000 small files"), ("compiled", "200 files in C")):
        cases = {"root in RAM": build(lab, package, disk=False), "root on disk": build(lab, package, disk=True)}
        report.table(f"a build of {what}", in_turns(cases, max(3, repeats - 2), warm=False))
    report.write()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    parser.add_argument("--lab", type=Path, help="a directory of fleets/builder whose lab is up and applied already")
    given = parser.parse_args()
    if given.lab:
        measure(BenchLab(given.lab), given.repeats, given.wait)
        return
    with scratch() as folder:
        shutil.copytree(HERE / "fleets/builder", folder / "fleet")
        with applied(folder / "fleet") as lab:
            measure(lab, given.repeats, given.wait)


if __name__ == "__main__":
    main()
