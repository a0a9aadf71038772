"""The one door for processes: argument lists, a clean environment, a time limit, errors to act on.

Nothing else in eyas starts a process. A failure says which program, how it ended and what it wrote last,
and carries a line that can be pasted to a shell to do the same again.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess  # the one import of it
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eyas.core.errors import Failed

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import IO, Protocol, TypeAlias
else:
    Protocol = object  # nobody asks at run time, and making protocols takes a host longer than looking at its files

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_TIMEOUT = 60.0  # seconds; what takes longer says so at its call
LAST_LINES = 8  # of stderr, shown when a command fails

Process: TypeAlias = "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class Result:
    """How a command ended. ``seconds`` is wall time; ``code`` is negative for a signal."""

    argv: tuple[str, ...]
    code: int
    out: bytes
    err: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Standard output as text, without the last line feed."""
        return self.out.decode(errors="replace").rstrip("\n")

    @property
    def error(self) -> str:
        """Standard error as text, without the last line feed."""
        return self.err.decode(errors="replace").rstrip("\n")


class CommandFailed(Failed):
    """A command could not be run, ended with a failure, or took too long."""

    def __init__(self, message: str, result: Result, hint: str = "") -> None:
        super().__init__(message, hint or f"to see it again: {replay(result.argv)}")
        self.result = result


def replay(argv: Sequence[str]) -> str:
    """The command as a line for a shell."""
    return shlex.join(argv)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every command: made from nothing, so that a user's settings cannot change an output.

    Kept from ours: where proxies are (a build may need them) and where the terminal's home is.
    """
    env = {"PATH": PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    for name in ("HOME", "TERM", "http_proxy", "https_proxy", "no_proxy"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(extra or {})
    return env


def run(
    argv: Sequence[str],
    *,
    input: bytes | str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    check: bool = True,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run a command to its end and return what it said.

    ``timeout`` in seconds. With ``check`` (the default) a code other than 0 raises CommandFailed; a program
    that is missing and a command that takes too long always do.
    """
    return start(argv, input=input, cwd=cwd, env=env).wait(timeout=timeout, check=check)


class Running:
    """A command that was started and not awaited yet, so that several can run at the same time."""

    def __init__(self, argv: tuple[str, ...], process: subprocess.Popen[bytes], input: bytes | None) -> None:
        self.argv = argv
        self.process = process
        self._input = input
        self._began = time.monotonic()

    def wait(self, *, timeout: float = DEFAULT_TIMEOUT, check: bool = True, input: str | None = None) -> Result:
        """Wait for the end, at most ``timeout`` seconds from now. ``input`` stands for the one that it was started
        with, which is not sent before."""
        if input is not None:
            self._input = input.encode()
        try:
            out, err = self.process.communicate(self._input, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            result = self._result(-9, out, err)
            raise CommandFailed(
                f"cannot run {self.argv[0]}: it took longer than {timeout:g} s{_last(result)}", result
            ) from None
        result = self._result(self.process.returncode, out, err)
        _log(result)
        if check:
            raise_for(result)
        return result

    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def _result(self, code: int, out: bytes, err: bytes) -> Result:
        return Result(self.argv, code, out or b"", err or b"", time.monotonic() - self._began)


def start(
    argv: Sequence[str],
    *,
    input: bytes | str | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Running:
    """Start a command and return at once; `Running.wait` gives its result."""
    words = tuple(argv)
    data = input.encode() if isinstance(input, str) else input
    process = _spawn(words, cwd, env, stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL)
    return Running(words, process, data)


def launch(
    argv: Sequence[str],
    *,
    output: int | None = None,
    env: Mapping[str, str] | None = None,
    detach: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process that is to last, with nothing on its stdin, and return at once.

    Both its streams go to the descriptor ``output`` (default: where ours go). With ``detach`` it lives in a session
    of its own: neither the terminal's interrupt nor our end reaches it.
    """
    words = tuple(argv)
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(env),
            start_new_session=detach,
        )
    except OSError as error:
        result = Result(words, 127, b"", b"", 0.0)
        raise CommandFailed(f"cannot run {words[0]}: {error.strerror or error}", result) from None


def stream(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    timeout: float = 3600.0,
    check: bool = True,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run a long command and hand over each line of its output (both streams, in order) while it runs.

    The result's ``err`` holds the last lines, so that a failure can be explained.
    """
    words = tuple(argv)
    began = time.monotonic()
    process = _spawn(words, cwd, env, stdin=subprocess.DEVNULL, joined=True)
    last: list[str] = []
    try:
        _follow(process.stdout, on_line, last, began + timeout)
        code = process.wait(timeout=max(0.1, began + timeout - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired):
        result = Result(words, -9, b"", "\n".join(last).encode(), time.monotonic() - began)
        raise CommandFailed(
            f"cannot run {words[0]}: it took longer than {timeout:g} s{_last(result)}", result
        ) from None
    finally:
        # Also when the listener raised or the user interrupted: nothing of ours stays behind.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
    result = Result(words, code, b"", "\n".join(last).encode(), time.monotonic() - began)
    _log(result)
    if check:
        raise_for(result)
    return result


def converse(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a program to talk with over its input and output (an agent); the caller ends it.

    It runs in a session of its own: an interrupt typed at the terminal reaches us alone, and we decide.
    """
    words = tuple(argv)
    return _spawn(words, None, env, stdin=subprocess.PIPE, session=True)


class Ending(Protocol):
    """What can be waited for: a process of ours."""

    def wait(self, timeout: float | None = None) -> int: ...


def ended(process: Ending, timeout: float) -> int | None:
    """The code that a process ended with, None when it still runs after ``timeout`` seconds."""
    try:
        return process.wait(timeout=timeout)
    except (subprocess.TimeoutExpired, TimeoutError):
        return None


def _follow(pipe: IO[bytes] | None, on_line: Callable[[str], None], last: list[str], deadline: float) -> None:
    """Read lines until the end, keeping the last ones; TimeoutError after the (monotonic) deadline."""
    import select

    assert pipe is not None
    rest = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        chunk = os.read(pipe.fileno(), 65536)
        *lines, rest = (rest + chunk).split(b"\n") if chunk else ([rest, b""] if rest else [b""])
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            last.append(text)
            del last[: -LAST_LINES * 4]
            on_line(text)
        if not chunk:
            return


def _spawn(
    argv: tuple[str, ...],
    cwd: str | None,
    env: Mapping[str, str] | None,
    *,
    stdin: int,
    joined: bool = False,
    session: bool = False,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if joined else subprocess.PIPE,
            cwd=cwd,
            env=environment(env),
            start_new_session=session,
            process_group=0 if joined else None,  # a long command has children, which must end with it
        )
    except FileNotFoundError:
        result = Result(argv, 127, b"", b"", 0.0)
        if cwd is not None and not os.path.isdir(cwd):
            raise CommandFailed(f"cannot run {argv[0]}: no such directory: {cwd}", result) from None
        raise missing(result) from None
    except OSError as error:
        result = Result(argv, 126, b"", b"", 0.0)
        raise CommandFailed(f"cannot run {argv[0]}: {error.strerror or error}", result) from None


def missing(result: Result) -> CommandFailed:
    """The error for a program that is not there."""
    program = result.argv[0]
    return CommandFailed(
        f"cannot run {program}: no such program on this machine",
        result,
        f"install the package that has it (apt-file search bin/{program}), or look at PATH={PATH}",
    )


def raise_for(result: Result) -> None:
    """Raise CommandFailed when a result is a failure."""
    code, program = result.code, result.argv[0]
    if code == 0:
        return
    if code == 127:
        raise missing(result)
    how = f"ended by signal {-code}" if code < 0 else f"exit status {code}"
    raise CommandFailed(f"cannot run {program}: {how}{_last(result)}", result)


def _last(result: Result) -> str:
    """The last lines of stderr (or of stdout, where there are none), ready to be put after a message."""
    text = result.error or result.text
    lines = [line for line in text.splitlines() if line.strip()][-LAST_LINES:]
    if not lines:
        return ""
    return f": {lines[0].strip()}" if len(lines) == 1 else "\n  " + "\n  ".join(lines)


def _log(result: Result) -> None:
    # A program that wants the log has imported logging already; on a host nobody reads it: 10 ms saved.
    if "logging" in sys.modules:
        import logging

        logging.getLogger("eyas.command").debug(
            "%s -> %d (%.0f ms)", replay(result.argv), result.code, result.seconds * 1000
        )
