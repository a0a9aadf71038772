"""What `eyas status` warns of besides drift: the cheap cross-checks, from what was kept of the definitions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from eyas.cli import cached
from eyas.cli.crossing import flags
from eyas.cli.session import Session
from eyas.status.declared import Declared
from eyas.status.ports import Seen, cross, led_inside

MOST = 5  # lines


def warnings(session: Session, running: Iterable[str]) -> list[str]:
    """A line for each; nothing, where nothing was kept."""
    kept = cached.load_declared(session.fleet, session.host)
    if kept is None:
        return []
    try:
        declared = Declared.from_json(kept)
    except (KeyError, TypeError, ValueError):  # of another version
        return []
    alive = [name for name in running if name in declared.home]
    return [*_ports(session, declared, alive), *_maintenance(session, declared, alive)]


def _ports(session: Session, declared: Declared, alive: list[str]) -> list[str]:
    answer = cast("dict[str, Any]", session.connect().request("sockets", names=[*alive]))
    firewall = session.observed().resources.get("firewall:eyas")
    seen = Seen.of(answer, closed=firewall is not None and "type filter hook input" in str(firewall.fields))
    docker = {home.name for home in declared.homes if home.docker}
    # Where only a connection would tell, the benefit of the doubt is given.
    quiet = {pair for pair in led_inside(declared, seen) if not _led(declared, *pair)}
    lucky = {(way.container, way.to) for way in declared.forwards if way.container in docker}
    found = cross(declared, replace(seen, silent=frozenset(quiet), answering=frozenset(lucky))).findings
    lines = [finding.message for finding in found]
    return lines if len(lines) <= MOST else [*lines[:MOST], f"{len(lines) - MOST} more about ports: eyas ports"]


def _led(declared: Declared, container: str, port: int) -> bool:
    return any((way.proto, way.container, way.to) == ("tcp", container, port) for way in declared.forwards)


def _maintenance(session: Session, declared: Declared, alive: list[str]) -> list[str]:
    return [
        f"{flag.removeprefix('@')} is under maintenance (eyas maintenance off {flag.removeprefix('@')})"
        for front in declared.fronts
        if front in alive
        for flag in flags(session, front)
    ]
