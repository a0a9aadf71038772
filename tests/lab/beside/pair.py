"""A stateless container under a load from the lab's internet, and looks at its generations past eyas."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.beside.definitions import FLEET
from tests.lab.places import Load
from tests.lab.rig import Rig, Said

PUBLIC = "203.0.113.112"
URL = f"http://{PUBLIC}/"
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


def generations(load: Load) -> set[str]:
    """Those that answered a load."""
    return {answer.split()[0] for answer in load.answers}


@dataclass
class Pair(Rig):
    """A stateless container, and one that asks it."""

    declared = FLEET
    files = (Path(__file__).parent / "serve",)

    @contextmanager
    def download(self, chunks: int) -> Iterator[list[str]]:
        """A download that takes a tenth of a second for each chunk; the last line of it, when the block has ended."""
        said: list[str] = []

        def work() -> None:
            body = self.internet.get(f"{URL}long/{chunks}", timeout=chunks / 10 + 60)
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
        return self.internet.get(URL).split()[0]

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
