"""Packages of the host, by dpkg's own records and apt-get(8)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, run

STATUS = "/var/lib/dpkg/status"
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "NEEDRESTART_MODE": "l"}
SLOW = 1800  # seconds; a package may come over a slow line


def installed_in(status: str, names: Sequence[str]) -> dict[str, str]:
    """Versions of those of the names that dpkg's status file has as installed (deb822(5))."""
    found = {}
    for name in names:
        match = re.search(
            rf"^Package: {re.escape(name)}\nStatus: \w+ ok installed\n(?:.+\n)*?Version: (.*)$",
            status,
            re.MULTILINE,
        )
        if match:
            found[name] = match.group(1)
    return found


class RealPackages:
    """`eyas.core.system.Packages`. ``status`` is dpkg's file (tests give another)."""

    def __init__(self, status: str = STATUS) -> None:
        self._status = status

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        if not names:
            return {}
        try:
            with open(self._status, encoding="utf-8", errors="replace") as file:
                return installed_in(file.read(), names)
        except FileNotFoundError:
            return {}

    def install(self, names: Sequence[str]) -> None:
        if names:
            self._apt("install", names, ["--no-install-recommends"])

    def remove(self, names: Sequence[str]) -> None:
        present = self.installed(names)
        if present:
            self._apt("remove", sorted(present), [])

    def _apt(self, verb: str, names: Sequence[str], options: Sequence[str]) -> None:
        # apt waits for another apt that runs (unattended upgrades); half an hour is more than any of them needs.
        common = ["--yes", "--quiet", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-confold"]
        try:
            run(["apt-get", verb, *common, *options, "--", *names], timeout=SLOW, env=QUIET)
        except CommandFailed as error:
            if verb == "install" and "Unable to locate package" in error.result.error:
                run(["apt-get", "update", "--quiet"], timeout=SLOW, env=QUIET)
                run(["apt-get", verb, *common, *options, "--", *names], timeout=SLOW, env=QUIET)
                return
            last = error.result.error.splitlines()[-1:] or [error.message]
            raise Failed(
                f"cannot {verb} {', '.join(names)} on the host: {last[0]}",
                f"to see it again: apt-get {verb} {' '.join(names)}",
            ) from None
