"""Places of a lab where tests run commands, clients and loads: its internet, its host, the containers there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import eyas.lab.load
from eyas.host.command import Result
from eyas.lab import Lab, find, upstream
from eyas.lab.testing import Host, Internet
from eyas.lab.upstream import Site, Upstream

LOAD = Path(eyas.lab.load.__file__).read_text()


@dataclass
class Load:
    """A load, and what it saw (`eyas.lab.load`) when it has ended."""

    process: subprocess.Popen[str]
    patience: float
    seen: dict[str, Any] = field(default_factory=dict)

    def end(self) -> dict[str, Any]:
        """Wait for its end; what it saw."""
        if not self.seen:
            out = self.process.communicate(timeout=self.patience)[0]
            assert self.process.returncode == 0, out
            self.seen = json.loads(out)
            print(f"load: {self.seen}")
        return self.seen

    @property
    def failed(self) -> int:
        return int(self.seen["failed"])

    @property
    def longest(self) -> float:
        """Seconds of the longest request."""
        return float(self.seen["longest"])

    @property
    def answers(self) -> dict[str, int]:
        """First lines of what came back, and how often."""
        return dict(self.seen["answers"])


@dataclass
class Places:
    """The lab of a fleet's directory. A place is called ``internet``, ``host`` (the only one), or as the container."""

    directory: Path

    @property
    def lab(self) -> Lab:
        return find(self.directory)

    @cached_property
    def host(self) -> Host:
        """The one host."""
        (name,) = self.lab.hosts
        return Host(self.lab, name)

    @cached_property
    def internet(self) -> Internet:
        return Internet(self.lab)

    def command(self, place: str, *argv: str) -> list[str]:
        """A command line of this machine for one at a place: ``internet``, ``host``, or in a container, as its root."""
        where = "internet" if place == "internet" else self.host.name
        return list(self.lab.command(where, _inside(place, argv)))

    def execute(self, place: str, *argv: str, input: str | None = None, timeout: float = 60) -> Result:
        """Run a command at a place, however it ends."""
        where = self.internet if place == "internet" else self.host
        return where.execute(*_inside(place, argv), input=input, timeout=timeout)

    def succeed(self, place: str, *argv: str, input: str | None = None, timeout: float = 60) -> str:
        done = self.execute(place, *argv, input=input, timeout=timeout)
        assert done.code == 0, f"{place}: {argv} ended with {done.code}\n{done.text}\n{done.error}"
        return done.text

    def fail(self, place: str, *argv: str, timeout: float = 60) -> str:
        """A command that must fail; all that it wrote."""
        done = self.execute(place, *argv, timeout=timeout)
        assert done.code != 0, f"{place}: {argv} succeeded, and should not: {done.text}"
        return done.text + done.error

    def get(self, place: str, url: str, *options: str, timeout: float = 10) -> str:
        """What a URL answers to curl(1); it must be a success."""
        return self.succeed(place, "curl", "-sS", "--fail", "--max-time", f"{timeout:g}", *options, url)

    def refused(self, place: str, url: str) -> None:
        """Nobody answers there."""
        done = self.execute(place, "curl", "-sS", "--max-time", "3", url)
        assert done.code in (7, 28), f"{place}: {url} gave {done.code} {done.text} {done.error}"

    @contextmanager
    def background(self, place: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
        """A program at a place with its streams, for as long as the block lasts, if it does not end before."""
        command = self.command(place, *argv)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()

    @contextmanager
    def load(
        self, url: str, *words: str, rate: int = 200, seconds: float = 0, place: str = "internet"
    ) -> Iterator[Load]:
        """A steady load (`eyas.lab.load`: also ``words``) while the block lasts, each request on a connection of its
        own; what is under way at its end is waited for. With ``seconds`` it ends after these, and not before; in a
        container it has to be said."""
        assert seconds or place in ("internet", "host"), "what runs in a container gets no signals"
        python = sys.executable if place == "internet" else "python3"
        how_much = ("--rate", str(rate), "--seconds", f"{seconds or 600:g}")
        command = self.command(place, python, "-c", LOAD, *how_much, *words, url)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            load = Load(process, seconds + 120)
            try:
                yield load
                if not seconds:
                    process.send_signal(signal.SIGTERM)
                load.end()
            finally:
                process.terminate()

    @contextmanager
    def upstream(self, *sites: Site) -> Iterator[Upstream]:
        """Sites in the lab's internet to fetch from (`eyas.lab.upstream`), for as long as the block lasts."""
        with upstream.running(self.lab, *sites) as made:
            yield made

    # ------------------------------------------------------------ containers on the host

    def names(self) -> list[str]:
        """The machines that run."""
        return sorted(line.split()[0] for line in self.host.succeed("machinectl", "list", "--no-legend").splitlines())

    def invocations(self) -> dict[str, str]:
        """The start that each running container is of."""
        names = self.names()
        units = [f"systemd-nspawn@{name}.service" for name in names]
        if not units:
            return {}
        ids = self.host.succeed("systemctl", "show", "--property=InvocationID", "--value", *units).split()
        return dict(zip(names, ids, strict=True))

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """Properties of a container's unit, as systemctl shows them."""
        argv = ["systemctl", "show", *(f"--property={key}" for key in properties), f"systemd-nspawn@{name}.service"]
        return dict(line.split("=", 1) for line in self.host.succeed(*argv).splitlines() if "=" in line)

    def switch(self, verb: str, name: str, timeout: float = 200) -> float:
        """A verb of systemctl for a container, that must succeed; the seconds that it took."""
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


def _inside(place: str, argv: Sequence[str]) -> list[str]:
    if place in ("internet", "host"):
        return list(argv)
    # A unit that is left as failed would be one more thing that is not well there.
    return ["systemd-run", f"--machine={place}", "-q", "--pipe", "--wait", "--collect", "--", *argv]
