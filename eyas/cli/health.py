"""How containers are right now: their probes asked again, and units inside that failed. All of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eyas.core import paths
from eyas.core.words import Json
from eyas.host.command import CommandFailed, Result, Running, start
from eyas.status import stacks as compose

if TYPE_CHECKING:
    from eyas.remote.transport import Transport

PATIENCE = 5  # seconds for the probes of one container: it is up already, so they pass at once or not at all
PROBE = f"{paths.PROGRAMS}/probe"


class Look:
    """Questions under way; `facts` waits for the answers. ``machines`` are running containers, each with the name of
    its machine; ``probed`` are those that have probes; ``stacks`` are names of Compose stacks by container."""

    def __init__(
        self,
        way: Transport,
        machines: Mapping[str, str],
        probed: Sequence[str],
        stacks: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        def ask(*argv: str) -> Running:
            return start(way.command(list(argv)))

        self._way = way
        self._machines = machines
        self._probes = {name: ask("timeout", str(PATIENCE), PROBE, machines[name]) for name in probed}
        self._failed = {
            name: ask("systemctl", f"--machine={machine}", "list-units", "--failed", "--plain", "--no-legend", "--full")
            for name, machine in machines.items()
        }
        inside = ("--pipe", "--quiet", "--collect", "eyas-compose", "state")
        self._stacks = {
            name: {stack: ask("systemd-run", f"--machine={machines[name]}", *inside, stack) for stack in of}
            for name, of in (stacks or {}).items()
        }

    def facts(self) -> dict[str, dict[str, Json]]:
        """By container: ``probes`` as lists of (ok or failed, probe, what was seen), ``failed_units`` by name,
        ``stacks`` as they say."""
        answers = {name: _end(asked) for name, asked in self._probes.items()}
        listed = _end(start(self._way.command(["grep", "-r", "", paths.PROBES]))) if answers else None
        lines = probe_lines(listed.text if listed is not None else "")
        found: dict[str, dict[str, Json]] = {}
        for name, asked in self._failed.items():
            units = _end(asked)
            found[name] = {"failed_units": [*failed_units(units.text)] if units is not None and units.code == 0 else []}
            if name in answers:
                found[name]["probes"] = [*_probes(answers[name], lines.get(self._machines[name], []))]
            if self._stacks.get(name):
                said = {stack: _end(answer) for stack, answer in self._stacks[name].items()}
                found[name]["stacks"] = [compose.read(stack, end.text if end else "") for stack, end in said.items()]
        return found


def _end(asked: Running) -> Result | None:
    try:
        return asked.wait(timeout=PATIENCE * 4, check=False)
    except CommandFailed:  # it took too long: that tells something too
        return None


def _probes(answer: Result | None, lines: Sequence[Json]) -> Sequence[Json]:
    if answer is None or answer.code == 124:  # timeout(1): the file tells of an earlier time
        return [["failed", "probes", f"no answer within {PATIENCE} s"]]
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
