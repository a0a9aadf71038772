"""Few plain verbs for tests of a lab: succeed, fail, wait_for_unit, wait_for_port, wait_until, cut, boot, reboot.

A failed verb is an AssertionError that says what was tried, for how long, and what was seen at the last try.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from eyas.core.errors import EyasError
from eyas.host.command import Result, replay
from eyas.lab.lab import INTERNET, Lab

_T = TypeVar("_T")


def retry(look: Callable[[], _T], what: str, timeout: float = 60.0, pause: float = 0.1) -> _T:
    """Call ``look`` until it neither raises nor returns something false, and return that.

    After ``timeout`` seconds: AssertionError with ``what`` was awaited and what the last try gave.
    """
    until = time.monotonic() + timeout
    while True:
        try:
            seen = look()
            last = f"it was {seen!r}"
        except (AssertionError, EyasError, OSError) as error:
            seen, last = None, str(error)
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {timeout:g} s; at the last try: {last}")
        time.sleep(pause)


class Where:
    """Somewhere in a lab where commands run: a host, or the internet."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name

    def execute(self, *argv: str, input: str | bytes | None = None, timeout: float = 60.0) -> Result:
        """Run a command to its end, however it ends."""
        return self.lab.exec(self.name, argv, input=input, timeout=timeout, check=False)

    def succeed(self, *argv: str, input: str | bytes | None = None, timeout: float = 60.0) -> str:
        """Run a command that must succeed; what it wrote to stdout."""
        result = self.execute(*argv, input=input, timeout=timeout)
        assert result.code == 0, f"{self._told(argv, result)}: exit status {result.code}"
        return result.text

    def fail(self, *argv: str, input: str | bytes | None = None, timeout: float = 60.0) -> str:
        """Run a command that must fail; what it wrote to stderr."""
        result = self.execute(*argv, input=input, timeout=timeout)
        assert result.code != 0, f"{self._told(argv, result)}: succeeded, and should not"
        return result.error

    def wait_until_succeeds(self, *argv: str, timeout: float = 60.0) -> str:
        """Run a command again and again until it succeeds."""
        what = f"{self.name}: {replay(argv)} succeeds"
        return retry(lambda: (self.succeed(*argv), "ok"), what, timeout)[0]

    def wait_until(self, look: Callable[[], _T], what: str = "the condition", timeout: float = 60.0) -> _T:
        """`retry`, told of this place."""
        return retry(look, f"{self.name}: {what}", timeout)

    def wait_for_port(self, port: int, address: str = "127.0.0.1", timeout: float = 60.0) -> None:
        """Wait until somebody accepts TCP connections there, as seen from here."""
        connect = ("timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}")
        what = f"{self.name}: port {port} of {address} is open"
        retry(lambda: (self.succeed(*connect), True), what, timeout)

    def _told(self, argv: tuple[str, ...], result: Result) -> str:
        return f"{self.name}: {replay(argv)}\n{result.text}\n{result.error}".rstrip()


class Internet(Where):
    """Clients beside the hosts, from which the public addresses are reached."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, INTERNET)

    def get(self, url: str, *options: str, timeout: float = 10.0) -> str:
        """The body that a URL answers with; must be a success (curl(1) --fail)."""
        return self.succeed("curl", "--silent", "--show-error", "--fail", "--max-time", f"{timeout:g}", *options, url)


class Host(Where):
    """A lab host under test."""

    @property
    def root(self) -> Path:
        """Its disk, as seen from this machine."""
        return self.lab.host(self.name).root

    def wait_for_unit(self, unit: str, machine: str | None = None, timeout: float = 60.0) -> None:
        """Wait until a unit of the host, or of a container on it, is active; at once when it has failed."""
        where = [f"--machine={machine}"] if machine else []

        def look() -> bool:
            state = self.execute("systemctl", *where, "is-active", unit).text
            if state == "failed":
                raise RuntimeError(f"{unit} has failed")
            return state == "active"

        try:
            retry(look, f"{self.name}: {unit} is active", timeout)
        except (AssertionError, RuntimeError) as error:
            status = self.execute("systemctl", *where, "status", "--no-pager", "--lines=30", unit)
            raise AssertionError(f"{error}\n{status.text}\n{status.error}") from None

    def boot_id(self) -> str:
        """Which boot of the host this is."""
        return self.succeed("cat", "/proc/sys/kernel/random/boot_id")

    def cut(self) -> None:
        """Cut its power."""
        self.lab.cut(self.name)

    def boot(self) -> float:
        """Power it on and wait until it is up; the seconds that took."""
        return self.lab.boot(self.name)

    def reboot(self) -> float:
        """An orderly reboot; the seconds from power on until it was up."""
        return self.lab.reboot(self.name)

    def block(self) -> None:
        """Lose every packet of its wire."""
        self.lab.block(self.name)

    def unblock(self) -> None:
        self.lab.unblock(self.name)
