"""Answering an operator: requests in, events and one result each out.

Requests: observe, apply, confirm, recover, history, desired, plan, references, gc, memory, writes, ahead, hello, and
those of `eyas.remote.agent.checks`. A run that has begun is carried to its end whatever happens to the operator: a
closed stream, a hang-up, or a terminal that is gone.
``{"do": "interrupt"}``, SIGINT and SIGTERM end it after the steps that are under way, backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eyas.core.errors import EyasError, Failed, UsageError
from eyas.core.events import Event
from eyas.core.words import Json, Plan, Resource
from eyas.remote import protocol
from eyas.remote.protocol import Lost, error_to_json, event_to_json, receive, send

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import IO, TypeAlias

    from eyas.core.system import System

Request: TypeAlias = Mapping[str, Json]


class Agent:
    """One conversation. ``make_system`` and ``runs_folder`` are for tests."""

    def __init__(
        self,
        requests: IO[bytes],
        answers: IO[bytes],
        make_system: Callable[[], System] | None = None,
        runs_folder: str = "",
        lock: str = "",
    ) -> None:
        self.requests = requests
        self.answers = answers
        self.lost = False  # the operator is gone; nobody reads what we say
        self._make_system = make_system
        self._runs_folder = runs_folder
        self._lock = lock

    def serve(self) -> int:
        """Answer until the operator closes the stream."""
        while not self.lost:
            try:
                request = receive(self.requests)
            except (protocol.Foreign, Lost):
                return 1
            if request is None:
                return 0
            self._say(self._answer(request))
        return 0

    def _answer(self, request: Request) -> dict[str, Json]:
        try:
            if request.get("v") != protocol.VERSION:
                raise UsageError(f"cannot answer a request of version {request.get('v')}: known is {protocol.VERSION}")
            handler = HANDLERS.get(str(request.get("do")))
            if handler is None:
                raise UsageError(f"cannot do {request.get('do')}: no such request")
            return {"result": handler(self, request)}
        except EyasError as error:
            return {"error": error_to_json(error)}
        except OSError as error:
            return {"error": error_to_json(Failed(f"cannot do {request.get('do')}: {error}", "look at: df, dmesg"))}
        except Exception as error:  # any: the operator must get an answer
            import traceback

            failed = Failed(
                f"cannot do {request.get('do')}: the agent broke: {type(error).__name__}: {error}",
                "this is a bug in eyas; report it with what journalctl and this message say",
            )
            return {"error": {**error_to_json(failed), "trace": traceback.format_exc()}}

    def _say(self, message: Mapping[str, Json]) -> None:
        if self.lost:
            return
        try:
            send(self.answers, message)
        except Lost:
            self.lost = True

    def tell(self, event: Event) -> None:
        self._say({"event": event_to_json(event)})

    def system(self, *, changes: bool = False) -> System:
        if self._make_system is not None:
            return self._make_system()
        from eyas.remote.agent.real import system

        return system(changes)

    @property
    def runs_folder(self) -> str:
        from eyas.core import paths

        return self._runs_folder or paths.RUNS

    @property
    def lock(self) -> str:
        from eyas.core import paths

        return self._lock or paths.LOCK


def serve(requests: IO[bytes], answers: IO[bytes]) -> int:
    return Agent(requests, answers).serve()


# Requests


def _hello(_agent: Agent, _request: Request) -> Json:
    import os
    import sys

    return {"version": protocol.VERSION, "host": os.uname().nodename, "python": sys.version.split()[0]}


def _observe(agent: Agent, _request: Request) -> Json:
    """All that eyas owns here, and whether a run is open (then what was seen is something in between): one that was
    interrupted, or one that is under way, with the words of who is at it."""
    from eyas.kind import observe

    while True:
        before = _open_run(agent.runs_folder)
        system = agent.system()
        found = observe(system)
        open_run = _open_run(agent.runs_folder)
        busy = _at_work(agent) if open_run is not None else None
        if busy is not None or before == open_run == _open_run(agent.runs_folder):
            break  # otherwise a run has ended while we looked
    from eyas.kind.pending import read

    waiting = read(system)
    return {
        "resources": [resource.to_json() for resource in found.values()],
        "pending": {id_: entry.get("new") for id_, entry in waiting.items()},
        "interrupted": open_run,
        "busy": busy,
    }


def _open_run(folder: str) -> str | None:
    """As `Runs.current`, without the import of what only a run needs."""
    import os

    try:
        return os.readlink(f"{folder}/current")  # noqa: PTH115
    except OSError:
        return None


def _at_work(agent: Agent) -> str | None:
    from eyas.apply.lock import holder

    return holder(agent.lock)


def _apply(agent: Agent, request: Request) -> Json:
    """Do a plan. ``seen`` is the fingerprint of the observation that the plan was made from: when the host has
    changed since, the plan is refused. So all is looked at a second time, now that nobody else can be at work: people
    may have thought about the plan for an hour. What is found is also what the proof compares with."""
    from eyas.apply.fault import Fault, from_environment
    from eyas.apply.history import prune
    from eyas.apply.journal import Runs
    from eyas.apply.lock import locked
    from eyas.apply.proof import fingerprint
    from eyas.apply.run import apply
    from eyas.kind import observe
    from eyas.kind.container.trial import Trial
    from eyas.remote.agent.signals import Stop

    plan = Plan.from_json(_object(request, "plan"))
    desired = _resources(request, "desired")
    who, seen, note = (str(request.get(key, "")) for key in ("who", "seen", "note"))
    fault = Fault(str(request["fault"])) if request.get("fault") else from_environment()
    within = request.get("confirm", 0)
    confirm = float(within) if isinstance(within, int | float) else 0.0
    runs = Runs(agent.runs_folder)
    with locked(who, agent.lock):
        if runs.current() is not None:
            raise Failed(
                f"cannot apply: run {runs.current()} was interrupted and is still open",
                "run: eyas recover",
            )
        system = agent.system(changes=True)
        trial = Trial(system, plan)
        try:
            found = observe(system)
            if seen and fingerprint(found) != seen:
                raise Failed("cannot apply: the host has changed since the plan was made", "plan again: eyas apply")
        finally:
            trial.wait()
        with Stop(agent.requests) as stop:
            outcome = apply(
                plan,
                desired,
                system,
                runs,
                agent.tell,
                who=who,
                note=note,
                stop=stop,
                fault=fault,
                confirm=confirm,
                seen=found,
            )
        if outcome.result == "kept":
            prune(system, runs)
    return outcome.to_json()


def _confirm(agent: Agent, request: Request) -> Json:
    """A new session has reached this host: the run that waits for that may go on. Needs no lock: the run has it."""
    from eyas.apply.guard import confirm
    from eyas.apply.journal import Journal, Runs

    runs, run = Runs(agent.runs_folder), str(request.get("run", ""))
    if runs.current() != run:
        raise Failed(f"cannot confirm run {run}: it is not under way", "eyas history shows its end")
    confirm(Journal(runs.folder / run))
    return True


def _recover(agent: Agent, request: Request) -> Json:
    from eyas.apply.fault import Fault, from_environment
    from eyas.apply.journal import Runs
    from eyas.apply.lock import locked
    from eyas.apply.recover import recover
    from eyas.remote.agent.signals import Stop

    fault = Fault(str(request["fault"])) if request.get("fault") else from_environment()
    accept = bool(request.get("accept"))
    with locked(str(request.get("who", "")), agent.lock), Stop(agent.requests):
        outcome = recover(agent.system(), Runs(agent.runs_folder), agent.tell, accept=accept, fault=fault)
    return outcome.to_json() if outcome is not None else None


def _history(agent: Agent, request: Request) -> Json:
    from eyas.apply.history import history
    from eyas.apply.journal import Runs

    limit = request.get("limit", 50)
    runs = history(Runs(agent.runs_folder), limit if isinstance(limit, int) else 50)
    return [past.to_json() for past in runs]


def _desired(agent: Agent, request: Request) -> Json:
    from eyas.apply.history import desired_of
    from eyas.apply.journal import Runs

    resources = desired_of(Runs(agent.runs_folder), str(request.get("run", "")))
    return [resource.to_json() for resource in resources.values()]


def _plan(agent: Agent, request: Request) -> Json:
    """The plan of a past run."""
    from eyas.apply.journal import Runs

    runs, run = Runs(agent.runs_folder), str(request.get("run", ""))
    if run not in runs.ids():
        raise Failed(f"cannot show run {run}: no such run", "list the runs: eyas history")
    return runs.open(run).plan.to_json()


def _references(agent: Agent, _request: Request) -> Json:
    from eyas.apply.history import references
    from eyas.apply.journal import Runs

    used = references(agent.system(), Runs(agent.runs_folder))
    return {"trees": [*sorted(used.trees)], "layers": [*sorted(used.layers)]}


def _gc(agent: Agent, request: Request) -> Json:
    from eyas.apply.history import KEEP, collect
    from eyas.apply.journal import Runs
    from eyas.apply.lock import locked

    keep = request.get("keep")
    with locked(str(request.get("who", "")), agent.lock):
        return list(collect(agent.system(), Runs(agent.runs_folder), keep if isinstance(keep, int) else KEEP))


def _memory(_agent: Agent, request: Request) -> Json:
    """What containers hold in memory, on a host whose kernel does not account for it by control groups."""
    from eyas.host.memory import shares

    names = request.get("names")
    return {**shares([str(name) for name in names])} if isinstance(names, list) else {}


def _writes(agent: Agent, request: Request) -> Json:
    """What a container wrote outside its persistent paths; ``noise`` are patterns of its parts."""
    from eyas.kind.writes import report

    noise, name = request.get("noise"), str(request.get("name", ""))
    patterns = [str(pattern) for pattern in noise] if isinstance(noise, list) else None
    return report(agent.system(), name, patterns, everything=bool(request.get("everything"))).to_json()


def _certificates(agent: Agent, request: Request) -> Json:
    """``act``: list them, renew or revoke some; answers with all of them, and by name what went wrong."""
    from eyas.apply.journal import Runs
    from eyas.apply.lock import locked
    from eyas.kind.certificate.renew import listing, renew, revoke

    system, errors, names = agent.system(), {}, request.get("names")
    wanted = [str(name) for name in names] if isinstance(names, list) else []
    if request.get("act") in ("renew", "revoke"):
        with locked(str(request.get("who", "")), agent.lock):
            if Runs(agent.runs_folder).current() is not None:
                raise Failed("cannot touch certificates: a run was interrupted and is still open", "run: eyas recover")
            if request["act"] == "renew":
                errors = renew(system, wanted)
            else:
                revoke(system, wanted[0])
    return {"certificates": listing(system), "errors": {**errors}}


def _egress(agent: Agent, request: Request) -> Json:
    """``act``: list pools, report a refusal, rotate (`eyas.kind.egress.service`)."""
    from eyas.kind.egress.service import answer

    words = request.get("words")
    return answer(agent.system(), str(request.get("act")), [str(w) for w in words] if isinstance(words, list) else [])


def _ahead(agent: Agent, request: Request) -> Json:
    """What a plan wants to tell before it is done: how long people waited in past runs, and what is lost by restarts of
    the containers ``names``."""
    from eyas.apply.waits import read
    from eyas.kind.writes import losses

    system, names = agent.system(), request.get("names")
    noise = request.get("noise")
    patterns = {
        name: [str(pattern) for pattern in some]
        for name, some in (noise.items() if isinstance(noise, dict) else ())
        if isinstance(some, list)
    }
    found = losses(system, [str(name) for name in names] if isinstance(names, list) else [], patterns)
    return {"waits": read(system).to_json(), "losses": [loss.to_json() for loss in found]}


def _checks(do: str) -> Callable[[Agent, Request], Json]:
    """The handler of a question of `eyas.remote.agent.checks`, which is loaded when it comes."""

    def handle(agent: Agent, request: Request) -> Json:
        from eyas.remote.agent import checks

        handler: Callable[[Agent, Request], Json] = getattr(checks, do)
        return handler(agent, request)

    return handle


HANDLERS: dict[str, Callable[[Agent, Request], Json]] = {
    "hello": _hello,
    "observe": _observe,
    "apply": _apply,
    "confirm": _confirm,
    "recover": _recover,
    "history": _history,
    "desired": _desired,
    "plan": _plan,
    "references": _references,
    "gc": _gc,
    "memory": _memory,
    "writes": _writes,
    "certificates": _certificates,
    "egress": _egress,
    "ahead": _ahead,
    **{do: _checks(do) for do in ("sockets", "ask", "asked", "maintenance", "limits")},
}


def _object(request: Request, key: str) -> dict[str, Json]:
    value = request.get(key)
    if not isinstance(value, dict):
        raise UsageError(f"cannot answer the request: it has no {key}")
    return value


def _resources(request: Request, key: str) -> dict[str, Resource]:
    value = request.get(key)
    if not isinstance(value, list):
        raise UsageError(f"cannot answer the request: it has no {key}")
    found = [Resource.from_json(item) for item in value if isinstance(item, dict)]
    return {resource.id: resource for resource in found}
