"""What lasts: uploads, event streams, WebSockets; through a second nginx as well, and while the front reloads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import tests.lab.front.client
from tests.lab.sites.rig import FRONT, PUBLIC, Sites

CLIENT = Path(tests.lab.front.client.__file__)
SIZE = (5 if os.environ.get("EYAS_FULL") else 1) << 30
"""Bytes of the upload: 5 GB take longer than a test may that runs with every change."""
GROWTH = 48 << 20
"""What an upload may cost the front, of memory or of disk: far less than its size, more than the noise."""
LATE = 3.0
"""Seconds from an event's sending to its coming; with any buffering the first ones come with the last."""
EVENTS, EVERY = (600 if os.environ.get("EYAS_FULL") else 40), 0.5  # five minutes, or a third of one
LAST = 'Site("last.example.org", to=app.port(8000)),'
NEW = 'Site("new.example.org", to=app.port(8000)),'


# ---------------------------------------------------------------- uploads


def cost(sites: Sites) -> tuple[int, int]:
    """Bytes of memory of all processes of nginx (proportional set size), and bytes on the front's writable disks."""
    script = """
        cat $(grep -lx nginx /proc/[0-9]*/comm | sed s/comm/smaps_rollup/) | awk '/^Pss:/ { s += $2 } END { print s }'
        df --output=used -k / /run | awk 'NR > 1 { s += $1 } END { print s }'
    """
    memory, disk = sites.succeed(FRONT, "sh", "-c", script).split()
    return int(memory) << 10, int(disk) << 10


def test_a_large_upload_costs_the_front_nothing(sites: Sites, tmp_path: Path) -> None:
    """While it comes in, and whatever its size: it is passed on, not collected."""
    path = tmp_path / "zeros"
    with path.open("wb") as file:
        file.truncate(SIZE)  # takes no place
    before = cost(sites)
    url = "https://upload.example.org/large"
    argv = ("curl", "-sS", "-f", "--cacert", str(sites.ca), "--http1.1", "-H", "Expect:", "-T", str(path), url)
    began, seen = time.monotonic(), []
    with sites.background("internet", *argv) as upload:
        while upload.poll() is None:
            seen.append(cost(sites))
            time.sleep(0.3)
        assert upload.stdout is not None
        said = json.loads(upload.stdout.read())
    took = time.monotonic() - began
    assert said["length"] == SIZE
    assert said["headers"]["content-length"] == str(SIZE)
    most = [max(cost[which] for cost in seen) for which in (0, 1)]
    words = [f"{name} {before[n] >> 20} MiB, {most[n] >> 20} MiB at most" for n, name in enumerate(("PSS", "disk"))]
    print(f"{SIZE >> 20} MiB in {took:.1f} s, looked {len(seen)} times: {', '.join(words)}")
    assert len(seen) > 2, "it was over before anybody could look"
    assert said["ended"] - said["first"] > took / 3, "the backend had it only when all had come"
    for which, name in enumerate(("memory", "disk")):
        assert most[which] - before[which] < GROWTH, f"{name} of the front grew: {words[which]}"


# ---------------------------------------------------------------- event streams


@dataclass
class Stream:
    """An event stream by curl, and how late each event was, in seconds."""

    process: subprocess.Popen[str]
    late: list[float] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("data: "):
                number, sent = line.split()[1:]
                assert int(number) == len(self.late)
                self.late.append(time.time() - float(sent))


@contextmanager
def streaming(sites: Sites, url: str, family: int, version: str) -> Iterator[tuple[Stream, threading.Thread]]:
    argv = ("curl", "-sSN", f"-{family}", f"--http{version}", "--cacert", str(sites.ca))
    with sites.background("internet", *argv, f"{url}?do=events&n={EVENTS}&every={EVERY}") as process:
        stream = Stream(process)
        reader = threading.Thread(target=stream.read, daemon=True)
        reader.start()
        yield stream, reader


@contextmanager
def socket_to(sites: Sites, name: str, family: int) -> Iterator[subprocess.Popen[str]]:
    """A WebSocket: a line in, its echo out (`client.py` of the front's tests)."""
    argv = (sys.executable, str(CLIENT), "ws", PUBLIC[family], name, str(sites.ca))
    with sites.background("internet", *argv) as process:
        assert heard(process) == "open"
        yield process


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ask(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return heard(process)


STREAMS = (
    ("https://events.example.org/", 4, "2"),
    ("https://events.example.org/", 6, "1.1"),
    ("https://logs.example.org/live", 6, "2"),
    ("https://social.example.org/", 4, "1.1"),  # through a second nginx
    ("https://social.example.org/", 6, "2"),
)


def test_streams_go_on_while_the_front_reloads(sites: Sites) -> None:
    """Each event at once, and none lost; the same for WebSockets through two proxies."""
    with ExitStack() as stack:
        streams = [stack.enter_context(streaming(sites, *which)) for which in STREAMS]
        sockets = [stack.enter_context(socket_to(sites, "social.example.org", family)) for family in (4, 6)]
        assert [ask(socket, "before") for socket in sockets] == ["before"] * 2
        sites.edit(LAST, LAST + NEW)
        sites.apply()
        new = "https://new.example.org/"
        assert json.loads(sites.get("internet", new, "--cacert", str(sites.ca)))["path"] == "/", "it has reloaded"
        assert all(reader.is_alive() for _, reader in streams), "and they were still under way"
        assert [ask(socket, "after") for socket in sockets] == ["after"] * 2
        for _, reader in streams:
            reader.join(timeout=EVENTS * EVERY + 40)
        assert [len(stream.late) for stream, _ in streams] == [EVENTS] * len(streams)
        late = [max(stream.late) for stream, _ in streams]
        print(f"late at most: {', '.join(f'{seconds:.3f} s' for seconds in late)}")
        assert max(late) < LATE
