"""A front with somebody behind it from a user's chair: the command line, connections that stay, a load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import eyas.lab.load
from eyas.lab import find
from eyas.lab.testing import Host, Internet, retry

HERE = Path(__file__).parent
FRONT = "web-front"
SITE = "one.example.org"
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
CLIENT = {4: "198.51.100.10", 6: "2001:db8:ffff::10"}


@dataclass(frozen=True)
class Said:
    """How a command of eyas ended."""

    code: int
    out: str
    err: str


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
class Fronts:
    """The fleet in ``directory``, and its lab."""

    directory: Path

    # ------------------------------------------------------------ the command line

    def run(self, *words: str, timeout: float = 300) -> Said:
        """One command of eyas, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "eyas", "-C", str(self.directory), *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "EYAS_LAB_OWNER": str(os.getpid())},
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def apply(self, code: int = 0, timeout: float = 300) -> str:
        """Apply; once more when another lab of this machine has changed a kernel setting that all share."""
        said = self.run("--lab", "apply", "--yes", timeout=timeout)
        if "has changed since the plan" in said.err:
            said = self.run("--lab", "apply", "--yes", timeout=timeout)
        assert said.code == code, f"eyas apply ended with {said.code}\n{said.out}\n{said.err}"
        return said.out

    def edit(self, old: str, new: str) -> None:
        """Replace one place of fleet.py."""
        path = self.directory / "fleet.py"
        text = path.read_text()
        assert text.count(old) == 1, f"fleet.py has {text.count(old)} times {old!r}"
        path.write_text(text.replace(old, new))

    def line(self, text: str) -> int:
        """The number of the line of fleet.py that has this text."""
        lines = (self.directory / "fleet.py").read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def restore(self) -> None:
        """The definitions as they were; applied, when they were not."""
        path, kept = self.directory / "fleet.py", (HERE / "fleet/fleet.py").read_text()
        if path.read_text() != kept:
            path.write_text(kept)
            self.apply()

    # ------------------------------------------------------------ the internet

    @cached_property
    def internet(self) -> Internet:
        return Internet(find(self.directory))

    @property
    def ca(self) -> Path:
        return self.directory / "ca.crt"

    def get(self, url: str, family: int = 4) -> str:
        """What a site answers, over TLS that is verified."""
        return self.internet.get(url, f"-{family}", "--cacert", str(self.ca)).strip()

    def open(self, kind: str, family: int) -> Connection:
        """A connection of client.py."""
        argv = [sys.executable, str(HERE / "client.py"), kind, PUBLIC[family], SITE, str(self.ca)]
        command = self.internet.lab.command("internet", argv)
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
    def loaded(self, seconds: float) -> Iterator[dict[str, Any]]:
        """200 requests a second over TLS while the block runs; at its end what they saw (`eyas.lab.load`)."""
        words = ["--rate", "200", "--seconds", f"{seconds:g}", "--host", SITE, "--ca", str(self.ca), "--match", "echo"]
        argv = [sys.executable, eyas.lab.load.__file__, *words, f"https://{PUBLIC[4]}/load"]
        seen: dict[str, Any] = {}
        with subprocess.Popen(self.internet.lab.command("internet", argv), stdout=subprocess.PIPE, text=True) as load:
            yield seen
            seen |= json.loads(load.communicate()[0])
        print(f"load: {seen}")

    # ------------------------------------------------------------ the front

    @cached_property
    def host(self) -> Host:
        return Host(find(self.directory), "fronts")

    def inside(self, *argv: str, timeout: float = 60) -> str:
        """Run a command in the front."""
        return self.host.succeed("systemd-run", f"--machine={FRONT}", "-q", "--pipe", "--wait", "--", *argv).strip()

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

    def settled(self) -> None:
        retry(self.alone, "one generation of nginx, and no more", timeout=60, pause=0.5)


def copy(directory: Path) -> Path:
    """A fleet directory of its own."""
    shutil.copytree(HERE / "fleet", directory, ignore=shutil.ignore_patterns("__pycache__", ".eyas", "eyas.lock"))
    return directory
