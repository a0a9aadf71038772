"""The keeper of one lab host: boots it, boots it again when it reboots, and notes what it knows about it.

Runs as a process of its own (``python -m eyas.lab.keeper BOOT.JSON``), so that a host outlives the command that
started it. It tells everything through machine.json; whoever kills it leaves a machine that runs on, but that a
reboot ends. systemd-nspawn(1) exits with 133 when the machine wants to reboot, and with --notify-ready=yes passes
on that it is up (sd_notify(3)).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from eyas.host.command import Process, launch
from eyas.lab import cgroup, wire
from eyas.lab.place import HostPlace, Place
from eyas.lab.state import read_json, start_time, write_json

REBOOT = 133  # what systemd-nspawn --keep-unit exits with when the machine asked for a reboot


class Keeper:
    """One machine and what is known about it."""

    def __init__(self, host: HostPlace, settings: dict[str, Any]) -> None:
        self.host = host
        self.settings = settings
        self.nspawn: Process | None = None
        self.stopping = False
        self.known: dict[str, Any] = {
            "keeper": os.getpid(),
            "keeper_start": start_time(os.getpid()),
            "boots": 0,
        }

    def note(self, **news: object) -> None:
        self.known.update(news)
        write_json(self.host.state, self.known, sync=False)

    def stop(self, *_: object) -> None:
        """SIGTERM: an orderly shutdown, which systemd-nspawn passes on."""
        self.stopping = True
        if self.nspawn is not None:
            with contextlib.suppress(ProcessLookupError):
                self.nspawn.terminate()

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self.stop)
        try:
            code = REBOOT
            while code == REBOOT and not self.stopping:
                code = self.boot_once()
            self.note(phase="stopped", leader=None, code=code)
        except Exception as error:
            self.note(phase="failed", leader=None, why=str(error))
            raise

    def boot_once(self) -> int:
        """From power on to power off; the exit code of systemd-nspawn."""
        began = time.monotonic()
        self.note(phase="starting", leader=None, boots=self.known["boots"] + 1, boot_seconds=None)
        group = f"{self.host.cgroup}/machine"
        cgroup.remove(group)  # what the last boot left
        cgroup.make(group)
        wire.attach(self.host, self.settings["interface"])
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            # An abstract address: nothing to clean up, and no limit to how deep the lab's directory lies.
            address = f"eyas-lab/{self.host.machine}/{os.getpid()}/{self.known['boots']}"
            notices.bind(f"\0{address}")
            self.nspawn = self.start(group, f"@{address}")
            self.follow(self.nspawn, notices, began)
        return self.nspawn.wait()

    def start(self, group: str, address: str) -> Process:
        cgroup.move(group, os.getpid())  # inherited by what we start; then back to where we were
        try:
            return launch(self.settings["argv"], env={**self.settings["env"], "NOTIFY_SOCKET": address})
        finally:
            cgroup.move(f"{self.host.cgroup}/keeper", os.getpid())

    def follow(self, nspawn: Process, notices: socket.socket, began: float) -> None:
        """Note what the machine says until it ends."""
        ended: int = os.pidfd_open(nspawn.pid)
        sources: list[socket.socket | int] = [notices, ended]
        try:
            while True:
                ready, _, _ = select.select(sources, [], [])
                if notices in ready:
                    self.hear(notices.recv(4096).decode(errors="replace"), began)
                elif ended in ready:
                    return
        finally:
            os.close(ended)

    def hear(self, notice: str, began: float) -> None:
        for line in notice.splitlines():
            key, _, value = line.partition("=")
            if key == "X_NSPAWN_LEADER_PID":
                pid = int(value)
                self.note(phase="booting", leader=pid, leader_start=start_time(pid))
            elif line == "READY=1" and self.known.get("phase") == "booting":
                self.note(phase="up", boot_seconds=round(time.monotonic() - began, 3))


def main(path: Path) -> None:
    settings = read_json(path)
    if settings is None:
        raise SystemExit(f"cannot boot: no settings in {path}")
    place = Place(settings["lab"], Path(settings["base"]))
    host = place.host(settings["host"])
    cgroup.make(f"{host.cgroup}/keeper")
    cgroup.join(f"{host.cgroup}/keeper")
    Keeper(host, settings).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
