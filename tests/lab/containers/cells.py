"""A small fleet from a user's chair: the command line, edits of its definitions, clients wherever they may sit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eyas.host.command import Result
from eyas.lab import find
from eyas.lab.testing import Host, Internet

FLEET = Path(__file__).parent / "fleet"
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
CLIENT = {4: "198.51.100.10", 6: "2001:db8:ffff::10"}
"""Address of a client in the lab's internet."""
GATEWAY = {4: "10.0.7.1", 6: "fd00:7::1"}
INSIDE = {"alpha": {4: "10.0.7.10", 6: "fd00:7::10"}, "beta": {4: "10.0.7.20", 6: "fd00:7::20"}}
ASK = """
import socket, sys
address, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(1)
    client.connect((address, port))
    for _ in range(5):
        client.send(text.encode())
        try:
            print(client.recv(2000).decode())
            break
        except TimeoutError:
            pass
    else:
        sys.exit("no answer")
"""
"""A question over UDP, repeated as UDP needs it."""


@dataclass(frozen=True)
class Said:
    """How a command of eyas ended."""

    code: int
    out: str
    err: str
    seconds: float


def copy(directory: Path) -> Path:
    """A fleet directory of its own, with a key to log in with."""
    shutil.copytree(FLEET, directory, ignore=shutil.ignore_patterns("__pycache__", ".eyas"))
    (directory / "keys").mkdir()
    key = directory / "kim"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kim", "-f", key], check=True)
    shutil.copy(key.with_suffix(".pub"), directory / "keys")
    return directory


def bracket(address: str) -> str:
    """An address as a URL takes it."""
    return f"[{address}]" if ":" in address else address


@dataclass
class Cells:
    """The fleet in ``directory``, and its lab."""

    directory: Path

    # ------------------------------------------------------------ the command line

    def argv(self, *words: str, lab: bool = True) -> list[str]:
        return [sys.executable, "-m", "eyas", "-C", str(self.directory), *(["--lab"] if lab else []), *words]

    def run(self, *words: str, lab: bool = True, timeout: float = 300, input: str = "") -> Said:
        """One command of eyas, to its end."""
        began = time.monotonic()
        done = subprocess.run(
            self.argv(*words, lab=lab),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            input=input,
            env={**os.environ, "EYAS_LAB_OWNER": str(os.getpid())},
        )
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def eyas(self, *words: str, lab: bool = True, timeout: float = 300, code: int = 0) -> str:
        """A command that ends with ``code``; what it printed."""
        said = self.run(*words, lab=lab, timeout=timeout)
        assert said.code == code, f"eyas {' '.join(words)} ended with {said.code}\n{said.out}\n{said.err}"
        return said.out

    def apply(self, *, timeout: float = 600) -> str:
        """Apply; once more when somebody else changed what was planned for: labs of one machine share a few kernel
        settings, so another lab's start can be seen here."""
        said = self.run("apply", "--yes", timeout=timeout)
        if said.code and "has changed since the plan" in said.err:
            said = self.run("apply", "--yes", timeout=timeout)
        assert said.code == 0, f"eyas apply ended with {said.code}\n{said.out}\n{said.err}"
        return said.out

    def plan(self) -> list[dict[str, Any]]:
        """The changes of a plan."""
        return list(json.loads(self.eyas("plan", "--json"))["changes"])

    def status(self) -> dict[str, Any]:
        """Rows of the status, by container."""
        return {row["name"]: row for row in json.loads(self.eyas("status", "--json"))["containers"]}

    # ------------------------------------------------------------ the definitions

    def edit(self, old: str, new: str) -> None:
        """Replace one place of fleet.py."""
        path = self.directory / "fleet.py"
        text = path.read_text()
        assert text.count(old) == 1, f"fleet.py has {text.count(old)} times {old!r}"
        path.write_text(text.replace(old, new))

    def restore(self) -> None:
        """The definitions as they were; applied, when they were not."""
        path, kept = self.directory / "fleet.py", (FLEET / "fleet.py").read_text()
        if path.read_text() != kept:
            path.write_text(kept)
            self.apply()

    # ------------------------------------------------------------ places

    @cached_property
    def host(self) -> Host:
        return Host(find(self.directory), "cells")

    @cached_property
    def internet(self) -> Internet:
        return Internet(find(self.directory))

    def execute(self, place: str, *argv: str, input: str | None = None, timeout: float = 60) -> Result:
        """Run a command at a place: ``internet``, ``host``, or in the container of that name (as its root)."""
        if place == "internet":
            return self.internet.execute(*argv, input=input, timeout=timeout)
        inside = () if place == "host" else ("systemd-run", f"--machine={place}", "-q", "--pipe", "--wait", "--")
        return self.host.execute(*inside, *argv, input=input, timeout=timeout)

    def succeed(self, place: str, *argv: str, input: str | None = None, timeout: float = 60) -> str:
        done = self.execute(place, *argv, input=input, timeout=timeout)
        assert done.code == 0, f"{place}: {argv} ended with {done.code}\n{done.text}\n{done.error}"
        return done.text

    def fail(self, place: str, *argv: str) -> str:
        done = self.execute(place, *argv)
        assert done.code != 0, f"{place}: {argv} succeeded, and should not: {done.text}"
        return done.text + done.error

    def get(self, place: str, url: str, timeout: float = 10) -> str:
        return self.succeed(place, "curl", "-sS", "--fail", "--max-time", f"{timeout:g}", url)

    def refused(self, place: str, url: str) -> None:
        """Nobody answers there."""
        done = self.execute(place, "curl", "-sS", "--max-time", "3", url)
        assert done.code in (7, 28), f"{place}: {url} gave {done.code} {done.text} {done.error}"

    def ask(self, place: str, address: str, port: int, text: str) -> str:
        """A question over UDP."""
        return self.succeed(place, "python3", "-c", ASK, address, str(port), text)

    # ------------------------------------------------------------ containers on the host

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """Properties of a container's unit, as systemctl shows them."""
        argv = ["systemctl", "show", *(f"--property={key}" for key in properties), f"systemd-nspawn@{name}.service"]
        return dict(line.split("=", 1) for line in self.host.succeed(*argv).splitlines() if "=" in line)

    def systemctl(self, verb: str, name: str, timeout: float = 200) -> float:
        """A verb of systemctl that must succeed; the seconds that it took."""
        began = time.monotonic()
        self.host.succeed("systemctl", verb, f"systemd-nspawn@{name}.service", timeout=timeout)
        return time.monotonic() - began

    def invocation(self, name: str) -> str:
        return self.unit(name, "InvocationID")["InvocationID"]

    def state(self, name: str) -> str:
        return self.unit(name, "ActiveState")["ActiveState"]

    def wait_state(self, name: str, state: str, timeout: float = 120) -> None:
        self.host.wait_until(lambda: self.state(name) == state, f"{name} is {state}", timeout)

    def traces(self, name: str) -> list[str]:
        """What of a container that does not run is left on the host: mounts, registration, its file of a disk."""
        mounts = self.host.succeed("cat", "/proc/self/mountinfo")
        found = [line for line in mounts.splitlines() if f"/{name} " in line or f"/{name}/" in line]
        found += [line for line in self.host.succeed("machinectl", "list").splitlines() if line.split()[:1] == [name]]
        loops = self.host.succeed("losetup", "--list", "--noheadings")
        found += [line for line in loops.splitlines() if f"/{name}.img" in line]
        places = ("/run/eyas/layer", "/run/eyas/roots", "/run/systemd/nspawn/unix-export")
        for place in places:
            found += [f"{place}/{name}"] if self.host.execute("test", "-e", f"{place}/{name}").code == 0 else []
        return found

    @contextmanager
    def serving(self, argv: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        """A program in the internet, for as long as the block lasts."""
        command = self.internet.lab.command("internet", list(argv))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()
