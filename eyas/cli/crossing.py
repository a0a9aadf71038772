"""What `ports`, `sites` and `verify` share: the definitions as one flat value, what the host shows, and asking from
every place at once.

Places are containers, the host, and a client outside. In a lab that is its internet; elsewhere nobody outside is at
hand, and the host asks by the public addresses in its stead, which it says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from eyas.cli.context import Context
from eyas.cli.session import Session, lab
from eyas.core.errors import Failed
from eyas.core.events import Event
from eyas.core.words import Json
from eyas.status.declared import Declared, declared
from eyas.status.led import Contact
from eyas.status.ports import Seen, led_inside, unseen
from eyas.status.topics import HOST, OUTSIDE, Answer, Answers, Topic, collected

if TYPE_CHECKING:
    from eyas.host.command import Running
    from eyas.model import Host
    from eyas.remote.transport import Connection

FLAGS = "/run/eyas-front/maintenance"
SECONDS = 30.0  # for all questions of one round
SPARE = 15.0
BY_REFLECTION = "the public addresses, asked from the host: no client outside is at hand"
RUNNING = ("active", "reloading")


class Crossing:
    """One command's look at a host from all sides. ``wanted`` says which places may ask."""

    def __init__(self, session: Session, wanted: Callable[[str], bool] = lambda _place: True) -> None:
        self.session = session
        self.wanted = wanted
        self.counts: dict[str, int] = {}

    @cached_property
    def host(self) -> Host:
        host = self.session.definitions.fleet.host(self.session.host)
        if host is None:
            raise Failed(f"cannot find the host {self.session.host} in the definitions")
        return host

    @cached_property
    def declared(self) -> Declared:
        return declared(self.host)

    @cached_property
    def running(self) -> dict[str, str]:
        """Declared containers that run, each with the machine that it is right now."""
        from eyas.kind.slots import machine

        found = {}
        for resource in self.session.observed().resources.values():
            if resource.kind == "container" and resource.name in self.declared.home:
                state = resource.fields.get("state")
                if isinstance(state, dict) and state.get("active") in RUNNING:
                    found[resource.name] = machine(resource.name, str(resource.fields.get("slot") or "a"))
        return found

    @property
    def talk(self) -> Connection:
        """The talk with the host, when what it was asked first is answered."""
        self.session.observed()
        return self.session.connect()

    @property
    def outside(self) -> str:
        """Who asks for what is asked from outside, in words."""
        return "a client in the lab's internet" if self.session.context.lab else BY_REFLECTION

    def seen(self, **more: Any) -> Seen:
        """Who listens where; ports of forwards that nobody seems to listen on are asked."""
        talk = self.talk
        answer = cast("dict[str, Any]", talk.request("sockets", names=[*self.running]))
        seen = Seen.of(answer, closed=self._closed(), **more)
        doubtful = [pair for pair in unseen(self.declared, seen) if self.declared.home[pair[0]].docker]
        doubtful += led_inside(self.declared, seen)
        if not doubtful:
            return seen
        questions: list[Json] = [
            {"do": "connect", "address": self.declared.home[name].address4, "port": port, "timeout": 2}
            for name, port in doubtful
        ]
        answers = cast("dict[str, list[Answer]]", talk.request("ask", places={HOST: questions}, seconds=10))[HOST]
        said = [*zip(doubtful, answers, strict=True)]
        return replace(
            seen,
            answering=frozenset(pair for pair, answer in said if answer["ok"]),
            silent=frozenset(pair for pair, answer in said if not answer["ok"]),
        )

    def _closed(self) -> bool:
        """Whether the host's rules refuse what nobody opened."""
        firewall = self.session.observed().resources.get("firewall:eyas")
        return firewall is not None and "type filter hook input" in str(firewall.fields.get("ruleset"))

    def flags(self) -> dict[str, list[str]]:
        """Maintenance that is switched on, by front."""
        found = {}
        for front in self.declared.fronts:
            if front in self.running:
                found[front] = flags(self.session, front)
        return found

    def ask(self, topics: Sequence[Topic]) -> list[Answers]:
        """Ask what these are about, all places at once; the answers of each, none where nobody may ask for it."""
        kept = [topic.part(self.wanted) for topic in topics]
        places, where = collected(kept)
        for place, rows in places.items():
            kind = place if place in (HOST, OUTSIDE) else "inside"
            self.counts[kind] = self.counts.get(kind, 0) + len(rows)
        answers = self._asked(places)
        return [{name: answers[place][number] for name, place, number in row} for row in where]

    def _asked(self, places: Mapping[str, Sequence[Mapping[str, Json]]]) -> dict[str, list[Answer]]:
        sent = {place: [dict(row) for row in rows] for place, rows in places.items() if place != OUTSIDE}
        beyond = [dict(row) for row in places.get(OUTSIDE, ())]
        client = None
        if beyond and self.session.context.lab:
            client = start_outside(self.session.context, beyond)
        own = len(sent.get(HOST, ()))
        if beyond and client is None:
            sent[HOST] = [*sent.get(HOST, ()), *beyond]
        answers: dict[str, list[Answer]] = {}
        if sent:
            asked = self.talk.request("ask", self.session.listener, places=cast("Json", sent), seconds=SECONDS)
            answers = cast("dict[str, list[Answer]]", asked)
        if client is not None:
            answers[OUTSIDE] = end_outside(client)
            self.session.listener(Event("verify", OUTSIDE, f"{len(beyond)} questions answered"))
        elif beyond:
            answers[OUTSIDE] = answers[HOST][own:]
        return answers

    def contacts(self) -> dict[str, set[Contact]]:
        """Whom each front has asked over TCP of late."""
        found = {}
        for front in self.declared.fronts:
            if front in self.running:
                home = self.declared.home[front]
                addresses: list[Json] = [address for address in (home.address4, home.address6) if address]
                rows = cast("list[list[Any]]", self.talk.request("asked", addresses=addresses))
                found[front] = {(int(own), str(address), int(port)) for own, address, port in rows}
        return found


def flags(session: Session, front: str, on: Sequence[str] = (), off: Sequence[str] = ()) -> list[str]:
    """The flags of maintenance in a front, after these were put up and taken down."""
    session.observed()  # its answer comes before ours
    answer = session.connect().request("maintenance", name=front, folder=FLAGS, on=[*on], off=[*off])
    return cast("list[str]", answer)


def start_outside(context: Context, questions: Sequence[Mapping[str, Json]]) -> Running:
    """Let a client in the lab's internet ask."""
    from eyas.host import asking
    from eyas.host.command import start
    from eyas.lab.lab import INTERNET

    argv = lab(context.fleet()).command(INTERNET, [sys.executable, "-I", "-S", "-B", asking.__file__])
    return start(argv, input=json.dumps({"questions": [*questions], "seconds": SECONDS}))


def end_outside(client: Running) -> list[Answer]:
    answers: list[Answer] = json.loads(client.wait(timeout=SECONDS + SPARE).text)
    return answers
