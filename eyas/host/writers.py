"""Who in a running container could have written a file: its services with the folders that they declare, and what their
processes hold open.

Sources: systemd.exec(5) (StateDirectory= and its like), cgroups(7), proc(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from eyas.core.written import Writers
from eyas.host.command import run
from eyas.host.memory import CGROUPS, SLICE, unit

SETTINGS = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}
UNITS = (".service", ".scope")


def writers(container: str, base: int) -> Writers:
    """Ask systemd inside and look at the processes. ``base`` is the host's id of the container's root."""
    users: dict[int, set[str]] = {}
    opened: dict[str, set[str]] = {}
    for unit_, pid in processes(container):
        uid = _uid(pid)
        if uid is not None:
            users.setdefault(uid - base, set()).add(unit_)
        for path in _written_by(pid):
            opened.setdefault(path, set()).add(unit_)
    return Writers(
        directories(_services(container)),
        {uid: tuple(sorted(units)) for uid, units in users.items()},
        {path: tuple(sorted(units)) for path, units in opened.items()},
    )


def _services(container: str) -> str:
    """What systemd inside says of its services; '' when it does not answer."""
    properties = ",".join(("Id", "DynamicUser", *SETTINGS))
    argv = ["systemctl", f"--machine={container}", "show", f"--property={properties}", "*.service"]
    asked = run(argv, check=False, timeout=20)
    return asked.text if asked.code == 0 else ""


def directories(text: str) -> dict[str, tuple[str, str]]:
    """Folders that services declare as theirs, by what ``systemctl show`` says: path -> (unit, setting)."""
    found: dict[str, tuple[str, str]] = {}
    for block in text.split("\n\n"):
        rows = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for setting, parent in SETTINGS.items():
            for name in rows.get(setting, "").split():
                folder = name.partition(":")[0]
                places = [parent, f"{parent}/private"] if rows.get("DynamicUser") == "yes" else [parent]
                for place in places:
                    found.setdefault(f"{place}/{folder}", (rows.get("Id", ""), setting))
    return found


def processes(container: str, cgroups: str = CGROUPS) -> Iterator[tuple[str, str]]:
    """(unit inside, process id) of what runs in a container."""
    top = f"{cgroups}/{SLICE}/{unit(container)}/payload"
    for folder, _folders, files in os.walk(top):
        names = [name for name in folder.removeprefix(top).split("/") if name.endswith(UNITS)]
        if names and "cgroup.procs" in files:
            try:
                with open(f"{folder}/cgroup.procs") as listing:
                    pids = listing.read().split()
            except OSError:  # the group has gone since we saw it
                continue
            for pid in pids:
                yield names[0], pid


def _uid(pid: str) -> int | None:
    """The user that a process acts as, in our ids."""
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("Uid:"):
                    return int(line.split()[4])  # of its accesses to files
    except OSError:
        pass
    return None


def _written_by(pid: str) -> Iterator[str]:
    """Paths, as the process sees them, that it has open for writing."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            if os.lstat(f"{folder}/{name}").st_mode & 0o200:
                path = os.readlink(f"{folder}/{name}")
                if path.startswith("/") and not path.startswith(("/dev/", "/proc/", "/sys/")):
                    yield path
        except OSError:
            continue
