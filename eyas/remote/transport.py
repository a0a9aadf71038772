"""The ways to a host, and a talk with the agent there.

    Here      this machine
    LabWire   a lab host: the same commands behind a prefix that enters it, files by its root's path
    (Ssh)     later: ``command`` is ["ssh", host, "--", ...] with quoted words, ``root`` is None, and the agent arrives
              as a tar on standard input; nothing else here has to change

A command that changes nothing must cost little, so `start_observe` starts the agent at once and asks; the caller loads
definitions meanwhile and collects the answer with `Observing.result`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast

from eyas.apply.outcome import Outcome
from eyas.core.errors import EyasError, Failed
from eyas.core.events import Listener, silent
from eyas.core.words import Json, Plan, Resource, Resources
from eyas.remote import protocol

# What starts and installs an agent is imported where that is done: mostly, one that was started early is taken over.
if TYPE_CHECKING:
    from eyas.host import command
    from eyas.remote.early import Started

PIPE = 1 << 20  # bytes; F_SETPIPE_SZ (fcntl(2)): an answer fits, so the agent ends although nobody reads yet
PATIENCE = 10.0  # seconds for an agent to end when its stream is closed
INSTALL = 60.0  # seconds to compile the agent on a slow host


class Transport(Protocol):
    """A way to a host."""

    @property
    def name(self) -> str:
        """What messages call the host's end: "this machine", "lab host immortalis"."""

    @property
    def root(self) -> Path | None:
        """Where the host's root directory is reachable as files; None when it is not."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command to start here so that ``argv`` runs on the host, with its standard streams."""


@dataclass(frozen=True)
class Here:
    """This machine, as its root user."""

    name: str = "this machine"
    root: Path | None = Path("/")

    def command(self, argv: Sequence[str]) -> list[str]:
        return list(argv)


@dataclass(frozen=True)
class LabWire:
    """A lab host: ``prefix`` is the command that enters it (nsenter of the host's first process)."""

    host: str
    prefix: tuple[str, ...]
    place: Path

    @property
    def name(self) -> str:
        return f"lab host {self.host}"

    @property
    def root(self) -> Path | None:
        return self.place

    def command(self, argv: Sequence[str]) -> list[str]:
        return [*self.prefix, *argv]


@dataclass(frozen=True)
class Observed:
    """What a host holds. ``interrupted`` is the run that nobody ended: recover it before planning anything; unless
    ``busy`` tells who is at it. ``pending`` are ids that are prepared for the next boot, with digests of their fields
    then."""

    resources: dict[str, Resource]
    interrupted: str | None
    busy: str | None = None
    pending: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """A talk with one agent. Also a context manager; leaving it ends the agent (but no run that has begun)."""

    def __init__(self, transport: Transport, started: Started | None = None) -> None:
        """Starts the agent, and installs it first where it is missing; or goes on with one that was started before
        (`eyas.remote.early`). Failed when the host cannot be reached."""
        self.transport = transport
        self._process: command.Process | Started = started or _start(transport)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out, self._in = self._process.stdin, self._process.stdout
        for stream in (self._out, self._in):
            _widen(stream.fileno())
        self._waiting = started is not None  # it was asked to look when it was started
        self._received = started.received if started is not None else None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, *, patient: bool = True) -> None:
        """End the talk. An agent that is in the middle of a run finishes it without us. Not ``patient``: the agent has
        nothing to do any more, and ends by itself when its stream does."""
        for stream in (self._out, self._in):
            try:
                stream.close()
            except OSError:  # the agent is gone already, with unsent words in our buffer
                continue
        if patient and not self._waiting and _ended(self._process) is None:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    # Raw

    def ask(self, do: str, **more: Json) -> None:
        """Send a request without waiting for the answer (`answer` gets it)."""
        self._waiting = True
        try:
            protocol.send(self._out, {"v": protocol.VERSION, "do": do, **more})
        except protocol.Lost as error:
            raise self._lost(do) from error

    def answer(self, listener: Listener = silent, what: str = "talk") -> Json:
        """The result of the oldest request; events go to the listener. Raises what the agent raised; Lost when it
        went away. Of an interrupt see `_interrupts`."""
        while True:
            message, self._received = self._received or protocol.receive(self._in), None
            if message is None:
                raise self._lost(what)
            if "event" in message:
                listener(protocol.event_from_json(cast("dict[str, Json]", message["event"])))
                continue
            self._waiting = False
            if "error" in message:
                raise protocol.error_from_json(cast("dict[str, Json]", message["error"]))
            return message.get("result")

    def request(self, do: str, listener: Listener = silent, **more: Json) -> Json:
        self.ask(do, **more)
        return self.answer(listener, do)

    def interrupt(self) -> None:
        """Ask the run that is under way to stop and go back. No error when the agent is gone."""
        try:
            protocol.send(self._out, {"v": protocol.VERSION, "do": "interrupt"})
        except protocol.Lost:
            return

    @contextmanager
    def _interrupts(self) -> Iterator[None]:
        """Within the block an interrupt (SIGINT) is passed on to the agent, whose answer says what became of it.

        By a handler and not by KeyboardInterrupt: an exception may come in the middle of a message, which is then lost
        with all that follow, or in a finaliser, where Python throws it away.
        """
        import signal
        import threading

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, lambda *_: self.interrupt())
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)

    def _lost(self, what: str) -> EyasError:
        """The error for an agent that went away: with its last words, which tell more than we know."""
        self._waiting = False
        code = _ended(self._process)
        said = b""
        if code is not None and self._process.stderr is not None:
            said = self._process.stderr.read()
        lines = said.decode(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        how = "its stream ended" if code is None else f"it was killed by signal {-code}" if code < 0 else f"exit {code}"
        if what in ("apply", "recover"):
            return protocol.Lost(
                f"cannot see the end of the run on {self.transport.name}: the agent went away ({how}){last}",
                "if it is still at work, eyas history shows its end; if it was killed, run: eyas recover",
            )
        return protocol.Lost(f"cannot {what} on {self.transport.name}: the agent went away ({how}){last}")

    # Requests

    def observe(self) -> Observed:
        return observed(self.request("observe"))

    def apply(
        self,
        plan: Plan,
        desired: Resources,
        listener: Listener = silent,
        *,
        seen: Resources | None = None,
        note: str = "",
        confirm: float = 0.0,
    ) -> Outcome:
        """Do a plan. With ``seen`` (the observation it was made from) it is refused when the host has changed since.
        ``note`` stands in the history. When the plan may cut our connection, it is undone unless a new one confirms
        within ``confirm`` seconds that the host can be reached; that is done here. 0 does without."""
        from eyas.apply.proof import fingerprint
        from eyas.remote.fresh import Confirming

        self.ask(
            "apply",
            plan=plan.to_json(),
            desired=[resource.to_json() for resource in desired.values()],
            who=who(),
            seen=fingerprint(seen) if seen is not None else "",
            note=note,
            confirm=confirm,
            fault=os.environ.get("EYAS_FAULT", ""),
        )
        with self._interrupts():
            answer = self.answer(Confirming(self.transport, listener), "apply")
        return Outcome.from_json(cast("dict[str, Json]", answer))

    def recover(self, listener: Listener = silent, *, accept: bool = False) -> Outcome | None:
        """End an interrupted run; None when there is none."""
        fault = os.environ.get("EYAS_FAULT", "")
        self.ask("recover", who=who(), accept=accept, fault=fault)
        with self._interrupts():
            answer = self.answer(listener, "recover")
        return Outcome.from_json(answer) if isinstance(answer, dict) else None

    def history(self, limit: int = 50) -> list[dict[str, Json]]:
        """Past runs, the newest first; keys as `eyas.apply.history.Past.to_json`."""
        return cast("list[dict[str, Json]]", self.request("history", limit=limit))

    def desired(self, run: str) -> dict[str, Resource]:
        """What a past run wanted the host to hold (layers without entries)."""
        return _resources(self.request("desired", run=run))

    def plan(self, run: str) -> Plan:
        """What a past run did, or was to do."""
        return Plan.from_json(cast("dict[str, Json]", self.request("plan", run=run)))

    def references(self) -> Mapping[str, list[str]]:
        """``trees`` and ``layers`` that must stay."""
        return cast("dict[str, list[str]]", self.request("references"))

    def gc(self, keep: int | None = None) -> list[str]:
        """Remove old runs, and trees and layers that nothing refers to; the paths that went."""
        return cast("list[str]", self.request("gc", who=who(), keep=keep))

    def memory(self, names: Sequence[str]) -> dict[str, int]:
        """Bytes that the processes of containers hold, added up one by one: for hosts without the memory controller."""
        return cast("dict[str, int]", self.request("memory", names=list(names)))

    def limits(self, names: Sequence[str]) -> dict[str, dict[str, Json]]:
        """What the kernel holds running containers to (`eyas.host.limits`)."""
        return cast("dict[str, dict[str, Json]]", self.request("limits", names=list(names)))

    def writes(self, name: str, noise: Sequence[str], *, everything: bool = False) -> dict[str, Json]:
        """What a running container wrote outside its persistent paths; see `eyas.kind.writes.Report.to_json`."""
        return cast("dict[str, Json]", self.request("writes", name=name, noise=list(noise), everything=everything))

    def certificates(self, act: str = "list", names: Sequence[str] = ()) -> dict[str, Json]:
        """All ``certificates`` of the host, after some were renewed or revoked (``act``); ``errors`` by name."""
        answer = self.request("certificates", act=act, names=list(names), who=who())
        return cast("dict[str, Json]", answer)

    def egress(self, act: str = "list", words: Sequence[str] = ()) -> dict[str, Json]:
        """Outgoing connections, after a report or a rotation (``act``); see `eyas.status.egress`."""
        return cast("dict[str, Json]", self.request("egress", act=act, words=list(words), who=who()))

    def ahead(self, names: Sequence[str], noise: Mapping[str, Sequence[str]]) -> dict[str, Json]:
        """What a plan tells of its future: ``waits`` of past runs, ``losses`` by restarts of these containers."""
        patterns: dict[str, Json] = {name: list(some) for name, some in noise.items()}
        return cast("dict[str, Json]", self.request("ahead", names=list(names), noise=patterns))


class Observing:
    """An observation under way; ``asked`` when the request was sent already."""

    def __init__(self, connection: Connection, *, asked: bool = False) -> None:
        self.connection = connection
        if not asked:
            connection.ask("observe")

    def result(self) -> Observed:
        """Wait for it. The connection stays open for what follows."""
        return observed(self.connection.answer(what="observe"))


def start_observe(transport: Transport) -> Observing:
    """Start the agent and let it look at the host, without waiting and without knowing what is wanted there."""
    return Observing(Connection(transport))


def _start(transport: Transport) -> command.Process:
    from eyas.host import command
    from eyas.remote import bundle

    ensure(transport)
    return command.converse(transport.command(bundle.argv("serve")))


def _ended(process: command.Ending) -> int | None:
    """The code that an agent ended with, None when it still runs after a while."""
    from eyas.host import command

    return command.ended(process, PATIENCE)


def ensure(transport: Transport) -> None:
    """See that the host has this version of the agent, compiled by its own Python."""
    from eyas.host import command
    from eyas.remote import bundle

    root = transport.root
    if root is None:
        raise Failed(f"cannot reach {transport.name}: its files are not reachable from here")
    if bundle.installed(root):
        return
    bundle.install(root)
    command.run(transport.command(bundle.argv("compile")), timeout=INSTALL)


def observed(answer: Json) -> Observed:
    data = cast("dict[str, Json]", answer)
    interrupted, busy = data.get("interrupted"), data.get("busy")
    waiting = cast("dict[str, Json]", data.get("pending") or {})
    return Observed(
        _resources(data.get("resources")),
        str(interrupted) if interrupted else None,
        str(busy) if busy else None,
        {id_: str(new) for id_, new in waiting.items()},
    )


def _resources(answer: Json) -> dict[str, Resource]:
    items = cast("list[dict[str, Json]]", answer)
    found = (Resource.from_json(item) for item in items)
    return {resource.id: resource for resource in found}


def who() -> str:
    """Who asks, for the history: the person behind sudo, on which machine."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        import getpass

        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # a user id without an account
            name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"


def _widen(handle: int) -> None:
    try:
        fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, PIPE)
    except OSError:  # the user's share of pipe memory is used up: slower, not wrong
        return
