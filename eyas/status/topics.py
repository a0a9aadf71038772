"""Questions that belong together, with who asks them, and what their answers mean. Pure: nothing is asked here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eyas.core.words import Json
from eyas.status.findings import Finding

HOST = "host"
OUTSIDE = "outside"
Answer: TypeAlias = Mapping[str, Any]
Answers: TypeAlias = Mapping[str, Answer]
PATIENCE = 5  # seconds for one question


@dataclass(frozen=True)
class Ask:
    """One question (`eyas.host.asking`), asked from a container, the host or outside."""

    place: str
    question: Mapping[str, Json]


@dataclass(frozen=True)
class Topic:
    """One thing to be sure of. ``judge`` gets the answers by the names of their questions; those that nobody asked
    (because only some places are wanted) are missing."""

    kind: str
    about: str
    asks: Mapping[str, Ask]
    judge: Callable[[Answers], Iterable[Finding]] = field(compare=False)

    def part(self, wanted: Callable[[str], bool]) -> Topic:
        """The same with the questions of some places."""
        left = {name: ask for name, ask in self.asks.items() if wanted(ask.place)}
        return Topic(self.kind, self.about, left, self.judge)


def connect(place: str, port: int, *, address: str = "", name: str = "", timeout: float = PATIENCE) -> Ask:
    where: dict[str, Json] = {"address": address} if address else {"name": name}
    return Ask(place, {"do": "connect", "port": port, "timeout": timeout, **where})


def http(
    place: str,
    name: str,
    port: int,
    *,
    tls: bool,
    address: str = "",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    timeout: float = 2 * PATIENCE,
) -> Ask:
    question: dict[str, Json] = {
        "do": "http", "name": name, "port": port, "tls": tls, "path": path, "timeout": timeout,
        "headers": {**(headers or {})},
    }  # fmt: skip
    return Ask(place, {**question, **({"address": address} if address else {})})


def collected(topics: Sequence[Topic]) -> tuple[dict[str, list[Mapping[str, Json]]], list[list[tuple[str, str, int]]]]:
    """The questions by place, each once; and for each topic where its answers will be: name, place, number."""
    places: dict[str, list[Mapping[str, Json]]] = {}
    numbers: dict[tuple[str, str], int] = {}
    where: list[list[tuple[str, str, int]]] = []
    for topic in topics:
        row = []
        for name, ask in topic.asks.items():
            key = ask.place, repr(sorted(ask.question.items()))
            rows = places.setdefault(ask.place, [])
            if key not in numbers:
                numbers[key] = len(rows)
                rows.append(ask.question)
            row.append((name, ask.place, numbers[key]))
        where.append(row)
    return places, where


def judged(topics: Sequence[Topic], answers: Sequence[Answers]) -> list[Finding]:
    """What the answers to each mean; nothing, where nobody was asked."""
    return [
        finding for topic, got in zip(topics, answers, strict=True) if got for finding in topic.judge(got)
    ]  # fmt: skip
