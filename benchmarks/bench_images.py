"""Images: a cold build of the example fleet's ten against one mmdebstrap run of all their packages together.

Both start with nothing: no downloads, no store. Figures are wall time in seconds and processor time of all processes;
on a busy machine only the second means anything. Writes results/images.json. usage: bench_images.py [RUNS]
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from eyas.image import BASE_PACKAGES, Lock, Recipe, build, key, lookup, read_lock, resolve, store_path
from eyas.image.sources import machine_archive
from eyas.model import load, merged
from eyas.render.recipes import recipe

HERE = Path(__file__).parent
FLEET = HERE.parent / "examples/garuda"
GOAL = 1.5


def recipes() -> list[Recipe]:
    fleet = load(FLEET).fleet
    assert fleet is not None
    return [recipe(container, merged(container)) for host in fleet.hosts for container in host.containers]


def processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), processor_seconds()
    work()
    return time.perf_counter() - wall, processor_seconds() - cpu


def mmdebstrap(asked: list[Recipe], target: Path) -> None:
    names = sorted({*BASE_PACKAGES, *(name for each in asked for name in each.packages)})
    suite = asked[0].suite
    sources = target.with_name("sources.list")
    sources.write_text("\n".join(machine_archive().lines(suite)) + "\n")
    argv = [
        # In a process namespace of its own, so that nothing of it stays when this script is interrupted.
        "setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
        "mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=directory",
        f"--include={','.join(names)}", suite, str(target), str(sources),
    ]  # fmt: skip
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def one_round(asked: list[Recipe], lock: Lock, folder: Path) -> dict[str, tuple[float, float]]:
    cold, warm, cache = folder / "cold", folder / "warm", folder / "cache"
    found = {
        "mmdebstrap, union of the packages": measured(lambda: mmdebstrap(asked, folder / "union")),
        "eyas, ten images, cold": measured(lambda: build(asked, lock, cold, cache)),
        "eyas, ten images, downloads there": measured(lambda: build(asked, lock, warm, cache)),
        "eyas, nothing to do": measured(lambda: build(asked, lock, cold, cache)),
        "eyas, one lookup": measured(lambda: lookup(cold, key(asked[0], lock))),
    }
    kinds = {name: (store_path(state) / "refs/heads/eyas") for name, state in (("cold", cold), ("warm", warm))}
    same = {ref.name: ref.read_text() for ref in kinds["cold"].iterdir()}
    assert same == {ref.name: ref.read_text() for ref in kinds["warm"].iterdir()}, "two builds differ"
    return found


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    asked = recipes()
    rounds = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="eyas-bench-", dir="/var/tmp") as name:
            folder = Path(name)
            lock = read_lock(FLEET / "eyas.lock")
            if not all(lock.holds(each) for each in asked):
                lock = resolve(asked, lock, folder / "lists")
            rounds.append(one_round(asked, lock, folder))
            for each in folder.iterdir():
                shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink()
    table = {
        name: {
            "wall": statistics.median(r[name][0] for r in rounds),
            "cpu": statistics.median(r[name][1] for r in rounds),
        }
        for name in rounds[0]
    }
    names = list(table)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, kernel {platform.release()}, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{machine}; median of {runs}")
    for name, row in table.items():
        print(f"  {name:36} {row['wall']:9.4f} s   {row['cpu']:9.4f} s of processors")
    ratio = table[names[1]]["wall"] / table[names[0]]["wall"]
    print(f"  cold build / mmdebstrap: {ratio:.2f} (goal: at most {GOAL})")
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    report = {"machine": machine, "runs": runs, "seconds": table, "ratio": ratio, "goal": GOAL}
    (results / "images.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
