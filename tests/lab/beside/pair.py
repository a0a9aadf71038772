"""A stateless container under a load from the lab's internet, and looks at its generations past eyas."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import eyas.lab.load
from eyas.lab import find
from eyas.lab.testing import Host, Internet
from tests.lab.crash.rig import Rig, Said

PUBLIC = "203.0.113.112"
OWN = {"a": "10.0.12.10", "b": "100.96.12.10"}

DATAGRAMS = """
import socket, sys, time
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(0.2)
seen, end = [], time.monotonic() + 60
while len(seen) < 2 and time.monotonic() < end:
    client.sendto(b"who", (sys.argv[1], 5300))
    try:
        answer = client.recv(100).decode()
        if answer not in seen:
            seen.append(answer)
    except TimeoutError:
        continue
    time.sleep(0.05)
print(*seen)
"""


@dataclass
class Load:
    """What a load saw; there when it has ended."""

    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return int(self.seen["failed"])

    @property
    def longest(self) -> float:
        return float(self.seen["longest"])

    @property
    def generations(self) -> set[str]:
        return {answer.split()[0] for answer in self.seen["answers"]}


@dataclass
class Pair(Rig):
    """`Rig` with another host, and with clients."""

    @cached_property
    def host(self) -> Host:
        return Host(find(self.directory), "beside")

    @cached_property
    def internet(self) -> Internet:
        return Internet(find(self.directory))

    @contextmanager
    def load(self, *, rate: int = 200) -> Iterator[Load]:
        """A steady load while the block lasts, each request a connection of its own."""
        load, program = Load(), str(Path(eyas.lab.load.__file__))
        argv = (sys.executable, program, "--rate", str(rate), "--seconds", "180", f"http://{PUBLIC}/")
        command = find(self.directory).command("internet", argv)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            yield load
        finally:
            process.send_signal(signal.SIGTERM)  # it waits for what is under way
            said, _ = process.communicate(timeout=90)
        load.seen = json.loads(said)
        print(f"load: {load.seen}")

    @contextmanager
    def download(self, chunks: int) -> Iterator[list[str]]:
        """A download that takes a tenth of a second for each chunk; the last line of it, when the block has ended."""
        said: list[str] = []

        def work() -> None:
            body = self.internet.get(f"http://{PUBLIC}/long/{chunks}", timeout=chunks / 10 + 60)
            assert body.count("x") == chunks * 65536
            said.append(body.rpartition("\n")[2])

        with self._beside(work):
            yield said

    @contextmanager
    def datagrams(self) -> Iterator[list[str]]:
        """Datagrams from one socket until another generation than the first one answers; who did, in this order."""
        said: list[str] = []

        def work() -> None:
            said.extend(self.internet.succeed("python3", "-c", DATAGRAMS, PUBLIC, timeout=90).split())

        with self._beside(work):
            yield said

    @contextmanager
    def _beside(self, work: Any) -> Iterator[None]:
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def serving(self) -> str:
        """The generation that answers now."""
        return self.internet.get(f"http://{PUBLIC}/").split()[0]

    def slots(self) -> dict[str, str]:
        """The slots of web that run, with the invocation of their unit."""
        found = {}
        for slot, machine in (("a", "web"), ("b", "web.b")):
            shown = self.host.succeed(
                "systemctl", "show", "--property=ActiveState,InvocationID", f"systemd-nspawn@{machine}.service"
            )
            values = dict(line.split("=", 1) for line in shown.splitlines())
            if values["ActiveState"] not in ("inactive", "failed"):
                found[slot] = values["InvocationID"]
        return found

    def led(self) -> str:
        """The slot that the kernel leads connections to."""
        listing = self.host.succeed("nft", "list", "map", "inet", "eyas", "stable4")
        return next(slot for slot, address in OWN.items() if f": {address}" in listing)

    def alone(self) -> str:
        """The slot of the one generation that there is, in every respect."""
        (slot,) = self.slots()
        assert self.led() == slot
        machine = {"a": "web", "b": "web.b"}[slot]
        links = self.host.succeed("ls", "/etc/systemd/system/machines.target.wants").split()
        assert sorted(links) == sorted(["systemd-nspawn@mill.service", f"systemd-nspawn@{machine}.service"])
        specs = [name for name in self.host.succeed("ls", "/etc/eyas/containers").split() if name.endswith(".json")]
        assert sorted(specs) == sorted(["mill.json", f"{machine}.json"])
        assert self.names() == sorted(["mill", machine])
        return slot

    def steps(self) -> dict[str, int]:
        """The number of each step of the replacement that would be done now."""
        return {s["verb"]: n for n, s in enumerate(self.plan()["steps"]) if s["id"] == "container:web"}

    def undone(self, text: str) -> Said:
        """An apply of these definitions that goes back by itself."""
        self.write(text)
        said = self.run("apply")
        assert said.code == 4, said
        assert not self.open_run()
        print(said)
        return said
