"""Starting the host's end before anything else: a note says how it was started last, and what must still be true.

Between the start of a command and the start of the agent stand only this module and the reading of the command line;
all other imports happen while the agent looks at the host. `begin` gives None whenever anything is not as noted, and
the usual way is taken. No import but os and zlib, on purpose.

A note is lines of words: ``folder PATH`` and ``stamp NUMBER`` (the package's folders that the agent is made from, and
a check sum of names, times and sizes in them), ``file PATH`` (the agent on the host), ``process PID START`` (the lab
host's init, by its start time; proc(5)), ``env NAME=VALUE``, ``argv WORD``, ``request HEX`` (the frame that asks).
"""

from __future__ import annotations

import os
import zlib

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, BinaryIO

HEAD = "eyas agent 1"


class Started:
    """An agent under way, with as much of `subprocess.Popen` as a talk needs. The request has been sent."""

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: BinaryIO | None = os.fdopen(stdin, "wb")
        self.stdout: BinaryIO | None = os.fdopen(stdout, "rb")
        self.stderr: BinaryIO | None = os.fdopen(stderr, "rb")
        self.received: dict[str, Any] | None = None  # the first answer, when somebody has read it already

    def hear(self) -> bytes | None:
        """Wait for the first frame (`eyas.remote.protocol`); its body, None when no whole one came."""
        assert self.stdout is not None
        head = self.stdout.read(4)
        size = int.from_bytes(head, "big")
        body = self.stdout.read(size) if len(head) == 4 else b""
        return body if body and len(body) == size else None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; TimeoutError after ``timeout`` seconds."""
        import time

        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.002)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        import signal

        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def begin(path: str) -> Started | None:
    """Start the agent as noted in this file and ask it to look at the host; None when that cannot be done blindly."""
    try:
        note = _read(path)
        if note is None or not _true(note):
            return None
        env = dict(word.partition("=")[::2] for word in note["env"])
        return _start(note["argv"], env, bytes.fromhex(note["request"][0]))
    except (OSError, ValueError, LookupError):
        return None


def _read(path: str) -> dict[str, list[str]] | None:
    """The note, when it is ours: nobody else may say what we start."""
    with open(path, encoding="utf-8") as file:
        about = os.fstat(file.fileno())
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            return None
        lines = file.read().splitlines()
    if lines[:1] != [HEAD]:
        return None
    note: dict[str, list[str]] = {"file": [], "process": [], "env": []}
    for line in lines[1:]:
        kind, _, rest = line.partition(" ")
        note.setdefault(kind, []).append(rest)
    return note


def _true(note: Mapping[str, Sequence[str]]) -> bool:
    processes = (word.partition(" ")[::2] for word in note["process"])
    return (
        all(started and start_time(pid) == started for pid, started in processes)
        and all(os.path.exists(path) for path in note["file"])
        and str(stamp(note["folder"])) == note["stamp"][0]
    )


def _start(argv: Sequence[str], env: Mapping[str, str], request: bytes) -> Started:
    (theirs_in, ours_in), (ours_out, theirs_out), (ours_err, theirs_err) = os.pipe(), os.pipe(), os.pipe()
    ends = ((theirs_in, 0), (theirs_out, 1), (theirs_err, 2))
    try:
        # A session of its own: an interrupt typed at the terminal reaches us alone, and we decide.
        actions = [(os.POSIX_SPAWN_DUP2, end, number) for end, number in ends]
        program = argv[0] if argv[0].startswith("/") else f"/usr/bin/{argv[0]}"
        pid = os.posix_spawn(program, list(argv), dict(env), file_actions=actions, setsid=True)
    except OSError:
        for end in (ours_in, ours_out, ours_err):
            os.close(end)
        raise
    finally:
        for end, _ in ends:
            os.close(end)
    started = Started(pid, ours_in, ours_out, ours_err)
    os.write(ours_in, request)
    return started


def stamp(folders: Iterable[str]) -> int:
    """A check sum over the names, times and sizes of the files in these folders (not below them)."""
    lines: list[str] = []
    for folder in folders:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    about = entry.stat()
                    lines.append(f"{folder}/{entry.name} {about.st_mtime_ns} {about.st_size}\n")
    return zlib.crc32("".join(sorted(lines)).encode())


def start_time(pid: str | int) -> str:
    """When a process started, in clock ticks since boot (proc(5), field 22); '' when there is none, or only its zombie,
    which nobody can follow into its namespaces."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return ""


def note(
    path: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    request: bytes,
    folders: Sequence[str],
    files: Sequence[str],
    processes: Sequence[int],
) -> None:
    """Note how an agent was started. That it cannot be noted is no error: the next command takes the usual way."""
    words = [*argv, *folders, *files, *(f"{name}={value}" for name, value in env.items())]
    started = {pid: start_time(pid) for pid in processes}
    if any("\n" in word for word in words) or not all(started.values()):
        return  # not to be told on lines, or gone already: nobody may take "no such process" for what was noted
    lines = [
        HEAD,
        *(f"folder {folder}" for folder in folders),
        f"stamp {stamp(folders)}",
        *(f"file {file}" for file in files),
        *(f"process {pid} {since}" for pid, since in started.items()),
        *(f"env {name}={value}" for name, value in env.items()),
        *(f"argv {word}" for word in argv),
        f"request {request.hex()}",
    ]
    from eyas.host.disk import write_whole

    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_whole(path, "\n".join(lines) + "\n", 0o600, sync=False, shared=True)
    except OSError:
        return
