"""Changes under a steady load: requests that failed and the longest one, for each kind of change.

Clients are in the lab's internet, each request a connection of its own (`eyas.lab.load`). Beside what eyas does stands
the same without it: a plain restart of the container's unit, and Docker Compose recreating a service.
usage: changes.py [--rows NAME,...] [--seconds N] [--rate N] [--quick] [--out FILE] [--lab DIR] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import HERE, Report, clocked, run, wait_for_quiet
from benchmarks.labs import BenchLab, applied, scratch
from benchmarks.steady import PUBLIC, Target, front, under_load

NOISE = 0.05  # seconds: what may be more than without a change, on a machine that also does the change
APPLY = 300.0  # seconds: something hangs when an apply takes longer
APP, PLAIN, COMPOSE = front("app.example.org"), front("plain.example.org"), front("compose.example.org")
# Two cores have enough to do with a process of PostgreSQL for each of a hundred connections a second.
POSTGRES = Target(f"postgres://postgres@{PUBLIC}:5432/postgres", most=100)
REDIRECT = Target(f"http://{PUBLIC}/", "app.example.org")
LINES, COMPOSED = Target(f"tcp://{PUBLIC}:8007"), Target(f"http://{PUBLIC}:8088/")
KNOBS: dict[str, Any] = {
    "WITH": (),
    "ROOT": {},
    "PACKAGES": {},
    "HEALTH": {},
    "HOST_OPTION": 60,
    "MEMORY": "512M",
    "BINDS": [],
    "FORWARDS": [],
    "SITES": [],
    "SETTINGS": {},
    "HOLD": 30,
    "TURN": 0,
}


class Bench:
    """The fleet, its knobs, and the lab that runs it."""

    def __init__(self, lab: BenchLab, *, quick: bool) -> None:
        self.lab = lab
        self.quick = quick
        self.knobs = read_knobs(lab.folder)
        self.waits: list[Any] = []

    def turn(self, **values: Any) -> None:
        """Other definitions."""
        self.knobs |= values
        write_knobs(self.lab.folder, self.knobs)

    def apply(self, code: int = 0) -> dict[str, Any]:
        """What an apply did, as JSON; it has to end with ``code``."""
        argv = self.lab.eyas("apply", "--yes", "--json")
        said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=APPLY)
        if said.returncode != code:
            raise SystemExit(f"eyas apply ended with {said.returncode}, not {code}\n{said.stdout}\n{said.stderr}")
        found = dict(json.loads(said.stdout)) if said.stdout else {}
        self.waits = (found.get("outcome") or {}).get("waits", [])
        return found

    def renewed(self, name: str) -> None:
        """A container whose root is to be another one: by a package, or quicker, by another size."""
        if self.quick:
            sizes = self.knobs["ROOT"]
            self.turn(ROOT={**sizes, name: "513M" if sizes.get(name) != "513M" else "512M"})
            return
        packages = self.knobs["PACKAGES"]
        self.turn(PACKAGES={**packages, name: [] if packages.get(name) else ["tree"]})
        run([*self.lab.eyas("build")])

    def broken(self, name: str, how: str) -> None:
        """The same with a service that never gets well."""
        self.turn(HEALTH={name: how})
        self.renewed(name)

    def restarted(self, unit: str, machine: str = "") -> float:
        """Seconds that the last restart of a unit took: from the beginning of its stop until it was there again, with
        what it waits for (probes of a container), as systemd noted it."""
        where = [f"--machine={machine}"] if machine else []
        names = ["ActiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic"]
        said = self.lab.succeed("systemctl", *where, "show", "--property=" + ",".join(names), unit)
        at = dict(line.split("=", 1) for line in said.splitlines())
        return max(0.0, (int(at[names[1]]) - int(at[names[0]])) / 1e6)


def nothing(_bench: Bench) -> float:
    return 0.0


@dataclass(frozen=True)
class Row:
    """One line of the table. ``prepare`` comes before the load, ``change`` is what happens under it and gives the
    seconds of what had to restart. ``goal``: how much longer than that (or than without a change, for ``noise``) a
    request may take; None: something to compare with, which has no goal."""

    name: str
    text: str
    target: Target
    prepare: Callable[[Bench], object]
    change: Callable[[Bench], float]
    needs: tuple[str, ...]
    goal: float | None = None
    noise: bool = True
    connections: tuple[str, ...] = ()
    restore: Callable[[Bench], object] = nothing


def live(name: str, text: str, edit: Callable[[Bench], object], **more: Any) -> Row:
    """A change that nobody is to notice."""

    def change(bench: Bench) -> float:
        bench.apply()
        return 0.0

    values: dict[str, Any] = {"target": APP, "needs": ("app", "web-front"), "goal": NOISE, **more}
    return Row(name, text, prepare=edit, change=change, **values)


def restart(name: str, text: str, container: str, target: Target, goal: float, needs: tuple[str, ...]) -> Row:
    """A container whose root becomes another one."""

    def change(bench: Bench) -> float:
        bench.apply()
        return bench.restarted(f"systemd-nspawn@{container}.service")

    return Row(name, text, target, lambda bench: bench.renewed(container), change, needs, goal, noise=False)


def sick(how: str, text: str, container: str, target: Target) -> Row:
    """A new root that never gets well: undone by itself."""
    stateless = container == "plain"

    def change(bench: Bench) -> float:
        outcome = bench.apply(code=4)
        assert outcome.get("outcome", {"result": "undone"})["result"] == "undone", outcome
        return 0.0 if stateless else float(bench.knobs["HOLD"])

    def restore(bench: Bench) -> None:
        bench.turn(HEALTH={}, ROOT=before["ROOT"], PACKAGES=before["PACKAGES"])

    before: dict[str, Any] = {}

    def prepare(bench: Bench) -> None:
        before.update(bench.knobs)
        bench.broken(container, how)

    kind = "stateless" if stateless else "stateful"
    return Row(
        f"{how}-{kind}", f"{kind}, new root: {text}", target, prepare, change, (container, "web-front"),
        NOISE if stateless else 0.25, stateless, restore=restore,
    )  # fmt: skip


def unit_inside(container: str, unit: str) -> Callable[[Bench], float]:
    def change(bench: Bench) -> float:
        bench.apply()
        return bench.restarted(unit, container)

    return change


def certificate(bench: Bench) -> float:
    """As if the present one came to its end: the timer's service finds that, makes one and has it served."""
    (bench.lab.root / "srv/acme/front/current/made-for").write_text("the end of its days\n")
    run(bench.lab.eyas("exec", "web-front", "--", "systemctl", "start", "eyas-front-certs.service"))
    return 0.0


def plain_restart(container: str) -> Callable[[Bench], float]:
    unit = f"systemd-nspawn@{container}.service"

    def change(bench: Bench) -> float:
        return clocked(lambda: bench.lab.succeed("systemctl", "restart", unit))

    return change


def composed(bench: Bench) -> float:
    """Docker Compose recreates its service, as after an edit of its file."""
    return clocked(lambda: compose_up(bench))


def compose_up(bench: Bench) -> None:
    generation = f"GENERATION={time.time_ns()}"
    words = ["env", generation, "docker", "compose", "--project-directory=/srv/compose", "up", "--detach"]
    run(bench.lab.eyas("exec", "compose", "--", *words))


def image_for_compose(bench: Bench) -> None:
    """Docker's image: what its own container is made of, with the service; nothing is fetched from anywhere."""
    script = (
        "docker image inspect answer >/dev/null 2>&1 && exit 0\n"
        "install -m 0755 /srv/compose/answer /usr/local/bin/answer\n"
        "install -m 0644 /srv/compose/answer.conf /etc/answer.conf\n"
        "tar -C / -c --exclude=usr/libexec/docker --exclude=usr/bin/docker* --exclude=usr/sbin/docker* "
        "bin lib lib64 usr etc/answer.conf | docker import - answer >/dev/null"
    )
    run(bench.lab.eyas("exec", "compose", "--", "sh", "-c", script))
    compose_up(bench)
    bench.lab.succeed("sh", "-c", f"until curl -fsS http://{PUBLIC}:8088/; do sleep 0.1; done")


def add(knob: str, value: Callable[[int], Any]) -> Callable[[Bench], None]:
    """One more in a list of the definitions."""

    def edit(bench: Bench) -> None:
        have = bench.knobs[knob]
        bench.turn(**{knob: [*have, value(len(have))]})

    return edit


BOTH, DATABASE = ("app", "web-front"), ("postgres", "web-front")
TWICE, DOCKER = ("plain", "web-front"), ("compose", "web-front")
SICK = (("crash", "crash loop"), ("elsewhere", "wrong port"), ("hang", "hangs at start"))
ROWS = (
    Row("none", "no change", APP, nothing, nothing, BOTH, NOISE),
    live("host", "host option", lambda b: b.turn(HOST_OPTION=b.knobs["HOST_OPTION"] - 1)),
    live("limit", "limit", lambda b: b.turn(MEMORY="640M" if b.knobs["MEMORY"] == "512M" else "512M")),
    live("bind", "bind added", add("BINDS", lambda n: f"/srv/more{n}")),
    live("forward", "forward added", add("FORWARDS", lambda n: 9000 + n), target=LINES),
    live("site", "site added", add("SITES", lambda n: f"new{n}.example.org")),
    Row(
        "unit", "file of a part, unit restarted inside, behind the front", APP,
        lambda b: b.turn(TURN=b.knobs["TURN"] + 1), unit_inside("app", "answer.service"), BOTH, 0.1, noise=False,
    ),
    Row(
        "unit-postgres", "the same with PostgreSQL, behind a TCP forward (100/s)", POSTGRES,
        lambda b: b.turn(SETTINGS={"work_mem": "5MB" if b.knobs["SETTINGS"].get("work_mem") == "6MB" else "6MB"}),
        unit_inside("postgres", "postgresql@17-main.service"), DATABASE, 0.1, noise=False,
    ),
    restart("stateful", "stateful container restarted, behind the front", "app", APP, 0.25, BOTH),
    restart("stateful-tcp", "the same behind a TCP forward", "app", LINES, 1.2, BOTH),
    restart("postgres", "the same behind a TCP forward (PostgreSQL, 100/s)", "postgres", POSTGRES, 1.2, DATABASE),
    live("stateless", "stateless container replaced", lambda b: b.renewed("plain"), target=PLAIN, needs=TWICE),
    live("front-site", "web-front: new site, connections stay", add("SITES", lambda n: f"new{n}.example.org"),
         connections=("ws", "h3")),
    Row("front-certificate", "web-front: new certificate, connections stay", APP, nothing, certificate, BOTH, NOISE,
        connections=("ws", "h3")),
    restart("front-root", "web-front's own root replaced", "web-front", APP, 0.25, BOTH),
    restart("front-root-http", "the same, without the work of TLS", "web-front", REDIRECT, 0.25, BOTH),
    *(sick(how, text, "plain", PLAIN) for how, text in SICK),
    *(sick(how, text, "app", APP) for how, text in SICK),
    Row("plain", "beside it: systemctl restart, behind the front", APP, nothing, plain_restart("app"), BOTH),
    Row("plain-tcp", "beside it: systemctl restart (PostgreSQL, 100/s)", POSTGRES, nothing, plain_restart("postgres"),
        DATABASE),
    Row("compose", "beside it: Docker Compose, behind the front", COMPOSE, image_for_compose, composed, DOCKER),
    Row("compose-tcp", "beside it: Docker Compose, published port", COMPOSED, image_for_compose, composed, DOCKER),
)  # fmt: skip


def write_knobs(folder: Path, knobs: dict[str, Any]) -> None:
    text = "".join(f"{name} = {value!r}\n" for name, value in knobs.items())
    (folder / "knobs.py").write_text(f'"""What the benchmark turns."""\n\n{text}', encoding="utf-8")


def read_knobs(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    exec((folder / "knobs.py").read_text(encoding="utf-8"), found)
    return {name: found.get(name, value) for name, value in KNOBS.items()}


def measure(bench: Bench, row: Row, seconds: float, rate: float) -> dict[str, Any]:
    """One row: the load, the change when a fifth of it is over, and the rest of the load."""
    row.prepare(bench)
    bench.waits = []
    try:
        with under_load(bench.lab, row.target, rate, row.connections, "app.example.org") as (load, stays):
            load.wait(seconds / 5)
            began = time.monotonic()
            restart = row.change(bench)
            took = time.monotonic() - began
            load.wait(max(seconds, seconds / 5 + took + 1))
            seen = load.end()
            kept = {stay.kind: stay.end() for stay in stays}
    finally:
        row.restore(bench)
    return {**seen, "restart": round(restart, 4), "change": round(took, 4), "connections": kept, "waits": bench.waits}


def judge(report: Report, rows: Sequence[Row], noise: float) -> None:
    """Every row against its goals: nothing failed, nobody waited for longer than had to be."""
    for row in rows:
        seen = report.figures[row.name]
        if row.goal is None:
            continue
        report.goal(f"{row.text}: failed", seen["failed"], 0)
        limit = (noise if row.noise else seen["restart"]) + row.goal
        if row.name != "none":
            report.goal(f"{row.text}: longest", seen["longest"], round(limit, 3), " s")
        if row.connections:
            lost = [kind for kind, about in seen["connections"].items() if about["closed"]]
            report.goal(f"{row.text}: connections lost", len(lost), 0)


def show(row: Row, seen: dict[str, Any]) -> None:
    failed = f"{seen['failed']} of {seen['sent']}"
    print(f"  {row.text:58} {failed:>13} {seen['longest']:9.3f} {seen['restart']:9.3f} {seen['p99']:9.3f}", flush=True)
    for error, count in seen["errors"].items():
        print(f"      {count} x {error}")


def measure_all(bench: Bench, rows: Sequence[Row], seconds: float, rate: float, report: Report) -> None:
    title = f"change, under {rate:g} requests/s for {seconds:g} s"
    print(f"\n  {title:58} {'failed':>13} {'longest':>9} {'restart':>9} {'p99':>9}")
    for row in rows:
        report.figures[row.name] = measure(bench, row, seconds, rate)
        show(row, report.figures[row.name])
    judge(report, rows, report.figures.get("none", {"longest": 0.0})["longest"])


def chosen(words: str) -> list[Row]:
    names = words.split(",") if words else [row.name for row in ROWS]
    unknown = set(names) - {row.name for row in ROWS}
    if unknown:
        raise SystemExit(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if row.name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="", help="names of rows, with commas; all when not given")
    parser.add_argument("--seconds", type=float, default=20, help="of load for each row")
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--quick", action="store_true", help="new roots by another size, not by packages")
    parser.add_argument("--out", type=Path, help="also write the figures there")
    parser.add_argument("--lab", type=Path, help="a copy of the fleet whose lab is up and applied; it is edited")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    rows = chosen(given.rows)
    with scratch() as folder:
        place = given.lab.resolve() if given.lab else folder / "changes"
        if not given.lab:
            shutil.copytree(HERE / "fleets/changes", place)
            write_knobs(place, {**KNOBS, "WITH": tuple(sorted({name for row in rows for name in row.needs}))})
        with nullcontext(BenchLab(place)) if given.lab else applied(place) as lab:
            wait_for_quiet(given.wait)
            report = Report("changes", "Changes under a steady load")
            measure_all(Bench(lab, quick=given.quick), rows, given.seconds, given.rate, report)
            if given.out:
                given.out.write_text(json.dumps({"figures": report.figures, "goals": report.goals}, indent=1))
            else:
                report.write()


if __name__ == "__main__":
    main()
