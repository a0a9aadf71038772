"""Starts builds: a unit for each, as many at once as are wanted, the urgent ones first.

It keeps nothing in memory. What it did not get to do before it died, the next one does: builds of dead units go back
to the queue, and what their roots left is removed.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace

from . import publish, roots
from .files import drop
from .queue import PRIORITIES, Job, Queue
from .run import run, say
from .settings import Settings

LOOK = 30.0
"""Seconds after which it looks by itself."""
PROGRAM = "/usr/local/bin/package-builder"


def serve(settings: Settings) -> None:
    """Dispatch until killed."""
    settings.run.mkdir(parents=True, exist_ok=True)
    path = settings.run / "wake"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(os.fspath(path))
        publish.keys(settings)
        queue = Queue(settings)
        _ready()
        say(f"building for {settings.repository}: {len(queue.waiting())} in the queue")
        while True:
            pause = turn(settings, queue)
            ear.settimeout(pause)
            try:
                ear.recv(16)
                ear.settimeout(0.05)  # several at once are one
                while True:
                    ear.recv(16)
            except OSError:
                continue


def _ready() -> None:
    """Tell systemd (sd_notify(3))."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"READY=1", "\0" + where[1:] if where.startswith("@") else where)


def turn(settings: Settings, queue: Queue) -> float:
    """Do all that can be done now; seconds until there may be more."""
    live = units()
    _recover(settings, queue, live)
    queue.forget()
    now = time.time()
    running = queue.running()
    busy = {one.package for one in running}
    free = settings.jobs - len(running)
    soon = LOOK
    for one in queue.waiting():
        if one.not_before > now:
            soon = min(soon, one.not_before - now + 0.01)
        elif free > 0 and one.package not in busy and queue.claim(one):
            free -= 1
            busy.add(one.package)
            _start(settings, queue, one)
    return max(0.05, soon)


def _start(settings: Settings, queue: Queue, one: Job) -> None:
    words = [
        *("systemd-run", "--quiet", "--collect", f"--unit={one.unit}", "--slice=build.slice"),
        f"--description=Build of {one.package}",
        f"--property=CPUWeight={PRIORITIES[one.priority]}",
        f"--property=IOWeight={PRIORITIES[one.priority]}",
        f"--property=RuntimeMaxSec={settings.timeout}",
        # Its mounts end with it, however it ends.
        "--property=PrivateMounts=yes",
        "--property=Delegate=yes",
        "--property=DelegateSubgroup=supervisor",
        "--property=TimeoutStopSec=10",
        "--property=OOMPolicy=kill",
        f"--property=ExecStopPost={PROGRAM} ended {one.id}",
    ]
    done = run([*words, PROGRAM, "run", one.id], timeout=60)
    if done.code:
        say(f"cannot start {one.unit}: {done.last}")
        queue.back(replace(one, state="", not_before=time.time() + 5))


def units() -> set[str]:
    """Units of builds that are not over."""
    argv = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", "build-*.service"]
    rows = [line.split() for line in run(argv).out.splitlines()]
    return {row[0] for row in rows if len(row) > 2 and row[2] not in ("inactive", "failed")}


def _recover(settings: Settings, queue: Queue, live: set[str]) -> None:
    """Builds whose unit is dead; and what is left of roots of builds that are not there any more."""
    for one in queue.running():
        if one.unit in live:
            continue
        if (queue.done_at / f"{one.id}.json").exists():
            drop(queue.running_at / f"{one.id}.json")
        elif one.attempts >= settings.attempts and not (queue.staged_at / one.id).is_dir():
            say(f"{one.id} has died {one.attempts} times")
            queue.end(one, "failed", f"it has died {one.attempts} times (package-builder logs {one.id})")
        else:
            queue.back(replace(one, state="", why="its unit died" if one.attempts else one.why))
    for id in roots.left(settings):
        if f"build-{id}.service" not in live:
            roots.remove(settings, id)
    publish.sweep_homes(settings)
    kept = {one.id for one in [*queue.running(), *queue.waiting()]}
    for path in queue.staged_at.iterdir():
        if path.name.strip(".").removesuffix(".new") not in kept:
            drop(path)
