"""How containers are right now: their probes asked again, and units inside that failed. All of them at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from eyas.core import paths
from eyas.core.events import Event, Listener
from eyas.core.words import Json
from eyas.host.command import CommandFailed, Result, Running, start
from eyas.status import stacks as compose

if TYPE_CHECKING:
    from eyas.remote.transport import Transport

PATIENCE = 5  # seconds in which the probes of one container are tried again: it is up already
LONGEST = {"command": 60, "http": 10}
"""Seconds that one try may take (the probe script's own limits). On a busy machine a self-test is slow, and well."""
ANSWER = 60  # seconds for whatever else is asked, at the same time
FELT = 2  # seconds after which people want to know who makes them wait
PROBE = f"{paths.PROGRAMS}/probe"


class Look:
    """Questions under way; `facts` waits for the answers. ``machines`` are running containers, each with the name of
    its machine; ``probed`` the probes of those that have some; ``stacks`` names of Compose stacks by container."""

    def __init__(
        self,
        way: Transport,
        machines: Mapping[str, str],
        probed: Mapping[str, Json],
        stacks: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        def ask(*argv: str) -> Running:
            return start(way.command(list(argv)))

        self._way = way
        self._machines = machines
        self._limits = {name: limit(probes) for name, probes in probed.items()}
        self._probes = {
            name: ask("timeout", str(limit), PROBE, machines[name], str(PATIENCE))
            for name, limit in self._limits.items()
        }
        self._failed = {
            name: ask("systemctl", f"--machine={machine}", "list-units", "--failed", "--plain", "--no-legend", "--full")
            for name, machine in machines.items()
        }
        inside = ("--pipe", "--quiet", "--collect", "eyas-compose", "state")
        self._stacks = {
            name: {stack: ask("systemd-run", f"--machine={machines[name]}", *inside, stack) for stack in of}
            for name, of in (stacks or {}).items()
        }

    def facts(self, listener: Listener) -> dict[str, dict[str, Json]]:
        """By container: ``probes`` as lists of (ok or failed, probe, what was seen), ``failed_units`` by name,
        ``stacks`` as they say. The listener hears who makes us wait."""
        for name, what, most in self._slow():
            listener(Event("health", name, f"{what} long: {most} s at most"))
        answers = {name: _end(asked, self._limits[name] + ANSWER) for name, asked in self._probes.items()}
        listed = _end(start(self._way.command(["grep", "-r", "", paths.PROBES]))) if answers else None
        lines = probe_lines(listed.text if listed is not None else "")
        found: dict[str, dict[str, Json]] = {}
        for name, asked in self._failed.items():
            units = _end(asked)
            found[name] = {"failed_units": [*failed_units(units.text)] if units is not None and units.code == 0 else []}
            if name in answers:
                seen = lines.get(self._machines[name], [])
                found[name]["probes"] = [*_probes(answers[name], seen, self._limits[name])]
            if self._stacks.get(name):
                said = {stack: _end(answer) for stack, answer in self._stacks[name].items()}
                found[name]["stacks"] = [compose.read(stack, end.text if end else "") for stack, end in said.items()]
        return found

    def _slow(self) -> Sequence[tuple[str, str, int]]:
        """Who has not answered when a wait is felt, what makes us wait, and for how many seconds at most."""
        end = time.monotonic() + FELT
        while (slow := [*self._under_way()]) and time.monotonic() < end:
            time.sleep(0.005)
        return slow

    def _under_way(self) -> Iterator[tuple[str, str, int]]:
        for name, asked in self._failed.items():
            if name in self._probes and self._probes[name].runs():
                yield name, "its probes take", self._limits[name]
            elif asked.runs() or any(stack.runs() for stack in self._stacks.get(name, {}).values()):
                yield name, "to answer it takes", ANSWER


def limit(probes: Json) -> int:
    """Seconds after which nothing more is expected of the probes of a container."""
    rows = probes if isinstance(probes, list) else []
    return PATIENCE + sum(LONGEST.get(str(row.get("type")), 0) for row in rows if isinstance(row, dict))


def _end(asked: Running, seconds: int = ANSWER) -> Result | None:
    try:
        return asked.wait(timeout=seconds, check=False)
    except CommandFailed:  # it took too long: that tells something too
        return None


def _probes(answer: Result | None, lines: Sequence[Json], seconds: int) -> Sequence[Json]:
    if answer is None or answer.code == 124:  # timeout(1): the file tells of an earlier time
        return [["failed", "probes", f"no answer within {seconds} s"]]
    if lines or answer.code == 0:
        return lines
    last = answer.error.splitlines()[-1:]
    return [["failed", "probes", last[0] if last else f"exit status {answer.code}"]]


def probe_lines(listing: str) -> Mapping[str, list[Json]]:
    """What the probe script left in /run/eyas/probes, as ``grep -r`` shows it: PATH:state, probe and what was seen with
    tabs between."""
    found: dict[str, list[Json]] = {}
    for line in listing.splitlines():
        path, _, words = line.partition(":")
        row: list[Json] = [*words.split("\t")]
        found.setdefault(path.rpartition("/")[2], []).append(row[:3])
    return found


def failed_units(listing: str) -> list[str]:
    """Names of the units that systemctl(1) lists as failed."""
    return [line.split()[0] for line in listing.splitlines() if line.split()]
