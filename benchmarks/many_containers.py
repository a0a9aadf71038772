"""No-op apply of 10, 30 and 100 containers: what it costs is to grow with their number, and not faster.

Against recorded facts: the command, its evaluation, the talk and the plan are the real ones; the host's end answers
with a recording (that everything is as it should be). With --boot the containers really run in a lab, and the real
agent looks at them. usage: many_containers.py [--repeats N] [--boot] [--wait SECONDS]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import EYAS, HERE, Report, cost, in_turns, run, wait_for_quiet
from benchmarks.labs import applied, scratch, write_fleet
from eyas.cli import cached
from eyas.core.words import Json, Resource
from eyas.host.command import environment
from eyas.remote import bundle, early, protocol

COUNTS = (10, 30, 100)
GOAL = 1.0
RUNNING: dict[str, Json] = {
    "active": "active",
    "sub": "running",
    "result": "success",
    "since": 0.0,
    "memory": -1,
    "pid": 1,
}


def seen(wanted: Resource) -> Resource:
    """A resource as an observation gives it when the host holds what is wanted."""
    fields: dict[str, Json] = dict(wanted.fields)
    if wanted.kind == "container":
        fields["state"] = {**RUNNING, "invocation": "0" * 32}
    if wanted.kind == "layer":
        fields = {"digest": fields["digest"]}
    return Resource(wanted.id, wanted.kind, wanted.owner, fields)


def record(folder: Path, count: int) -> None:
    """A fleet for this machine, evaluated; and a note that starts a recording where the agent would be."""
    host = os.uname().nodename
    write_fleet(folder, count, host=host)
    run([EYAS, "-C", str(folder), "build"])
    from eyas.cli.evaluate import evaluate, read

    wanted = evaluate(read(str(folder)), host)
    assert cached.load(str(folder), host) is not None
    found: list[Json] = [seen(each).to_json() for each in wanted.resources.values()]
    answer: dict[str, Json] = {"resources": found, "interrupted": None}
    facts = folder / "facts.frame"
    facts.write_bytes(protocol.frame({"result": answer}))
    replay = ["/usr/bin/python3", "-I", "-S", "-B", str(HERE / "replay.py"), str(facts)]
    ask = protocol.frame({"v": protocol.VERSION, "do": "observe"})
    note = f"{folder}/.eyas/cache/agent-{host}"
    early.note(note, replay, environment(), ask, bundle.folders(), [str(facts)], [])
    started = early.begin(note)
    assert started is not None, "the recording is not used; the real agent would look at this machine"
    started.kill()


def quick(folder: Path, *lab: str) -> Callable[[], float]:
    argv = [EYAS, "-C", str(folder), *lab, "apply"]
    said = run(argv)
    assert "no changes" in said, said
    return lambda: cost(argv).wall


def judge(report: Report, medians: dict[str, float], names: list[str]) -> None:
    ten, thirty, hundred = (medians[name] for name in names)
    first, then = (thirty - ten) / 20, (hundred - thirty) / 70
    report.say(f"each container more: {first * 1000:.2f} ms from 10 to 30, {then * 1000:.2f} ms from 30 to 100")
    report.goal(f"{names[2]}", hundred, GOAL, " s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--boot", action="store_true", help="run them in labs, too")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a low load")
    given = parser.parse_args()
    with scratch() as folder:
        for count in COUNTS:
            record(folder / f"recorded-{count}", count)
        wait_for_quiet(given.wait)
        report = Report("many_containers", "No-op apply of many containers")
        cases = {f"{count} containers, recorded facts": quick(folder / f"recorded-{count}") for count in COUNTS}
        judge(report, report.table("recorded", in_turns(cases, given.repeats)), list(cases))
        if given.boot:
            rows: dict[str, list[float]] = {}
            for count in COUNTS:
                name = f"{count} containers that run"
                write_fleet(folder / f"lab-{count}", count)
                with applied(folder / f"lab-{count}"):
                    wait_for_quiet(given.wait)
                    rows |= in_turns({name: quick(folder / f"lab-{count}", "--lab")}, given.repeats)
            judge(report, report.table("running", rows), list(rows))
        report.write()


if __name__ == "__main__":
    main()
