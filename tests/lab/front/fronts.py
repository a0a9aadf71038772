"""A front with somebody behind it from a user's chair: the command line, connections that stay, a load."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eyas.lab.testing import retry
from tests.lab.places import Load
from tests.lab.rig import Rig

HERE = Path(__file__).parent
FRONT = "web-front"
SITE = "one.example.org"
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
CLIENT = {4: "198.51.100.10", 6: "2001:db8:ffff::10"}


@dataclass
class Connection:
    """One connection from the internet, on which can be asked again and again (`client.py`)."""

    process: subprocess.Popen[str]

    def ask(self, words: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self.heard()

    def heard(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@dataclass
class Fronts(Rig):
    """A front, and who answers behind it."""

    declared = HERE / "fleet"

    def begin(self) -> None:
        super().begin()
        self.ca.write_text(self.host.succeed("cat", "/srv/acme/ca/ca.crt"))

    def line(self, text: str) -> int:
        """The number of the line of fleet.py that has this text."""
        lines = (self.directory / "fleet.py").read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    # ------------------------------------------------------------ the internet

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    def site(self, url: str, family: int = 4) -> str:
        """What a site answers, over TLS that is verified."""
        return self.internet.get(url, f"-{family}", "--cacert", str(self.ca)).strip()

    def open(self, kind: str, family: int) -> Connection:
        """A connection of client.py."""
        argv = [sys.executable, str(HERE / "client.py"), kind, PUBLIC[family], SITE, str(self.ca)]
        command = self.command("internet", *argv)
        connection = Connection(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert connection.heard() == "open"
        return connection

    @contextmanager
    def opened(self, kind: str, family: int = 4) -> Iterator[Connection]:
        """A connection for as long as the block lasts."""
        connection = self.open(kind, family)
        try:
            yield connection
        finally:
            connection.process.communicate()

    @contextmanager
    def loaded(self, seconds: float) -> Iterator[Load]:
        """200 requests a second over TLS for so long."""
        words = ("--host", SITE, "--ca", str(self.ca), "--match", "echo")
        with self.load(f"https://{PUBLIC[4]}/load", *words, seconds=seconds) as load:
            yield load

    # ------------------------------------------------------------ the front

    def inside(self, *argv: str, timeout: float = 60) -> str:
        """Run a command in the front."""
        return self.succeed(FRONT, *argv, timeout=timeout).strip()

    def systemctl(self, *words: str) -> str:
        return self.host.succeed("systemctl", f"--machine={FRONT}", *words).strip()

    def generations(self) -> dict[str, str]:
        """The processes of nginx that run, by generation."""
        status = self.systemctl("status", "--no-pager", "--lines=0", "--full", "nginx.service")
        rows = re.findall(r"(\d+) \"?nginx: master process \S+ -c /run/nginx/(\d+)/", status)
        return {number: pid for pid, number in rows}

    def current(self) -> str:
        """The generation that new connections go to."""
        (number,) = set(
            re.findall(r"dnat ip to 169\.254\.80\.(\d+)", self.inside("nft", "list", "table", "inet", "nginx"))
        )
        return number

    def alone(self) -> bool:
        """Only one generation is there, with nothing left of others, and systemd knows it."""
        number = self.current()
        known = {self.systemctl("show", "--value", "--property=MainPID", "nginx"), self.inside("cat", "/run/nginx.pid")}
        kept = set(self.inside("ls", "/run/nginx").split()) - {"lock"}
        addresses = set(re.findall(r"169\.254\.80\.(\d+)", self.inside("ip", "address", "show", "dev", "lo")))
        return self.generations() == {number: known.pop()} and not known and kept == addresses == {number}

    def until_alone(self) -> None:
        retry(self.alone, "one generation of nginx, and no more", timeout=60, pause=0.5)
