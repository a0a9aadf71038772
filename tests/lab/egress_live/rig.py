"""A lab with an internet to fetch from, in which pools rotate while everything is in use."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from eyas.lab import upstream, wire
from eyas.lab.upstream import Site, Upstream, contents
from tests.lab.rig import Rig

HERE = Path(__file__).parent
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
ROOT = {family: f"http://{f'[{address}]' if family == 6 else address}" for family, address in PUBLIC.items()}
ACT, CLIENT, VANTAGE = ((HERE / f"{name}.py").read_text() for name in ("act", "client", "vantage"))
ASK = "/usr/local/lib/vantage.py"
SIZE = 12 << 20
"""Of a long download: more than all the buffers on its way hold."""
BIG = hashlib.sha256((b"eyas\n" * (SIZE // 5 + 1))[:SIZE]).hexdigest()
REPORTS = "/run/eyas-egress/report"
SITES = (
    Site("files.example.net"),
    Site("sources.example.net"),
    Site("prefix.example.net", families="6"),
    Site("resets.example.net", families="6"),
)


@dataclass
class Downloads:
    """Long downloads that are under way until the block ends; then what became of them."""

    seen: dict[str, Any] = field(default_factory=dict)

    def survived(self, count: int, digest: str) -> None:
        """All of them came whole, and were under way all the time."""
        found = [self.seen[key] for key in ("failed", "whole", "digests", "bytes")]
        assert found == [[], count, [digest], [SIZE]], self.seen
        assert self.seen["slow"] < SIZE, "they were over before"


@dataclass
class Live(Rig):
    declared = HERE / "fleet"

    @cached_property
    def sites(self) -> Upstream:
        return upstream.start(self.lab, *SITES)

    def begin(self) -> None:
        assert self.sites
        self.host.succeed("sh", "-c", f"cat >{ASK}", input=VANTAGE)
        super().begin()
        self.act("tick")

    def anew(self) -> None:
        """As declared, with sites that refuse nobody and have seen nobody, and nothing that is remembered of them."""
        self.undo_edits()
        for site in SITES:
            self.sites.set(site.name, limit=0, refusal="429", by="address", ban=30, retry_after=False)
        self.sites.forget()
        self.host.succeed("rm", "-f", "/run/vantage")
        self.succeed("web", "sh", "-c", f"test -e /srv/big || yes eyas | head -c {SIZE} >/srv/big")

    def forget(self, *pools: str) -> None:
        """Pools with what is known of destinations are made anew."""
        self.act("forget", *pools)

    def act(self, *words: str, timeout: float = 120) -> str:
        """`act.py` on the host."""
        return self.succeed("host", "python3", "-c", ACT, *words, timeout=timeout)

    def whole(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.act("whole"))
        return found

    def egress(self) -> dict[str, Any]:
        """``eyas egress --json``."""
        found: dict[str, Any] = self.json("egress")
        return found

    def pool(self, rule: str) -> dict[str, Any]:
        pools: list[dict[str, Any]] = self.egress()["pools"]
        return next(pool for pool in pools if pool["rule"] == rule)

    def destination(self, rule: str, name: str) -> dict[str, Any]:
        """What is known of a destination; nothing of one that was not asked."""
        found: list[dict[str, Any]] = self.pool(rule)["destinations"]
        return next((each for each in found if each["destination"] == name), {})

    def history(self, *what: str) -> list[dict[str, Any]]:
        return [event for event in self.egress()["history"] if event["what"] in what]

    def answers(self) -> None:
        """What comes in is answered, over both families."""
        for family in (4, 6):
            assert self.get("internet", ROOT[family], timeout=5).strip() == "ok"

    def leaves(self, place: str = "forge", site: str = "files.example.net") -> str:
        """The address that a connection of a container comes from."""
        return self.get(place, self.sites.url("/source", site)).split()[0]

    def fetch(self, url: str, count: int, reports: str = REPORTS, timeout: float = 300) -> dict[str, Any]:
        said = self.succeed("forge", "python3", "-c", CLIENT, "fetch", url, str(count), reports, timeout=timeout)
        print(f"fetch: {said}")
        found: dict[str, Any] = json.loads(said)
        return found

    @contextmanager
    def hold(self, place: str, url: str, count: int) -> Iterator[Downloads]:
        """Downloads at a place, from the start of the block to its end."""
        made = Downloads()
        python = sys.executable if place == "internet" else "python3"
        command = self.command(place, python, "-c", CLIENT, "hold", url, str(count))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                yield made
                made.seen = json.loads(process.communicate(timeout=120)[0])
                print(f"downloads: {made.seen}")
            finally:
                process.terminate()

    @contextmanager
    def vantage(self) -> Iterator[None]:
        """Somebody in the internet who asks for the host."""
        with self.background("internet", sys.executable, "-c", VANTAGE, "serve"):
            self.host.wait_until_succeeds("sh", "-c", f"echo {PUBLIC[4]} 80 | python3 {ASK} | grep ok")
            yield

    def provider(self, kind: str) -> None:
        """The prefix is routed, or on the link, and the host finds it out anew."""
        spec = self.lab.hosts[self.host.name].spec
        wire.make_internet(self.lab.place, [replace(spec, prefix6=kind)])
        self.act("look")
        assert self.whole()["mode"] == kind


def digest_of(name: str) -> str:
    """Of a file that a site serves."""
    return hashlib.sha256(contents(name, SIZE)).hexdigest()
