"""Outgoing connections of the world in memory: a table that is text, neighbours that are a set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from eyas.core.egress import Loaded, Translated
from eyas.core.errors import Failed
from eyas.kind.egress.text import mark_of
from tests.world_files import Fuse


class WorldEgress:
    def __init__(self, fuse: Fuse) -> None:
        self.fuse = fuse
        self.text = ""
        self.addresses = {"2001:db8:5:1::2", "203.0.113.112"}
        self.proxied: set[str] = set()
        self.sets: dict[str, dict[tuple[str, str], int]] = {}
        self.open: dict[str, int] = {}
        self.made: list[Translated] = []
        self.mode = ("routed", "a neighbour said so")
        self.names: dict[str, dict[str, float]] = {}
        self.deaf: set[tuple[str, int]] = set()
        self.deafening = False  # whatever is loaded next, nobody answers after it
        self.otherwise = False  # a set there is of another kind
        self.leaving = False  # whatever is loaded next, the vantage point fails after it
        self.away = False  # the vantage point fails
        self.told: list[tuple[str, str]] = []

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield

    def loaded(self) -> Loaded:
        if not self.text:
            return Loaded((), {}, "")
        chains = tuple(re.findall(r"^\tchain (\S+) \{", self.text, re.MULTILINE))
        objects = {name: kind for kind, name in re.findall(r"^\t(set|map|limit) (\S+) \{", self.text, re.MULTILINE)}
        return Loaded(chains, objects, hashlib.sha256(self.text.encode()).hexdigest())

    def load(self, transaction: str) -> None:
        self.fuse.act()
        if self.otherwise and not transaction.startswith("table inet eyas_egress\ndelete table"):
            raise Failed("cannot load the rules of outgoing connections: File exists")
        if "syntax error" in transaction:
            raise Failed("cannot load the rules of outgoing connections: syntax error")
        now = self.loaded()
        for kind, name in re.findall(r"^delete (chain|set|limit) inet eyas_egress (\S+)$", transaction, re.MULTILINE):
            known = now.chains if kind == "chain" else now.objects
            if name not in known:
                raise Failed(f"cannot load the rules of outgoing connections: no {kind} {name}")
        self.text = transaction[transaction.rindex("table inet eyas_egress {") :]
        if self.deafening:
            self.deaf = {("203.0.113.112", 80)}
        self.away = self.away or self.leaving

    def remove(self) -> None:
        self.fuse.act()
        self.text = ""

    def counted(self, name: str) -> dict[tuple[str, str], int]:
        """Tests say addresses; the kernel counts connections by their marks."""
        found = self.sets.get(name, {})
        return {(str(mark_of(a)), place): n for (a, place), n in found.items()} if name == "used" else dict(found)

    def own(self) -> set[str]:
        return set(self.addresses)

    def answering(self, uplink: str) -> set[str]:
        assert uplink
        return set(self.proxied)

    def answer(self, uplink: str, more: Collection[str], less: Collection[str]) -> None:
        assert uplink
        self.fuse.act()
        self.proxied = (self.proxied | set(more)) - set(less)

    def connections(self, addresses: Collection[str]) -> dict[str, int]:
        return {address: self.open[address] for address in addresses if address in self.open}

    def translated(self, sources: Collection[str]) -> list[Translated]:
        return sorted((each for each in self.made if each.source in sources), key=lambda each: each.idle)

    def find(self, uplink: str, address: str, targets: Sequence[str]) -> tuple[str, str]:
        assert uplink
        assert address not in self.addresses
        return self.mode if targets else ("unknown", "nobody to ask")

    def resolve(self, server: str, names: Collection[str]) -> dict[str, dict[str, float]]:
        assert server
        return {name: self.names[name] for name in names if name in self.names}

    def probe(self, inbound: Sequence[tuple[str, int]], vantage: Sequence[str]) -> dict[tuple[str, int], str] | None:
        if vantage and self.away:
            return None
        return {pair: "no answer within 3 s" if pair in self.deaf else "" for pair in inbound}

    def tell(self, container: str, text: str) -> None:
        self.told.append((container, text))
