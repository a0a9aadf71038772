"""A steady load on a lab's services while something is changed, and connections that are to stay meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.common import REPOSITORY
from benchmarks.labs import BenchLab

PUBLIC = "203.0.113.112"
MOST = 180.0
"""Seconds after which a load ends by itself."""
PATIENCE = 90.0
"""Seconds that a request may take: longer than anybody is held."""
CLIENT = REPOSITORY / "tests/lab/front/client.py"
PAUSE = 0.1  # seconds between two questions on a connection that stays


@dataclass(frozen=True)
class Target:
    """What is asked: an address, and the site's name where that is another; at most so many times a second."""

    url: str
    site: str = ""
    most: float = 1000

    def argv(self, ca: str, rate: float) -> list[str]:
        program = str(REPOSITORY / "eyas/lab/load.py")
        site = ["--host", self.site, "--ca", ca] if self.site else []
        words = ["--rate", f"{min(rate, self.most):g}", "--seconds", f"{MOST:g}", "--timeout", f"{PATIENCE:g}"]
        return [sys.executable, program, *words, *site, self.url]


def front(site: str) -> Target:
    return Target(f"https://{PUBLIC}/", site)


def authority(lab: BenchLab) -> str:
    """The file of the front's authority, which clients trust."""
    return str(lab.root / "srv/acme/ca/ca.crt")


class Load:
    """Requests from the lab's internet, from now until `end`."""

    def __init__(self, lab: BenchLab, target: Target, rate: float) -> None:
        argv = lab.lab.command("internet", target.argv(authority(lab), rate))
        self.began = time.monotonic()
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def wait(self, seconds: float) -> None:
        """Until the load has run for so long."""
        time.sleep(max(0.0, self.began + seconds - time.monotonic()))

    def end(self) -> dict[str, Any]:
        """No more requests; what was seen of all."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=2 * PATIENCE)
        return dict(json.loads(said))

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Connection:
    """One WebSocket (``ws``) or HTTP/3 connection (``h3``) to a site, asked ten times a second until it ends."""

    def __init__(self, lab: BenchLab, kind: str, site: str) -> None:
        words = [sys.executable, str(CLIENT), kind, PUBLIC, site, authority(lab)]
        self.process = subprocess.Popen(
            lab.lab.command("internet", words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.kind, self.answers, self.longest, self.closed = kind, 0, 0.0, ""
        assert self.process.stdout is not None
        if (said := self.process.stdout.readline().strip()) != "open":
            raise SystemExit(f"no {kind} connection to {site}: {said}")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        while not self._ended.wait(PAUSE):
            began = time.monotonic()
            try:
                self.process.stdin.write("hello\n" if self.kind == "ws" else "/\n")
                self.process.stdin.flush()
                said = self.process.stdout.readline().strip()
            except OSError as error:
                said = f"closed {error}"
            if not said or said.startswith("closed"):
                self.closed = said or "closed without a word"
                return
            self.answers += 1
            self.longest = max(self.longest, time.monotonic() - began)

    def end(self) -> dict[str, Any]:
        self._ended.set()
        self._thread.join(timeout=30)
        self.kill()
        return {"answers": self.answers, "longest": round(self.longest, 4), "closed": self.closed}

    def kill(self) -> None:
        self._ended.set()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def under_load(
    lab: BenchLab, target: Target, rate: float, connections: Sequence[str] = (), site: str = ""
) -> Iterator[tuple[Load, list[Connection]]]:
    """A load, and connections that stay, for as long as the block lasts."""
    with ExitStack() as stack:
        stays = []
        for kind in connections:
            stays.append(Connection(lab, kind, site))
            stack.callback(stays[-1].kill)
        load = Load(lab, target, rate)
        stack.callback(load.kill)
        yield load, stays
