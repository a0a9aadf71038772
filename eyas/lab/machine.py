"""One lab host from the outside: boot, reach, cut, shut down."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, Result, launch, run
from eyas.lab import cgroup, loops
from eyas.lab.place import HostPlace
from eyas.lab.spec import LabHost
from eyas.lab.state import alive, read_json, write_json

BOOT_TIMEOUT = 90.0  # seconds until a lab host is up
STOP_TIMEOUT = 60.0  # seconds for an orderly shutdown
JOIN = str(Path(__file__).with_name("join.sh"))
ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LANG=C.UTF-8",
)
_DEVICES = ("/dev/fuse", "/dev/net/tun", "/dev/loop-control", *(f"/dev/loop{n}" for n in range(8)))
_T = TypeVar("_T")


def wait_until(look: Callable[[], _T | None], timeout: float, why: Callable[[], str]) -> _T:
    """Look every 10 ms until something is seen; Failed with ``why()`` after ``timeout`` seconds."""
    until = time.monotonic() + timeout
    while True:
        seen = look()
        if seen is not None:
            return seen
        if time.monotonic() > until:
            raise Failed(why())
        time.sleep(0.01)


class Machine:
    """A lab host. All verbs look at what is, and keep nothing in memory."""

    def __init__(self, place: HostPlace, spec: LabHost) -> None:
        self.place = place
        self.spec = spec
        self.name = spec.name

    @property
    def root(self) -> Path:
        """The host's disk, as a directory of this machine."""
        return self.place.root

    # ------------------------------------------------------------ what is

    def known(self) -> dict[str, Any]:
        """What the keeper noted last."""
        return read_json(self.place.state) or {}

    def leader(self) -> int | None:
        """The process id of the host's init as seen here; None when the host is not running."""
        known = self.known()
        return known["leader"] if alive(known.get("leader"), known.get("leader_start")) else None

    def is_up(self) -> bool:
        """Whether the host has finished booting."""
        return self.known().get("phase") == "up" and self.leader() is not None

    @property
    def boot_seconds(self) -> float | None:
        """From power on until the host said that it is up."""
        return self.known().get("boot_seconds")

    # ------------------------------------------------------------ reach

    def command(self, argv: Sequence[str], *, env: Sequence[str] = ()) -> list[str]:
        """The command line that runs ``argv`` as root in the host, with stdin, stdout and stderr passed through:
        what ``ssh root@host`` would be. ``env`` holds further NAME=value words. Failed when the host is not running.
        """
        leader = self.leader()
        if leader is None:
            raise Failed(f"cannot reach the lab host {self.name}: it is not running", "start it: eyas lab up")
        group = cgroup.unified() / self.place.cgroup / "machine/payload/wire"
        return [
            *("/bin/sh", JOIN, str(group)),
            *("nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"),
            *("env", "-i", *ENVIRONMENT, *env, *argv),
        ]

    def shell_command(self) -> list[str]:
        """The command line of a login shell with a terminal of the host's own."""
        term = f"TERM={os.environ.get('TERM', 'linux')}"
        return self.command(
            [
                "systemd-run",
                "--quiet",
                "--collect",
                "--pty",
                "--background=",
                f"--setenv={term}",
                "--working-directory=/root",
                "--",
                "/bin/bash",
                "-l",
            ],
            env=[term],
        )

    def run(
        self, argv: Sequence[str], *, input: bytes | str | None = None, timeout: float = 60.0, check: bool = True
    ) -> Result:
        """Run a command in the host to its end. The result and the error speak of ``argv`` alone."""
        result = run(self.command(argv), input=input, timeout=timeout, check=False)
        plain = Result(tuple(argv), result.code, result.out, result.err, result.seconds)
        if check and result.code != 0:
            last = (result.error or result.text).splitlines()[-6:]
            raise CommandFailed(
                f"cannot run {argv[0]} on {self.name}: exit status {result.code}"
                + "".join(f"\n  {each}" for each in last),
                plain,
            )
        return plain

    # ------------------------------------------------------------ power

    def power_on(self) -> None:
        """Start the keeper, which boots the host; does nothing when one lives. `wait` for the host to be up."""
        if self.keeper() is not None or self.leader() is not None:
            return
        self._clear()
        loops.detach(self.root)
        write_json(self.place.settings, self._settings(), sync=False)
        write_json(self.place.state, {"phase": "starting", "boots": 0}, sync=False)
        # It joins the group first of all, so that a `lab down` after our sudden end finds it there.
        group = cgroup.unified() / self.place.cgroup / "keeper"
        cgroup.make(f"{self.place.cgroup}/keeper")
        descriptor = os.open(self.place.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            keeper = launch(
                ["/bin/sh", JOIN, str(group), sys.executable, "-m", "eyas.lab.keeper", str(self.place.settings)],
                output=descriptor,
                env={"PYTHONPATH": str(Path(__file__).parents[2])},
                detach=True,
            )
        finally:
            os.close(descriptor)
        # It notes itself after some 50 ms; until then nobody else may think that there is none.
        wait_until(
            lambda: True if self.known().get("keeper") == keeper.pid or keeper.poll() is not None else None,
            10.0,
            lambda: f"cannot boot {self.name}: its keeper does not answer",
        )

    def wait(self, timeout: float = BOOT_TIMEOUT, boots: int | None = None) -> float:
        """Wait until the host is up (after at least ``boots`` boots); the seconds its boot took."""

        def look() -> float | None:
            known = self.known()
            if known.get("phase") in ("stopped", "failed") or self.keeper() is None:
                raise Failed(f"cannot boot {self.name}: {known.get('why', 'it stopped')}{self.last_lines()}")
            enough = boots is None or known.get("boots", 0) >= boots
            return known.get("boot_seconds") if enough and self.is_up() else None

        return wait_until(
            look, timeout, lambda: f"cannot boot {self.name}: it is not up after {timeout:g} s{self.last_lines()}"
        )

    def boot(self, timeout: float = BOOT_TIMEOUT) -> float:
        """Power on and wait; the seconds the boot took."""
        self.power_on()
        return self.wait(timeout)

    def reboot(self, timeout: float = BOOT_TIMEOUT) -> float:
        """An orderly reboot from inside, with the same disk; the seconds the boot took."""
        boots = self.known().get("boots", 0)
        kept = self.keeper() is not None
        with contextlib.suppress(CommandFailed):  # the command may end with the machine
            self.run(["systemctl", "reboot"], timeout=STOP_TIMEOUT)
        if kept:
            return self.wait(timeout + STOP_TIMEOUT, boots=boots + 1)
        # Somebody killed its keeper: it goes down, and nobody but us boots it again.
        late = f"cannot reboot {self.name}: it is still up after {STOP_TIMEOUT:g} s"
        wait_until(lambda: True if self.leader() is None else None, STOP_TIMEOUT, lambda: late)
        return self.boot(timeout)

    def cut(self) -> None:
        """Cut the power: every process of the host ends at once, unasked. Its disk stays as it is in that moment.

        What was written and not synced is there too: the pages are those of the machine below, which runs on.
        """
        self._clear()
        write_json(self.place.state, {"phase": "stopped", "leader": None, "why": "power cut"}, sync=False)
        loops.detach(self.root)

    def shut_down(self, timeout: float = STOP_TIMEOUT) -> None:
        """An orderly shutdown; what has not ended after ``timeout`` seconds is cut."""
        keeper = self.keeper()
        if keeper is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper, signal.SIGTERM)
            with contextlib.suppress(Failed):
                wait_until(lambda: True if self.keeper() is None else None, timeout, lambda: "late")
        self.cut()

    def keeper(self) -> int | None:
        known = self.known()
        return known["keeper"] if alive(known.get("keeper"), known.get("keeper_start")) else None

    def last_lines(self, count: int = 15) -> str:
        """The end of the host's console, ready to be put after a message."""
        try:
            lines = self.place.console.read_text(errors="replace").splitlines()[-count:]
        except OSError:
            return ""
        return "; its console ended with:" + "".join(f"\n  {line}" for line in lines) if lines else ""

    def _clear(self) -> None:
        """End whatever lives in the host's control group, and remove the group."""
        cgroup.kill(self.place.cgroup)
        cgroup.remove(self.place.cgroup)

    def _settings(self) -> dict[str, Any]:
        binds = [f"--bind={device}" for device in _DEVICES if Path(device).exists()]
        return {
            "lab": self.place.lab.id,
            "base": str(self.place.lab.base),
            "host": self.name,
            "interface": self.spec.interface,
            "argv": [
                "systemd-nspawn",
                "--quiet",
                "--boot",
                "--register=no",
                "--keep-unit",
                "--settings=no",
                f"--directory={self.root}",
                f"--machine={self.place.machine}",
                f"--hostname={self.name}",
                f"--network-namespace-path=/run/netns/{self.place.namespace}",
                "--capability=all",
                "--link-journal=no",
                "--resolv-conf=off",
                "--timezone=off",
                "--notify-ready=yes",
                "--console=read-only",
                *binds,
            ],
            "env": {
                "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",  # a host owns its /proc/sys and /sys
                "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
                "SYSTEMD_SECCOMP": "0",  # a host has no filter of system calls
            },
        }
