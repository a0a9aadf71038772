"""The one place where programs are started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


class Refused(Exception):
    """It cannot be done, and trying again will not help: "cannot X: why"."""


class Delayed(Exception):
    """It cannot be done now. ``seconds``: when to try again; 0 is the builder's choice."""

    def __init__(self, why: str, seconds: float = 0) -> None:
        super().__init__(why)
        self.seconds = seconds


class Killed(Exception):
    """A program got SIGKILL: from somebody, or because there was no memory. That says nothing about the build."""


def killed(code: int) -> bool:
    """Whether an exit status says so: of a program, of a shell that has run one, or of systemd-nspawn, which ends with
    255 when one of its own processes has got the signal."""
    return code in (-signal.SIGKILL, 128 + signal.SIGKILL, 255)


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line that it wrote, for a message."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else f"exit status {self.code}"


def run(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    input: str = "",
    timeout: float = 300,
) -> Done:
    """Run a program to its end, however that is. Raises Refused when there is no such program, Delayed when its time
    is up."""
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            input=input,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Delayed(f"{argv[0]} took more than {timeout:g} s") from late
    except OSError as error:
        raise Refused(f"cannot run {argv[0]}: {error.strerror or error}") from error
    return Done(done.returncode, done.stdout, done.stderr)


def must(argv: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """What a program printed that has to succeed. Raises Refused, Killed."""
    done = run(argv, cwd=cwd, env=env)
    if killed(done.code):
        raise Killed(f"{argv[0]} was killed")
    if done.code:
        raise Refused(f"cannot run {' '.join(argv[:3])}: {done.last}")
    return done.out


def shown(argv: Sequence[str], look: Callable[[str], None], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program, its lines passed on as they come (to the journal) and looked at; its exit status."""
    with subprocess.Popen(
        list(argv),
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            look(line)
    return process.returncode


def become(argv: Sequence[str]) -> None:
    """Go on as another program."""
    os.execvp(argv[0], list(argv))  # noqa: S606


def say(text: str) -> None:
    """A line for whoever reads the log or the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
