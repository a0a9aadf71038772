"""`eyas status`: how the host and its containers are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from eyas.cli.context import Context
from eyas.cli.session import Session
from eyas.core.errors import UsageError
from eyas.core.words import Json, Resource

if TYPE_CHECKING:
    from eyas.remote.transport import Connection
    from eyas.status import Report

DIFFERENCES = 3


def run(context: Context, *, names: tuple[str, ...] = (), json: bool = False, exit_code: bool = False) -> int:
    """Show the report; 3 when there is drift and that was asked for."""
    with Session(context) as session:
        report = made(session)
        session.listener.close()
    report = only(report, names)
    if json:
        context.write_json(report.to_json())
    else:
        from eyas.cli.view.status import status_text

        context.write(status_text(report, context.width(), context.paint()))
    return DIFFERENCES if exit_code and report.differs else 0


def made(session: Session) -> Report:
    """The report of the session's host: one observation, then all questions to the containers at once."""
    from eyas.cli.health import Look
    from eyas.kind.slots import machine
    from eyas.plan import plan
    from eyas.status import report
    from eyas.status import stacks as compose

    wanted = session.wanted()
    actual = session.observed().resources
    running = {r.name: r for r in actual.values() if r.kind == "container" and _runs(r)}
    machines = {name: machine(name, str(resource.fields.get("slot") or "a")) for name, resource in running.items()}
    probed = {name: probes for name, resource in running.items() if (probes := resource.fields.get("probes"))}
    connection = session.connect()
    stacks = {name: own for name, resource in running.items() if (own := compose.declared(resource.fields))}
    look = Look(connection.transport, machines, probed, stacks)
    changes = plan(wanted.resources, actual, session.host).changes
    runs = connection.history(1)
    unknown = {machines[name]: name for name, resource in running.items() if not _accounted(resource)}
    counted = {unknown[held]: size for held, size in connection.memory(list(unknown)).items()}
    effect = connection.limits([*running]) if running else {}
    facts: dict[str, Mapping[str, Json]] = {
        name: {
            **found,
            "os": wanted.systems.get(name, ""),
            **({"memory": counted[name]} if name in counted else {}),
            **({"effect": effect[name]} if name in effect else {}),
        }
        for name, found in look.facts(session.listener).items()
    }
    made = report(session.host, wanted.resources, actual, changes, facts, runs, time.time(), session.observed().pending)
    found = (*_certificates(connection, actual), *_egress(connection, actual), *_ports(session, machines))
    return replace(made, warnings=(*made.warnings, *found))


def _certificates(connection: Connection, actual: Mapping[str, Resource]) -> list[str]:
    """What is to be said of certificates; a host without any is not asked."""
    if not any(resource.kind == "certificate" for resource in actual.values()):
        return []
    from eyas.status.certificates import warnings

    return warnings(connection.certificates()["certificates"], time.time())


def _egress(connection: Connection, actual: Mapping[str, Resource]) -> list[str]:
    """What is to be said of outgoing connections; a host without egress is not asked."""
    if "egress:eyas" not in actual:
        return []
    from eyas.status.egress import warnings

    return warnings(connection.egress(), time.time())


def _ports(session: Session, running: Mapping[str, str]) -> list[str]:
    """What does not fit between ports that are declared and who listens, and what is under maintenance: as far as one
    look tells, and nobody has to be asked."""
    from eyas.cli.warned import warnings

    return warnings(session, running)


def _runs(resource: Resource) -> bool:
    state = resource.fields.get("state")
    return isinstance(state, dict) and state.get("active") in ("active", "reloading")


def _accounted(resource: Resource) -> bool:
    """Whether systemd knows what the container holds in memory."""
    state = resource.fields.get("state")
    return isinstance(state, dict) and isinstance(memory := state.get("memory"), int) and memory >= 0


def only(report: Report, names: Sequence[str]) -> Report:
    """The report of these containers alone; UsageError for one that is not there."""
    if not names:
        return report
    known = [row.name for row in report.rows]
    for name in names:
        if name not in known:
            raise UsageError(f"cannot show {name}: no container has this name", f"there are: {', '.join(known)}")
    return replace(report, rows=tuple(row for row in report.rows if row.name in names), drift=(), pending=())
