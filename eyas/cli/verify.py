"""`eyas verify`: everything that is declared, asked from where it matters; each finding with a remedy."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from eyas.cli import cached
from eyas.cli.context import Context
from eyas.cli.crossing import Crossing
from eyas.cli.session import Session
from eyas.core.errors import UsageError
from eyas.core.events import Event
from eyas.core.words import Json
from eyas.status.topics import HOST, OUTSIDE

if TYPE_CHECKING:
    from eyas.status.verify import Verified

WRONG = 1
INSIDE = "inside"


def run(context: Context, *, place: str | None = None, json: bool = False) -> int:
    """Ask and show; 1 when something is wrong."""
    began = time.monotonic()
    with Session(context) as session:
        made = verified(session, place)
        session.listener.close()
    made = replace(made, seconds=time.monotonic() - began)
    if json:
        context.write_json(made.to_json())
    else:
        from eyas.cli.view.verify import verify_text

        context.write(verify_text(made, context.width(), context.paint()))
    return 0 if made.well else WRONG


def verified(session: Session, place: str | None = None) -> Verified:
    """All of it: one observation, then two rounds of questions from all places at once."""
    from eyas.cli.health import Look
    from eyas.status import led, ports, visitors
    from eyas.status import verify as everything
    from eyas.status.findings import distinct
    from eyas.status.topics import judged

    crossing = Crossing(session, _wanted(session, place))
    host, declared, running = crossing.host, crossing.declared, crossing.running
    session.listener(Event("verify", host.name, "asking probes, ports, names and sites"))
    homes = [home for home in declared.homes if crossing.wanted(home.name)]
    look = Look(
        session.connect().transport,
        {home.name: running[home.name] for home in homes if home.name in running},
        {name: own for name, own in _probed(session).items() if name in running and crossing.wanted(name)},
    )
    seen, flags = crossing.seen(), crossing.flags()
    topics = everything.topics(host, declared, [*running], flags, time.time())
    visits = visitors.visits(host, declared, running, secrets.token_hex(6))
    visiting = visitors.asked(visits, declared)
    scanning = [everything.scans(declared, seen)] if session.context.lab else []
    before = crossing.contacts()
    answers = crossing.ask([*topics, *visiting, *scanning])
    own = [int(answer.get("from_port") or 0) for got in answers for answer in got.values()]
    contacts = led.fresh(before, crossing.contacts(), own)
    came, went = answers[: len(topics)], answers[len(topics) : len(topics) + len(visits)]
    opened = everything.open_ports(answers[-1]) if scanning else None
    tracing = [*led.upstreams(declared, topics, came, flags), *visitors.traces(visits, declared, went)]
    traces = crossing.ask(tracing)
    answered = [topic.about for topic, got in zip(topics, came, strict=True) if topic.kind == "site" and got]
    whole = (*ports.cross(declared, replace(seen, outside=opened)).findings, *led.typed(declared))
    findings = distinct(
        [
            *everything.health(homes, running, look.facts(session.listener)),
            *(whole if place is None else ()),
            *led.astray(declared, contacts, answered),
            *judged(tracing, traces),
            *judged(topics, came),
        ]
    )
    differs = _differences(session)
    return everything.Verified(host.name, findings, crossing.counts, len(running), crossing.outside, differs)


def _wanted(session: Session, place: str | None) -> Callable[[str], bool]:
    """Which places may ask. UsageError for one that is not there."""
    if place is None:
        return lambda _place: True
    if place == INSIDE:
        return lambda other: other not in (HOST, OUTSIDE)
    names = [container.name for host in session.definitions.fleet.hosts for container in host.containers]
    if place not in (HOST, OUTSIDE, *names):
        known = ", ".join((INSIDE, HOST, OUTSIDE, *names))
        raise UsageError(f"cannot ask from {place}: there is no such place", f"there are: {known}")
    return lambda other: other == place


def _probed(session: Session) -> dict[str, Json]:
    containers = (r for r in session.observed().resources.values() if r.kind == "container")
    return {container.name: own for container in containers if (own := container.fields.get("probes"))}


def _differences(session: Session) -> int:
    """How many changes a plan would have, by what was kept of the definitions; 0 where nothing was kept."""
    kept = cached.load(session.fleet, session.host)
    if kept is None:
        return 0
    from eyas.plan import plan

    return len(plan(kept.resources, session.observed().resources, session.host).changes)
