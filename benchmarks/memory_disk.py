"""Memory and disk: containers of eyas, which share their images, against as many separate roots.

Memory is the proportional set size (PSS, proc_pid_smaps(5)) of all processes of ten plain containers with their
supervisors, some seconds after their start. The separate roots are copies of the same tree, started the same way.
Disk is that of the example fleet of ten: the host's store with its trees and layers, each block once, against the
sum of its ten roots; and the store against the unique content of its trees.
usage: memory_disk.py [--repeats N] [--settle SECONDS] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.common import Report, in_turns, wait_for_quiet
from benchmarks.labs import BenchLab, applied, copy_garuda, scratch, write_fleet

STORE = 1.05
MIB = 2**20

# Runs on the lab host: only there are the container's processes in the cgroups that it knows.
PSS = """
import os
total = count = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if "/machine.slice/" in open(f"/proc/{pid}/cgroup").read():
            lines = open(f"/proc/{pid}/smaps_rollup").read().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            count += 1
    except OSError:
        pass
print(total, count)
"""


def memory(lab: BenchLab, settle: float, separate: bool) -> Callable[[], float]:
    """PSS in MiB of all containers, started for this and stopped again."""

    def case() -> float:
        units = lab.units()
        point(lab, separate)
        lab.succeed("systemctl", "start", *units)
        time.sleep(settle)
        total, _count = lab.succeed("python3", "-I", "-S", "-c", PSS).split()
        lab.succeed("systemctl", "stop", *units)
        return int(total) / 1024

    return case


def copy_roots(lab: BenchLab) -> None:
    """A tree of its own for each container, beside the shared one."""
    for name in lab.names():
        lab.succeed("sh", "-c", f". /etc/eyas/containers/{name}.env; mkdir -p /var/lib/bench; "
                    f'cp -a "${{LOWERS#* }}" /var/lib/bench/{name}', timeout=300)  # fmt: skip


def point(lab: BenchLab, separate: bool) -> None:
    """Let the containers start from their own trees, or from the shared one as eyas wrote it."""
    for name in lab.names():
        path = lab.root / f"etc/eyas/containers/{name}.env"
        kept = path.with_suffix(".env.kept")
        if not kept.exists():
            kept.write_text(path.read_text())
        lines = kept.read_text().splitlines()
        if separate:
            lines.append(f'LOWERS="${{LOWERS%% *}} /var/lib/bench/{name}"')
        path.write_text("\n".join(lines) + "\n")


def blocks(folder: Path) -> int:
    """Bytes that a folder takes on disk, every file once (du(1))."""
    seen: dict[tuple[int, int], int] = {}
    for path in _walk(folder):
        about = path.lstat()
        seen[about.st_dev, about.st_ino] = about.st_blocks * 512
    return sum(seen.values())


def unique_content(folder: Path) -> int:
    """Bytes on disk of the different contents of all files below a folder."""
    seen: dict[tuple[int, int], bytes] = {}
    sizes: dict[bytes, int] = {}
    for path in _walk(folder):
        about = path.lstat()
        if stat.S_ISREG(about.st_mode) and (about.st_dev, about.st_ino) not in seen:
            with path.open("rb") as file:
                name = hashlib.file_digest(file, "sha256").digest()
            seen[about.st_dev, about.st_ino] = name
            sizes.setdefault(name, about.st_blocks * 512)
    return sum(sizes.values())


def _walk(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        yield Path(base)
        yield from (Path(base, name) for name in files)
        yield from (Path(base, name) for name in folders if Path(base, name).is_symlink())


def disk(lab: BenchLab, report: Report) -> None:
    state = lab.root / "var/lib/eyas"
    specs = [json.loads((lab.root / f"etc/eyas/containers/{name}.json").read_text()) for name in lab.names()]
    trees = {spec["tree"]: blocks(state / "trees" / spec["tree"]) for spec in specs}
    layers = sum(blocks(state / "layers" / spec["layer"]) for spec in specs)
    shared = blocks(state)
    unique, store = unique_content(state / "trees"), blocks(state / "store")
    rows = {
        f"{len(specs)} containers of eyas: store, trees, layers": shared,
        f"{len(specs)} separate roots": sum(trees[spec["tree"]] for spec in specs) + layers,
        "the store alone": store,
        f"unique content of its {len(list((state / 'trees').iterdir()))} trees": unique,
        "configuration layers alone": layers,
    }
    report.table("disk", {name: [value / MIB] for name, value in rows.items()}, "MiB")
    report.goal("store / unique content of its trees", store / unique, STORE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--settle", type=float, default=10, help="seconds between the start and the look")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    report = Report("memory_disk", "Memory and disk of ten containers")
    with scratch() as folder:
        copy_garuda(folder / "garuda")
        with applied(folder / "garuda") as lab:
            disk(lab, report)
        write_fleet(folder / "plain", 10)
        with applied(folder / "plain") as lab:
            lab.succeed("systemctl", "stop", *lab.units())
            copy_roots(lab)
            wait_for_quiet(given.wait)
            cases = {
                "10 containers of eyas": memory(lab, given.settle, separate=False),
                "10 separate roots": memory(lab, given.settle, separate=True),
            }
            report.table("memory, PSS", in_turns(cases, given.repeats, warm=False), "MiB")
        report.write()


if __name__ == "__main__":
    main()
