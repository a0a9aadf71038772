"""What the verbs share: choose a host, look at it and evaluate the definitions at the same time, plan.

The look at the host is begun first, in a process of its own, so that two processors work at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eyas.cli import cached
from eyas.cli.cached import Wanted
from eyas.cli.context import Context, early_note
from eyas.cli.place import choose, noted
from eyas.cli.progress import Late
from eyas.core.errors import EyasError, Failed, Stuck, UsageError
from eyas.core.words import Json, Plan

if TYPE_CHECKING:
    from eyas.apply.outcome import Outcome
    from eyas.cli.evaluate import Definitions
    from eyas.core.events import Listener
    from eyas.lab import Lab
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
        self.mended: Outcome | None = None

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
            try:
                self._host = self._chosen(noted(self.fleet)["hosts"])
            except UsageError:
                self._host = self._chosen([host.name for host in self.definitions.fleet.hosts])
        return self._host

    def _chosen(self, hosts: Sequence[str]) -> str:
        return choose(hosts, self.context.host, self.context.lab)

    def connect(self) -> Connection:
        """The talk with the host; begun with a look at it, whose answer `observed` takes."""
        if self._observing is None:
            from eyas.remote.transport import Connection, Observing

            early, self.context.early = self.context.early, None
            way = transport(self.context, self.fleet, self.host)
            connection = Connection(way, early)
            self._observing = Observing(connection, asked=early is not None)
            if early is None:
                self._note(way)
        return self._observing.connection

    def _note(self, way: Transport) -> None:
        """Note how the agent was started, so that the next command starts it before anything else."""
        from eyas.host.command import environment
        from eyas.remote import bundle, early, protocol

        root = way.root
        processes = [] if not self.context.lab else [lab(self.fleet).host(self.host).leader()]
        if root is None or None in processes:
            return
        early.note(
            early_note(self.fleet, self.host, self.context.lab),
            way.command(bundle.argv("serve")),
            environment(),
            protocol.frame({"v": protocol.VERSION, "do": "observe"}),
            bundle.folders(),
            [str(root / bundle.launcher().lstrip("/"))],
            [pid for pid in processes if pid is not None],
        )

    def talk(self) -> Connection:
        """A talk with the host for other things than looking at it; also while a run is open there."""
        if self._observing is not None:
            if self._observed is None:  # its answer comes once, and before all others
                self._observed = self._observing.result()
            return self._observing.connection
        from eyas.remote.transport import Connection

        if self._connection is None:
            self._connection = Connection(transport(self.context, self.fleet, self.host))
        return self._connection

    def observed(self) -> Observed:
        """What the host holds. Failed when a run is under way or was interrupted there."""
        if self._observed is None:
            self.connect()
            assert self._observing is not None
            self._observed = self._observing.result()
        if self._observed.busy:
            raise Failed(
                f"cannot tell what {self.host} holds: a run is under way there ({self._observed.busy})",
                "wait for its end; eyas history shows it",
            )
        if self._observed.interrupted:
            raise Failed(
                f"cannot tell what {self.host} holds: run {self._observed.interrupted} was interrupted",
                "put it back, or finish it: eyas recover",
            )
        return self._observed

    def mend(self) -> Outcome | None:
        """End a run that was interrupted, so that a new one can begin; None when there is none (or one is under way).

        Stuck when a person is needed for it.
        """
        self.connect()
        assert self._observing is not None
        if self._observed is None:
            self._observed = self._observing.result()
        if self._observed.busy or not self._observed.interrupted:
            return None
        connection = self._observing.connection
        with self.listener:
            outcome = connection.recover(self.listener)
        if outcome is not None and outcome.hands:
            raise Stuck(f"cannot put run {outcome.run} back: {'; '.join(outcome.hands)}", outcome.hint)
        self._observed = connection.observe()
        return outcome

    def _hang_up(self) -> None:
        if self._observing is not None:
            self._observing.connection.close(patient=False)
        if self._connection is not None:
            self._connection.close(patient=False)
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
        self._host = self._chosen([host.name for host in self.definitions.fleet.hosts])
        if self._host != chosen:  # the host that was noted is no longer in the definitions
            self._hang_up()
        from eyas.cli.evaluate import evaluate

        return evaluate(self.definitions, self.host, jobs, self.listener)

    def _connect_early(self) -> None:
        """Begin the look at the host before anything is evaluated, where it is known which host that is. An error
        waits: one in the definitions is more useful, and both would only confuse."""
        try:
            self._host = self._chosen(noted(self.fleet)["hosts"])
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

    def planned(self, jobs: int = 0, *, mend: bool = False) -> tuple[Plan, Wanted]:
        """The plan for the host, and what it leads to (with the contents of layers when there is anything to do).
        With ``mend`` a run that was interrupted there is ended first; mistakes in the definitions come before that."""
        wanted = self.wanted(jobs)
        if mend:
            self.mended = self.mend()
        from eyas.plan import plan  # imported while the host's end is at work

        actual = self.observed().resources
        made = plan(wanted.resources, actual, self.host)
        if made:
            wanted = self.complete(wanted)
            made = self.foresee(plan(wanted.resources, actual, self.host), wanted)
        return made, wanted

    def foresee(self, made: Plan, wanted: Wanted) -> Plan:
        """The plan with what the host's past lets expect of it, and with what its restarts lose. Only a plan that
        somebody will notice costs a question to the host."""
        from eyas.core.waits import History
        from eyas.core.words import Loss
        from eyas.plan import felt, foreseen

        if not felt(made):
            return made
        names = sorted({*made.restarts(), *made.replaced()})
        specs = {r.name: r.fields for r in wanted.resources.values() if r.kind == "container" and r.name in names}
        noise = {name: _strings(spec.get("noise")) for name, spec in specs.items() if "noise" in spec}
        carried = {name: _carried(spec.get("binds")) for name, spec in specs.items()}
        told = self.connect().ahead(names, noise)
        rows = told.get("losses")
        losses = [Loss.from_json(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return foreseen(made, History.from_json(told.get("waits")), losses, carried)


def _strings(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _carried(binds: Json) -> list[str]:
    """Targets of binds that begin with what the container has there."""
    rows = [bind for bind in binds if isinstance(bind, dict)] if isinstance(binds, list) else []
    return [str(bind["target"]) for bind in rows if bind.get("carry")]


def transport(context: Context, fleet: str, host: str) -> Transport:
    """The way to a host."""
    if context.lab:
        return LabWay(fleet, host)
    from eyas.remote.transport import Here

    if os.geteuid() != 0:
        raise Failed(f"cannot manage {host}: only root can see and change it", "run it with sudo")
    return Here()


def lab(fleet: str) -> Lab:
    """The lab of this fleet; Failed when there is none."""
    from eyas.lab import find

    return find(Path(fleet))


class LabWay:
    """The way to a host of a lab, looked up when it is needed: an agent that was started early has gone it."""

    def __init__(self, fleet: str, host: str) -> None:
        self._fleet = fleet
        self._host = host

    @property
    def name(self) -> str:
        return f"lab host {self._host}"

    @property
    def root(self) -> Path | None:
        return self._wire.root

    def command(self, argv: Sequence[str]) -> list[str]:
        return self._wire.command(argv)

    @cached_property
    def _wire(self) -> Transport:
        from eyas.remote.transport import LabWire

        machine = lab(self._fleet).host(self._host)
        return LabWire(self._host, tuple(machine.command([])), machine.root)


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
