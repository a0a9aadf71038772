"""What the parts share: their scripts, and how a text names another container."""

from __future__ import annotations

import ipaddress
from importlib.resources import files
from typing import Any

from eyas.core import paths
from eyas.host import shell
from eyas.model import Container, File, System

LIB = "/usr/local/lib/eyas"
"""Where the scripts of parts stand inside a container."""
PROOFS = paths.PROOFS
"""Where programs stand by which a new root is proved before a container gets it; people can run them at any time."""

HEADER = "# Written by eyas from the fleet's definitions; changes here are put back at the next apply.\n"


def script(name: str) -> File:
    """A script of this package (``scripts/NAME.sh``) as an executable file for a container."""
    text = (files(__package__) / "scripts" / f"{name}.sh").read_text()
    return File(shell.script(text), mode=0o755)


def proof(name: str, *commands: str) -> dict[str, File]:
    """The program that proves a root by these commands, all of which must succeed."""
    return {f"{PROOFS}/{name}": File("".join(f"{line}\n" for line in ("#!/bin/sh", "set -e", *commands)), mode=0o755)}


def address(of: Container | str) -> str:
    """How a file of a part writes the IPv4 address of a container: a reference, filled when it is rendered.

    ``of`` is a container, the name of one (for those that are declared later), or an address as it is.
    """
    if isinstance(of, str):
        try:
            return str(ipaddress.IPv4Address(of))
        except ValueError:
            return f"@{{{of}.address}}"
    return f"@{{{of.name}.address}}"


def dropin(unit: str, name: str) -> str:
    """The path of a drop-in of a unit (systemd.unit(5))."""
    return f"/etc/systemd/system/{unit}.d/50-{name}.conf"


def join(*systems: System) -> System:
    """One part of several that agree with each other."""
    lists = (
        "packages",
        "npm",
        "pip",
        "users",
        "tmpfiles",
        "enable",
        "mask",
        "binds",
        "probes",
        "grants",
        "sites",
        "certificates",
        "uses",
        "clients",
        "noise",
        "checks",
    )
    environment: dict[str, dict[str, str]] = {}
    for s in systems:
        for unit, variables in s.environment.items():
            environment.setdefault(unit, {}).update(variables)
    merged: Any = {name: tuple(dict.fromkeys(i for s in systems for i in getattr(s, name))) for name in lists}
    return System(
        files={path: file for s in systems for path, file in s.files.items()},
        units={name: unit for s in systems for name, unit in s.units.items()},
        environment=environment,
        **merged,
    )
