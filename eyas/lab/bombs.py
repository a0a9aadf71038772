"""A tenant that uses up all that it has, on an emulated machine, and what its neighbour's clients see meanwhile.

Each bomb is a unit in the tenant; it goes on and on, also where its processes are killed. The neighbour's client stands
on the machine itself, with a real-time priority: it stands for somebody elsewhere, whose processor is his own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from eyas.lab.emulated import Emulated

TENANT, NEIGHBOUR = "heavy", "quick"
URL = "http://10.0.8.10:8080/"
UNIT = "eyas-bomb.service"
_FILL = "while :; do dd if=/dev/zero of={} bs=1M oflag=append conv=notrunc; sleep 0.1; done"
_WRITE = "for n in 1 2; do while :; do dd if=/dev/zero of=/srv/heavy/$n {}; done & done; wait"
BOMBS = {
    "memory": "while :; do python3 -c 'x = []\nwhile True: x.append(bytearray(1 << 20))'; done",
    "fork": "bomb() { bomb | bomb & }; while :; do bomb; sleep 0.2; done",
    "root": _FILL.format("/var/big"),
    "RAM disk": _FILL.format("/build/big"),
    "processor": "for n in 1 2 3 4; do while :; do :; done & done; wait",
    "disk": _WRITE.format("bs=1M count=64 oflag=direct"),
    "syncs": _WRITE.format("bs=4k count=500 oflag=dsync"),
}
"""What a tenant does, as bash says it."""
NAMED = {
    "memory": {"memory", "memory_high"}, "fork": {"tasks"}, "root": {"root"}, "RAM disk": {"/build"},
    "processor": {"cpus"}, "disk": {"io"}, "syncs": {"io"},
}  # fmt: skip
"""By which limits `eyas status` may name the tenant; it also does by others that it meets on the way."""
_LOAD = "/usr/local/lib/eyas-source/eyas/lab/load.py"
_CLIENT = ("systemd-run", "--quiet", "--pipe", "--wait", "--property=CPUSchedulingPolicy=fifo",
           "--property=CPUSchedulingPriority=50", "python3", _LOAD)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the neighbour's client saw: seconds within which half, and 99 of 100, were answered."""

    sent: int
    failed: int
    half: float
    most: float
    longest: float


def clients(machine: Emulated, rate: float, seconds: float) -> Seen:
    """Requests to the neighbour, so many a second, by the machine's clock."""
    words = (*_CLIENT, "--rate", f"{rate:g}", "--seconds", f"{seconds:g}", URL)
    seen = json.loads(machine.succeed(*words, timeout=60 * seconds + 600))
    return Seen(seen["sent"], seen["failed"], seen["p50"], seen["p99"], seen["longest"])


@contextmanager
def bomb(machine: Emulated, name: str, warm: float = 4) -> Iterator[None]:
    """The tenant does its worst while the block lasts, and has done so for a while when it begins."""
    quiet = [f"--property={key}=null" for key in ("StandardOutput", "StandardError")]
    argv = ["systemd-run", f"--machine={TENANT}", "--quiet", "--collect", f"--unit={UNIT}", *quiet,
            "--property=TimeoutStopSec=2", "--property=Restart=always", "--property=StartLimitIntervalSec=0",
            "bash", "-c", BOMBS[name]]  # fmt: skip
    machine.succeed(*argv)
    machine.succeed("sleep", f"{warm:g}")
    try:
        yield
    finally:
        machine.execute("systemctl", f"--machine={TENANT}", "stop", UNIT)
        machine.inside(TENANT, "rm -f /var/big /build/big /srv/heavy/*")


def hits(machine: Emulated) -> dict[str, set[str]]:
    """Containers that are held back right now, and by which limits, as `eyas status` tells."""
    found = {}
    for row in json.loads(machine.eyas("status", "--json"))["containers"]:
        names = {limit["limit"] for limit in row["limits"] if limit["state"] == "hit"}
        if names:
            found[row["name"]] = names
    return found
