"""What the benchmarks share: the machine, processes with their whole cost, runs side by side, tables with goals.

A figure is worth something beside another one of the same minute only, so cases are run in turns (`in_turns`), and
every report says on what machine and under what load it was made.
"""

from __future__ import annotations

import ctypes
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RESULTS = HERE / "results"
EYAS = str(Path(sys.executable).with_name("eyas"))

# Users have bytecode, and so have measurements, whatever the shell says that started them.
for _variable in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "EYAS_TRACEBACK"):
    os.environ.pop(_variable, None)

# A benchmark that is ended takes its lab down, as one that is interrupted does.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)


# ---------------------------------------------------------------- the machine


def machine() -> dict[str, Any]:
    """What a figure depends on besides the program."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    total = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(total / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        "date": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="minutes"),
    }


def wait_for_quiet(seconds: float, load: float = 0.7) -> None:
    """Wait until the load of the last minute is low, at most so long: on a busy machine figures mean little."""
    until = time.monotonic() + seconds
    while os.getloadavg()[0] > load and time.monotonic() < until:
        time.sleep(5)


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()


# ---------------------------------------------------------------- processes


@dataclass(frozen=True)
class Cost:
    """Seconds: of the clock until the command ended, and of processors until all that it started has ended too."""

    wall: float
    cpu: float


def run(argv: Sequence[str], **more: Any) -> str:
    """Run a command that has to succeed; what it printed. Its errors are seen when it does not."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return str(done.stdout)


def clocked(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cost(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command that has to succeed, with the processor time of everything it started: also of what it left
    behind (an agent that nobody waits for is handed to us, prctl(2))."""
    with _heir():
        began = time.perf_counter()
        pid = _spawn(argv, env)
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - began
        if status != 0:
            raise SystemExit(f"{' '.join(argv)}: wait status {status}")
        cpu = used.ru_utime + used.ru_stime
        while True:
            try:
                _, _, used = os.wait4(-1, 0)
            except ChildProcessError:
                return Cost(wall, cpu)
            cpu += used.ru_utime + used.ru_stime


def peak_memory(argv: Sequence[str]) -> float:
    """The most resident memory (MiB) that a command and all its processes have at one moment, each with its shared
    pages: looked at every millisecond, so it is an untimed run of its own."""
    most = 0
    with _heir():
        _spawn(argv, None)
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return most / 2**20
            if not pid:
                most = max(most, sum(_resident(each) for each in _below(os.getpid())))
                time.sleep(0.001)


@contextmanager
def _heir() -> Iterator[None]:
    """Meanwhile processes whose parent ends are handed to us. Not for longer: a lab that is started is not ours."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(_SUBREAPER, 0)


def _spawn(argv: Sequence[str], env: Mapping[str, str] | None) -> int:
    quiet = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, quiet, number) for number in (0, 1, 2)]
        return os.posix_spawnp(argv[0], list(argv), dict(env or os.environ), file_actions=actions)
    finally:
        os.close(quiet)


def _below(pid: int) -> list[int]:
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [each for child in children for each in (child, *_below(child))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


# ---------------------------------------------------------------- runs and reports


def in_turns(cases: Mapping[str, Callable[[], float]], repeats: int, *, warm: bool = True) -> dict[str, list[float]]:
    """Run every case so often, one after the other and back again, so that what else happens on the machine hits all
    of them alike. With ``warm`` each is run once before that counts for nothing."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    if warm:
        for case in cases.values():
            case()
    for number in range(repeats):
        for name in list(cases)[:: 1 if number % 2 == 0 else -1]:
            found[name].append(cases[name]())
    return found


@dataclass
class Report:
    """A benchmark's table and its JSON file. Prints as it goes."""

    name: str
    title: str
    machine: dict[str, Any] = field(default_factory=machine)
    figures: dict[str, Any] = field(default_factory=dict)
    goals: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        m = self.machine
        print(f"{self.title}\n{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, kernel {m['kernel']}, ", end="")
        print(f"Python {m['python']}, load {m['load']}, {m['date']}")

    def table(self, title: str, rows: Mapping[str, Sequence[float]], unit: str = "s") -> dict[str, float]:
        """Print median, least and most of each row; the medians."""
        repeats = max((len(values) for values in rows.values()), default=0)
        print(f"\n  {f'{title} ({unit})':58} {'median':>9} {'least':>9} {'most':>9}   n={repeats}")
        medians = {name: statistics.median(values) for name, values in rows.items()}
        for name, values in rows.items():
            print(f"  {name:58} {_shown(medians[name])} {_shown(min(values))} {_shown(max(values))}")
        self.figures[title] = {
            name: {"unit": unit, "median": medians[name], "min": min(values), "max": max(values), "all": [*values]}
            for name, values in rows.items()
        }
        return medians

    def say(self, text: str) -> None:
        print(f"  {text}")

    def goal(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """Say whether a figure is as good as it is to be."""
        verdict = "reached" if value <= limit else "MISSED"
        print(f"  -> {what}: {value:.3g}{unit} (goal: at most {limit:g}{unit}): {verdict}")
        self.goals[what] = {"value": value, "limit": limit, "unit": unit, "reached": value <= limit}

    def write(self) -> None:
        """Write results/NAME.json."""
        RESULTS.mkdir(exist_ok=True)
        data = {"machine": self.machine, "figures": self.figures, "goals": self.goals}
        (RESULTS / f"{self.name}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        print()


def _shown(value: float) -> str:
    return f"{value:9.0f}" if value >= 1000 else f"{value:9.3f}"
