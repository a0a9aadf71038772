"""A lab whose containers are held by hand, and clients that find out how long they wait."""

from __future__ import annotations

import json
import os
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
from eyas.host.command import Result
from eyas.lab import find
from eyas.lab.testing import Host, Internet, retry

FLEET = Path(__file__).parent / "fleet"
PUBLIC = {4: "203.0.113.112", 6: "[2001:db8:5:1::2]"}
SHOP = {4: "10.0.7.10", 6: "[fd00:7::10]"}
UNIT = "systemd-nspawn@shop.service"
LOAD = Path(eyas.lab.load.__file__).read_text()
AGENT = """
import json, os, sys
sys.path.insert(0, "/usr/local/lib/eyas/agent/current")
from eyas.core import paths
from eyas.core.system import Door
from eyas.host.real import Real
system, ports = Real(), []
def door(*ports):
    return Door("shop", ("10.0.7.10", "fd00:7::10"), tuple(map(tuple, ports)))
verbs = {
    "hold": lambda seconds, *ports: system.traffic.hold(door(*ports), seconds),
    "release": lambda *ports: system.traffic.release(door(*ports)),
    "release_all": lambda: system.traffic.release_all(),
    "busy": lambda *ports: system.traffic.busy("shop", [tuple(port) for port in ports]),
    "listening": lambda *units: system.traffic.listening("shop", units),
    "load": lambda: system.firewall.load(open(paths.FIREWALL).read()),
    "digest": lambda: system.firewall.digest(),
    "memory": lambda: int(open("/proc/self/statm").read().split()[1]) * 4096,
}
print(os.getpid(), flush=True)
for line in sys.stdin:
    verb, *args = json.loads(line)
    print(json.dumps(verbs[verb](*args)), flush=True)
"""
"""What an agent does with traffic, a line at a time."""


@dataclass
class Agent:
    """A process on the host that holds."""

    process: subprocess.Popen[str]
    pid: str

    def __call__(self, verb: str, *args: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([verb, *args]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the agent has ended at {verb}"
        return json.loads(line)


@dataclass
class Rig:
    directory: Path

    def eyas(self, *words: str, timeout: float = 600) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "eyas", "-C", str(self.directory), *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "EYAS_LAB_OWNER": str(os.getpid())},
        )
        assert done.returncode == 0, (
            f"eyas {' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )

    @cached_property
    def host(self) -> Host:
        return Host(find(self.directory), "hold")

    @cached_property
    def internet(self) -> Internet:
        return Internet(find(self.directory))

    def command(self, place: str, *argv: str) -> list[str]:
        """A command line of this machine for one at a place: internet, host, or a container."""
        lab = find(self.directory)
        if place in ("internet", "host"):
            return list(lab.command("internet" if place == "internet" else "hold", list(argv)))
        return list(lab.command("hold", ["systemd-run", f"--machine={place}", "-q", "--pipe", "--wait", "--", *argv]))

    def execute(self, place: str, *argv: str, timeout: float = 60) -> Result:
        inside = (
            () if place in ("internet", "host") else ("systemd-run", f"--machine={place}", "-q", "--pipe", "--wait")
        )
        where = self.internet if place == "internet" else self.host
        return where.execute(*inside, *argv, timeout=timeout)

    @contextmanager
    def agent(self) -> Iterator[Agent]:
        """An agent; what it holds goes with the block."""
        command = self.command("host", "python3", "-c", AGENT)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            agent = Agent(process, process.stdout.readline().strip())
            try:
                yield agent
            finally:
                if process.poll() is None:
                    agent("release_all")
                    process.stdin.close()

    @contextmanager
    def client(self, place: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """A client that goes on during the block; ended with it, if it has not come to its end."""
        with subprocess.Popen(
            self.command(place, *argv),
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    @contextmanager
    def load(self, place: str, url: str, rate: int, seconds: int) -> Iterator[subprocess.Popen[str]]:
        """A steady load; `told` says how it went."""
        with self.client(place, "python3", "-c", LOAD, url, "--rate", str(rate), "--seconds", str(seconds)) as process:
            yield process

    def wait_for_answers(self) -> None:
        """Until the containers know each other: in the first second of its life one may not find the way by IPv6."""

        def all_answer() -> bool:
            return all(self._answers(f"http://{address}:8080/") for address in SHOP.values())

        retry(all_answer, "the shop answers the mill", 30)

    def _answers(self, url: str) -> bool:
        with self.load("mill", url, 5, 1) as process:
            return told(process)["failed"] == 0

    def restart(self) -> None:
        self.host.succeed("systemctl", "restart", UNIT, timeout=200)

    def held(self) -> list[str]:
        """Lines of the packet filter about what is held now."""
        table = self.host.succeed("nft", "list", "table", "inet", "eyas")
        return [line for line in table.splitlines() if "expires" in line]


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a load saw."""
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 0, out
    return dict(json.loads(out))


def copy(directory: Path) -> Path:
    shutil.copytree(FLEET, directory, ignore=shutil.ignore_patterns("__pycache__", ".eyas"))
    return directory
