"""Everything that is asked of a fleet, in two rounds, and what the answers mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eyas.core.words import Json
from eyas.model import Host
from eyas.status import checks, sites
from eyas.status.declared import Declared, Home
from eyas.status.findings import Finding
from eyas.status.ports import Seen
from eyas.status.report import failing_of
from eyas.status.topics import OUTSIDE, Answers, Ask, Topic

VERSION = 1
LOW = 1024  # ports below are all asked for from outside, of others those that somebody listens on
SCAN = 1.5  # seconds that a port has to answer


@dataclass(frozen=True)
class Verified:
    """``asked`` counts questions by kind of place (inside, host, outside), ``probes`` what was asked besides;
    ``outside`` says in words who the world was; ``seconds`` is how long it took."""

    host: str
    findings: tuple[Finding, ...]
    asked: Mapping[str, int] = field(default_factory=dict)
    containers: int = 0
    outside: str = ""
    differs: int = 0
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether nothing is wrong; warnings are allowed."""
        return all(finding.severity != "error" for finding in self.findings)

    def to_json(self) -> dict[str, Json]:
        return {
            "version": VERSION,
            "host": self.host,
            "well": self.well,
            "findings": [finding.to_json() for finding in self.findings],
            "asked": {**self.asked},
            "containers": self.containers,
            "outside": self.outside,
            "differs": self.differs,
            "seconds": round(self.seconds, 2),
        }


def topics(
    host: Host, declared: Declared, running: Sequence[str], flags: Mapping[str, Sequence[str]], now: float
) -> list[Topic]:
    """The first round, but for visits (`eyas.status.visitors`)."""
    alive = {front for front in declared.fronts if front in running}
    reached = [topic for topic in sites.topics(declared, flags, now) if _front(declared, topic.about) in alive]
    ways = [topic for topic in checks.ways(declared) if topic.about == "host" or topic.about in running]
    return [
        *reached,
        *ways,
        *checks.checks(host, declared, running),
        *checks.uses(declared, running),
        *checks.names(declared, running),
    ]


def _front(declared: Declared, name: str) -> str:
    return next((site.front for site in declared.sites if site.name == name), "")


def scans(declared: Declared, seen: Seen) -> Topic:
    """Which ports of the host answer the world: all low ones, and wherever somebody listens, or should."""
    ports = {*range(1, LOW), *(way.port for way in declared.ways if way.proto == "tcp")}
    for found in (seen.host, *seen.containers.values()):
        ports |= {port for proto, port in found if proto == "tcp"}
    wanted: list[Json] = [*sorted(ports)]
    asks = {
        address: Ask(OUTSIDE, {"do": "scan", "address": address, "ports": wanted, "timeout": SCAN})
        for address in declared.public
    }
    return Topic("scan", "host", asks, lambda _: ())


def health(homes: Iterable[Home], running: Iterable[str], facts: Mapping[str, Mapping[str, Json]]) -> Iterator[Finding]:
    """Containers that do not run, or are not well by their own probes."""
    alive = set(running)
    for home in homes:
        if home.name not in alive:
            yield Finding(
                "container", home.name, f"{home.name} does not run",
                f"eyas apply starts it; eyas logs {home.name} tells why it stopped", home.origin,
            )  # fmt: skip
        for text in failing_of(facts.get(home.name, {})):
            yield Finding(
                "probe", home.name, f"{home.name} is not well: {text}", f"eyas logs {home.name}", home.origin
            )  # fmt: skip


def open_ports(found: Answers) -> frozenset[int] | None:
    """What the scans saw, None when nobody asked."""
    rows = [answer["open"] for answer in found.values() if answer.get("ok")]
    return frozenset(port for row in rows for port in row) if rows else None
