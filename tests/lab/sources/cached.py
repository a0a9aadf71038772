"""A cache of sources from the chair of those who use it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eyas.lab.testing import retry
from tests.lab.rig import Rig

URL = "http://10.0.8.10:3128"
ANSWER = "%{http_code} %header{x-source-cache} %header{retry-after}"
FIRST_PORT, PORTS = 10000, 20000
"""Local ports of the cache, as its program takes them one after the other."""
OCCUPY = """
import socket, sys
taken = [socket.socket(socket.AF_INET6) for _ in sys.argv[1:]]
for one, port in zip(taken, sys.argv[1:]):
    one.bind(("::", int(port)))
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass
class Cached(Rig):
    """The fleet of the folder ``fleet``."""

    declared = Path(__file__).parent / "fleet"

    seen: str = ""
    """Where the journal of the cache was when it was emptied."""

    def begin(self) -> None:
        super().begin()
        authority = (self.lab.ca_dir / "ca.pem").read_text()
        self.succeed("cache", "sh", "-c", "cat >>/etc/ssl/certs/ca-certificates.crt", input=authority)

    def ask(self, url: str, *options: str) -> list[str]:
        """Status, how the cache has it, and Retry-After where there is one, of a URL that is asked for through it."""
        scheme, _, rest = url.partition("://")
        argv = ("curl", "-sS", "-o", "/dev/null", "-w", ANSWER, *options, f"{URL}/{scheme}/{rest}")
        return self.succeed("forge", *argv).split()

    def body(self, url: str) -> str:
        scheme, _, rest = url.partition("://")
        return self.get("forge", f"{URL}/{scheme}/{rest}")

    def empty(self) -> None:
        """Start it anew, with nothing."""
        script = "systemctl stop nginx; rm -rf /var/cache/source-cache/*; systemctl start nginx"
        self.succeed("cache", "sh", "-c", script)
        retry(lambda: self.execute("forge", "curl", "-sS", f"{URL}/").code == 0, "the cache answers", 20)
        self.seen = self.succeed("cache", "journalctl", "-q", "-n", "0", "--show-cursor").split("cursor: ")[1]

    @contextmanager
    def queued(self, lines: str = "") -> Iterator[Callable[..., str]]:
        """A package like ``tool`` (or with these lines at the end) under a name of its own, in the queue of the
        builder, which has no sources at all. A function that tells what is known of its build: state, or another word.
        """
        name, place = f"tool{time.time_ns()}", "/etc/eyas/packages"
        copy = f"mkdir {place}/{name}; sed s/^pkgname=.*/pkgname={name}/ {place}/tool/PKGBUILD >{place}/{name}/PKGBUILD"
        add = f"cat >>{place}/{name}/PKGBUILD; rm -rf /var/cache/package-builder/*"
        self.succeed("forge", "sh", "-c", f"{copy}; {add}; package-builder queue {name}", input=lines)

        def build(what: str = "state") -> str:
            rows = json.loads(self.succeed("forge", "package-builder", "list", "--json"))["builds"]
            return next(str(row[what]) for row in rows if row["package"] == name)

        try:
            yield build
        finally:
            self.succeed("forge", "rm", "-rf", f"{place}/{name}")

    @contextmanager
    def occupied(self, after: int, count: int = 40) -> Iterator[None]:
        """Local ports of the cache that somebody else has: those that come after one."""
        ports = [str(FIRST_PORT + (after - FIRST_PORT + number) % PORTS) for number in range(1, count + 1)]
        leader = self.host.succeed("machinectl", "show", "cache", "--property=Leader", "--value").strip()
        argv = ("nsenter", "--target", leader, "--net", "python3", "-c", OCCUPY, *ports)
        with self.background("host", *argv) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield

    def passed_on(self) -> list[str]:
        """Requests that it could not answer by itself since it was empty."""
        words = ("-q", "-o", "cat", "-t", "source_cache_asked", f"--after-cursor={self.seen}")
        return [line for line in self.succeed("cache", "journalctl", *words).splitlines() if " GET / " not in line]

    def said(self) -> str:
        """What the cache wrote to the journal of its container."""
        return self.succeed("cache", "journalctl", "-q", "-o", "cat", "-t", "source_cache")
