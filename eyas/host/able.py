"""Whether this machine can be a host at all, asked before anything is changed: without it the answer would come in the
middle of a run, from a program that does not know a word.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection

from eyas.core.errors import Failed
from eyas.host.command import PATH, CommandFailed, run

SYSTEMD = 257
"""The release that all of eyas is tested with, Debian 13's. That of Debian 12 is known to be too old: its
systemd-run(1) has no --expand-environment, which probes need."""
PROGRAMS = {"systemd-nspawn": "systemd-container", "nft": "nftables", "ip": "iproute2", "ostree": "ostree"}
"""Programs that a host needs, each with its Debian package."""
BOOTED = "/run/systemd/system"  # sd_booted(3)


def able() -> None:
    """Raise Failed when this machine lacks something, with all of it in one message."""
    try:
        version = run(["systemctl", "--version"]).text
    except CommandFailed:
        version = ""
    there = {program for program in PROGRAMS if shutil.which(program, path=PATH)}
    lacks, hints = lacking(version, os.path.isdir(BOOTED), there)
    if lacks:
        raise Failed(f"cannot apply: this machine is no host for containers yet: {'; '.join(lacks)}", "; ".join(hints))


def lacking(version: str, booted: bool, there: Collection[str]) -> tuple[list[str], list[str]]:
    """What is missing, and what to do. ``version`` is what ``systemctl --version`` says, ``there`` are programs."""
    lacks, hints = [], []
    found = re.match(r"systemd (\d+)", version)
    if not booted:
        lacks.append("it was not booted by systemd")
        hints.append("eyas lab up boots a virtual host of these definitions")
    if found is None or int(found.group(1)) < SYSTEMD:
        lacks.append(f"systemd {SYSTEMD} or newer is needed, it has {found.group(1) if found else 'none'}")
        hints.append("Debian 13 has it")
    missing = sorted(package for program, package in PROGRAMS.items() if program not in there)
    if missing:
        lacks.append(f"not installed: {', '.join(missing)}")
        hints.append(f"apt-get install {' '.join(missing)}")
    return lacks, hints
