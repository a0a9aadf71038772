"""Images: a cold build of the example fleet's ten against one mmdebstrap run of all their packages together.

Both start with nothing: no downloads, no store. Then the same build with the downloads there, with nothing to do, and
two builds compared, byte for byte. On a busy machine only the seconds of processors mean anything.
usage: images.py [--repeats N] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import REPOSITORY, Cost, Report, wait_for_quiet
from benchmarks.labs import scratch
from eyas.image import BASE_PACKAGES, Lock, Recipe, build, key, lookup, read_lock, resolve, store_path
from eyas.image.sources import machine_archive
from eyas.model import load, merged
from eyas.render.recipes import recipe

FLEET = REPOSITORY / "examples/garuda"
GOAL = 1.5
BARE, COLD = "mmdebstrap, union of the packages", "eyas, ten images, cold"


def recipes() -> list[Recipe]:
    fleet = load(FLEET).fleet
    return [recipe(container, merged(container)) for host in fleet.hosts for container in host.containers]


def measured(work: Callable[[], object]) -> Cost:
    """What a call costs, with all processes that it waited for."""
    before, began = os.times(), time.perf_counter()
    work()
    wall, after = time.perf_counter() - began, os.times()
    return Cost(wall, sum(after[:4]) - sum(before[:4]))


def mmdebstrap(asked: list[Recipe], target: Path) -> None:
    names = sorted({*BASE_PACKAGES, *(name for each in asked for name in each.packages)})
    suite = asked[0].suite
    sources = target.with_name("sources.list")
    sources.write_text("\n".join(machine_archive().lines(suite)) + "\n")
    argv = [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=directory",
        f"--include={','.join(names)}", suite, str(target), str(sources),
    ]  # fmt: skip
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def one_round(asked: list[Recipe], lock: Lock, folder: Path) -> dict[str, Cost]:
    cold, warm, cache = folder / "cold", folder / "warm", folder / "cache"
    found = {
        BARE: measured(lambda: mmdebstrap(asked, folder / "union")),
        COLD: measured(lambda: build(asked, lock, cold, cache)),
        "eyas, ten images, downloads there": measured(lambda: build(asked, lock, warm, cache)),
        "eyas, nothing to do": measured(lambda: build(asked, lock, cold, cache)),
        "eyas, one lookup": measured(lambda: lookup(cold, key(asked[0], lock))),
    }
    refs = [store_path(state) / "refs/heads/eyas" for state in (cold, warm)]
    first, second = ({ref.name: ref.read_text() for ref in folder.iterdir()} for folder in refs)
    assert first == second, "two builds differ"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    wait_for_quiet(given.wait)
    report = Report("images", "Cold build of ten images")
    asked, rounds = recipes(), []
    for _ in range(given.repeats):
        with scratch() as folder:
            lock = read_lock(FLEET / "eyas.lock")
            if not all(lock.holds(each) for each in asked):
                lock = resolve(asked, lock, folder / "lists")
            rounds.append(one_round(asked, lock, folder))
            for each in folder.iterdir():
                if each.is_dir():
                    shutil.rmtree(each, ignore_errors=True)
    report.table("images, wall", {name: [r[name].wall for r in rounds] for name in rounds[0]})
    report.table("images, processors", {name: [r[name].cpu for r in rounds] for name in rounds[0]})
    ratio = statistics.median(r[COLD].wall / r[BARE].wall for r in rounds)
    report.goal("cold build of ten images / mmdebstrap of the union", ratio, GOAL)
    report.write()


if __name__ == "__main__":
    main()
