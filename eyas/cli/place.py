"""Where a command acts: the fleet's directory, what was noted about it, and which of its hosts.

Read before anything else, so nothing is imported that a command may do without.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFINITIONS = "fleet.py"
CACHE = ".eyas/cache"
NAMES = "names"
RUNS = "runs"
KEPT_FORMAT = 1  # of what an evaluation leaves there


def find_fleet(given: str | None) -> str:
    """The directory of the definitions: the given one, or the nearest one upwards from here that has a fleet.py."""
    from os.path import abspath, dirname, isfile, join

    start = abspath(given or ".")
    if given is not None and not isfile(join(start, DEFINITIONS)):
        raise _wrong(f"cannot use {given}: it has no {DEFINITIONS}", "give a directory with a fleet's definitions")
    folder = start
    while not isfile(join(folder, DEFINITIONS)):
        if dirname(folder) == folder:
            raise _wrong(
                f"cannot find {DEFINITIONS} in {start} or in a directory above it",
                "change to the fleet's directory, or name it with -C DIR",
            )
        folder = dirname(folder)
    return folder


def noted(fleet: str) -> dict[str, list[str]]:
    """Names of ``hosts`` and ``containers`` that the last evaluation of this fleet found; empty when there was none."""
    found: dict[str, list[str]] = {"hosts": [], "containers": []}
    try:
        _note_names(f"{fleet}/{CACHE}/{NAMES}", found)
    except (OSError, ValueError):
        return {"hosts": [], "containers": []}
    return found


def noted_runs(fleet: str) -> list[str]:
    """Ids of the runs that the last look at a history of this fleet's hosts saw, the newest first."""
    found: dict[str, list[str]] = {}
    try:
        _note_names(f"{fleet}/{CACHE}/{RUNS}", found)
    except (OSError, ValueError):
        return []
    return found.get("runs", [])


def _note_names(path: str, found: dict[str, list[str]]) -> None:
    with open(path, encoding="utf-8") as file:
        for line in file:
            kind, _, name = line.rstrip("\n").partition(" ")
            found.setdefault(kind, []).append(name)


def kept_path(fleet: str, host: str) -> str:
    """The file that holds what the last evaluation found for a host (`eyas.cli.cached`)."""
    return f"{fleet}/{CACHE}/{host}.json"


def names_text(hosts: Mapping[str, Sequence[str]]) -> str:
    """What `noted` reads: hosts, each with its containers, as lines."""
    containers = sorted({name for names in hosts.values() for name in names})
    return "".join([*(f"hosts {name}\n" for name in sorted(hosts)), *(f"containers {name}\n" for name in containers)])


def choose(hosts: Sequence[str], given: str | None, lab: bool) -> str:
    """Which of the fleet's hosts a command acts on. UsageError when that is not clear."""
    known = ", ".join(hosts)
    if given is not None:
        if given not in hosts:
            raise _wrong(f"cannot find the host {given} in the definitions", f"there are: {known}")
        if not lab and not is_here(given):
            raise _wrong(
                f"cannot act on {given}: this machine is {machine()}",
                "run eyas on that machine, or give --lab to act on the lab",
            )
        return given
    if lab:
        if len(hosts) == 1:
            return hosts[0]
        raise _wrong("cannot tell which host of the lab is meant", f"give --host NAME; there are: {known}")
    for host in hosts:
        if is_here(host):
            return host
    raise _wrong(
        f"cannot tell which host of the definitions this machine is: it is called {machine()}, they are {known}",
        "run eyas on a host of the fleet, or give --lab to act on the lab of this directory",
    )


def machine() -> str:
    """The name of this machine."""
    return os.uname().nodename


def is_here(host: str) -> bool:
    """Whether this machine is that host; a domain behind the name does not count."""
    return host in (machine(), machine().partition(".")[0])


def _wrong(message: str, hint: str) -> Exception:
    from eyas.core.errors import UsageError

    return UsageError(message, hint)
