"""What the verbs share: choose a host, look at it and evaluate the definitions at the same time, plan.

The look at the host is begun first, in a process of its own, so that two processors work at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eyas.cli import cached
from eyas.cli.cached import Wanted
from eyas.cli.complete import noted
from eyas.cli.context import Context
from eyas.cli.progress import Late
from eyas.core.errors import EyasError, Failed, UsageError
from eyas.core.words import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from eyas.cli.evaluate import Definitions
    from eyas.core.events import Listener
    from eyas.remote.transport import Connection, Observed, Observing, Transport


class Session:
    """One command's work with one host. Leaving it ends the talk with the host."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.fleet = context.fleet()
        self.listener = Late(context.err, context.verbose)
        self._host = ""
        self._observing: Observing | None = None
        self._observed: Observed | None = None
        self._connection: Connection | None = None
        self._definitions: Definitions | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_error: object) -> None:
        self.listener.close()
        self._hang_up()

    # The host

    @property
    def host(self) -> str:
        """The host to act on. Asks the definitions when what was noted does not tell."""
        if not self._host:
            names = noted(self.fleet).get("hosts", [])
            try:
                self._host = choose(names, self.context)
            except UsageError:
                self._host = choose([h.name for h in self.definitions.fleet.hosts], self.context)
        return self._host

    def connect(self) -> Connection:
        """The talk with the host; begun with a look at it, whose answer `observed` takes."""
        if self._observing is None:
            from eyas.remote.transport import start_observe

            self._observing = start_observe(transport(self.context, self.fleet, self.host))
        return self._observing.connection

    def talk(self) -> Connection:
        """A talk with the host for other things than looking at it; also while a run is open there."""
        if self._observing is not None:
            self._observing.result()
            return self._observing.connection
        from eyas.remote.transport import Connection

        if self._connection is None:
            self._connection = Connection(transport(self.context, self.fleet, self.host))
        return self._connection

    def observed(self) -> Observed:
        """What the host holds. Failed when a run was interrupted there."""
        if self._observed is None:
            self.connect()
            assert self._observing is not None
            self._observed = self._observing.result()
        if self._observed.interrupted:
            raise Failed(
                f"cannot tell what {self.host} holds: run {self._observed.interrupted} was interrupted",
                "put it back, or finish it: eyas recover",
            )
        return self._observed

    def _hang_up(self) -> None:
        if self._observing is not None:
            self._observing.connection.close()
        if self._connection is not None:
            self._connection.close()
        self._observing = self._observed = self._connection = None

    # The definitions

    @property
    def definitions(self) -> Definitions:
        """The definitions themselves; only loaded when what was kept of them does not do."""
        if self._definitions is None:
            from eyas.cli.evaluate import read

            self._definitions = read(self.fleet)
        return self._definitions

    def wanted(self, jobs: int = 0) -> Wanted:
        """What the host should hold; builds what is missing for it. The look at the host goes on meanwhile."""
        if not self._host:
            self._connect_early()
        kept = cached.load(self.fleet, self.host)
        if kept is not None:
            return kept
        chosen = self.host
        names = [host.name for host in self.definitions.fleet.hosts]
        self._host = choose(names, self.context)
        if self._host != chosen:  # the host that was noted is no longer in the definitions
            self._hang_up()
        from eyas.cli.evaluate import evaluate

        return evaluate(self.definitions, self.host, jobs, self.listener)

    def _connect_early(self) -> None:
        """Begin the look at the host before anything is evaluated, where it is known which host that is. An error
        waits: one in the definitions is more useful, and both would only confuse."""
        try:
            self._host = choose(noted(self.fleet).get("hosts", []), self.context)
            self.connect()
        except EyasError:
            self._hang_up()

    def complete(self, wanted: Wanted) -> Wanted:
        """The same with the contents of layers, which only a change needs."""
        full = cached.complete(self.fleet, wanted)
        if full is None:
            from eyas.cli.evaluate import evaluate

            cached.forget(self.fleet, self.host)
            full = evaluate(self.definitions, self.host, 0, self.listener)
        return full

    # The plan

    def planned(self, jobs: int = 0) -> tuple[Plan, Wanted]:
        """The plan for the host, and what it leads to (with the contents of layers when there is anything to do)."""
        from eyas.plan import plan

        wanted = self.wanted(jobs)
        actual = self.observed().resources
        made = plan(wanted.resources, actual, self.host)
        if made:
            wanted = self.complete(wanted)
            made = plan(wanted.resources, actual, self.host)
        return made, wanted


def choose(hosts: Sequence[str], context: Context) -> str:
    """Which of the fleet's hosts a command acts on. UsageError when that is not clear."""
    known = ", ".join(hosts)
    if context.host is not None:
        if context.host not in hosts:
            raise UsageError(f"cannot find the host {context.host} in the definitions", f"there are: {known}")
        if not context.lab and not is_here(context.host):
            raise UsageError(
                f"cannot act on {context.host}: this machine is {machine()}",
                "run eyas on that machine, or give --lab to act on the lab",
            )
        return context.host
    if context.lab:
        if len(hosts) == 1:
            return hosts[0]
        raise UsageError("cannot tell which host of the lab is meant", f"give --host NAME; there are: {known}")
    for host in hosts:
        if is_here(host):
            return host
    raise UsageError(
        f"cannot tell which host of the definitions this machine is: it is called {machine()}, they are {known}",
        "run eyas on a host of the fleet, or give --lab to act on the lab of this directory",
    )


def machine() -> str:
    """The name of this machine."""
    return os.uname().nodename


def is_here(host: str) -> bool:
    """Whether this machine is that host; a domain behind the name does not count."""
    return host in (machine(), machine().partition(".")[0])


def transport(context: Context, fleet: str, host: str) -> Transport:
    """The way to a host."""
    if context.lab:
        return lab_wire(fleet, host)
    from eyas.remote.transport import Here

    if os.geteuid() != 0:
        raise Failed(f"cannot manage {host}: only root can see and change it", "run it with sudo")
    return Here()


def lab_wire(fleet: str, host: str) -> Transport:
    """The way to a host of the lab of this fleet."""
    from pathlib import Path

    from eyas.lab import find
    from eyas.remote.transport import LabWire

    machine = find(Path(fleet)).host(host)
    return LabWire(host, tuple(machine.command([])), Path(machine.root))


def ship(wanted: Wanted, commits: Sequence[str], way: Transport, listener: Listener) -> None:
    """Bring commits into the host's store, where that is not the store they were built into."""

    from eyas.core import paths
    from eyas.core.events import Event
    from eyas.image import ship as pull
    from eyas.image import state_dir

    if way.root is None:
        raise Failed(f"cannot bring images to {way.name}: its files are not reachable from here")
    target: Path = way.root / paths.STORE.lstrip("/")
    if target == state_dir() / "store":
        return
    for number, commit in enumerate(commits, 1):
        listener(Event("ship", commit[:12], "bringing an image to the host", number, len(commits)))
        pull(state_dir(), wanted.commits[commit], target)
