"""One run: the steps of a plan in their order, then the proof that nothing else was touched, then the sweep.

The order of a run, all of it:

    refuse when another run is open
    note the invocation of every container
    per round of steps:  save -> journal, synced -> do -> journal
    a step fails, or somebody interrupts: walk back, end
    kept
    prove: containers that were to be left alone have their old invocation
    sweep, end

Steps with the same phase and the same ``args["wave"]`` that follow each other are a batch: they do not depend on each
other. Within a batch the steps of one resource keep their order, and the first steps of all its resources are done
side by side, then the second ones, and so on. A verb with a ``do_many(system, [(step, saved), ...])`` gets all its
steps of a round in one call (ten containers: one ``systemctl start``), others get a thread each.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from eyas.apply.fault import Fault
from eyas.apply.guard import Guard
from eyas.apply.journal import Journal, Runs
from eyas.apply.outcome import Outcome, Result
from eyas.apply.proof import invocations, invocations_of, prove
from eyas.apply.report import where_now
from eyas.apply.rounds import rounds
from eyas.apply.undo import explain, name, told, walk_back
from eyas.apply.waits import measured, note
from eyas.core.errors import EyasError
from eyas.core.events import Event, Listener, silent
from eyas.core.system import System
from eyas.core.waits import Wait
from eyas.core.words import Json, Phase, Plan, Resources, Step
from eyas.kind import verb_of
from eyas.kind.writes import accept


def never() -> bool:
    return False


@dataclass
class Run:
    """The state of a run while it is under way."""

    journal: Journal
    plan: Plan
    system: System
    listener: Listener = silent
    stop: Callable[[], bool] = never  # asked between rounds; true: go back
    fault: Fault = field(default_factory=Fault)
    threads: bool = True
    guard: Guard | None = None
    done: int = 0
    failed: tuple[Step, BaseException] | None = None
    interrupted: bool = False
    times: dict[int, tuple[float, float]] = field(default_factory=dict)  # when each step began and ended
    remarks: dict[int, str] = field(default_factory=dict)  # what people should know of a step that is no failure

    def forward(self) -> bool:
        """Do all steps before the sweep; False when one failed or somebody interrupted."""
        for round_ in rounds(self.plan.steps):
            if self.stop():
                self.interrupted = True
                return False
            if not (self._guarded(round_, before=True) and self._round(round_) and self._guarded(round_)):
                return False
        return True

    def _guarded(self, numbers: Sequence[int], *, before: bool = False) -> bool:
        """What may cut the operator's connection is guarded: see `eyas.apply.guard`."""
        if self.guard is None:
            return True
        try:
            if before:
                self.guard.before(numbers)
            elif not self.guard.after(numbers, self.stop):
                self.interrupted = True
                return False
        except (EyasError, OSError) as error:
            self.failed = (self.plan.steps[numbers[-1]], error)
            return False
        return True

    def _round(self, numbers: Sequence[int]) -> bool:
        steps = [(number, self.plan.steps[number]) for number in numbers]
        saved: dict[int, Json] = {}
        step = steps[0][1]
        try:
            for number, step in steps:
                saved[number] = verb_of(step).save(self.system, step, self.journal.saved_folder(number))
                self.journal.write("saved", number, data=saved[number])
            self.journal.sync()
        except Exception as error:  # any: a step that cannot look, or be written down, must not be done
            self.failed = (step, error)
            return False
        problems = self._do_all(steps, saved)
        for number, step in steps:
            if number in problems:
                self.failed = self.failed or (step, problems[number])
                continue
            try:
                if number in self.remarks:
                    self.journal.write("warned", number, text=self.remarks[number])
                self.journal.write("done", number)
            except EyasError as error:
                problems[number] = error
                self.failed = self.failed or (step, error)
            else:
                self.done += 1
        return not problems

    def _do_all(self, steps: Sequence[tuple[int, Step]], saved: dict[int, Json]) -> dict[int, BaseException]:
        """Do the steps of one round side by side; what failed, by number."""
        jobs: list[Sequence[tuple[int, Step]]] = []
        groups: dict[tuple[str, str], list[tuple[int, Step]]] = {}
        for number, step in steps:
            groups.setdefault((step.kind, step.verb), []).append((number, step))
        for group in groups.values():
            together = len(group) > 1 and getattr(verb_of(group[0][1]), "do_many", None) is not None
            jobs += [group] if together else [[item] for item in group]
        problems: dict[int, BaseException] = {}
        if len(jobs) == 1 or not self.threads:
            for job in jobs:
                self._do(job, saved, problems)
            return problems
        threads = [threading.Thread(target=self._do, args=(job, saved, problems)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return problems

    def _do(self, job: Sequence[tuple[int, Step]], saved: dict[int, Json], problems: dict[int, BaseException]) -> None:
        """Do one step, or several of one verb in one call."""
        total = len(self.plan.steps)
        for number, step in job:
            self.listener(Event("apply", step.id, told(step), number + 1, total))
        began = time.monotonic()
        try:
            for number, _step in job:
                self.fault.at(f"kill:{number}")
                self.fault.at(f"fail:{number}")
            verb = verb_of(job[0][1])
            many = getattr(verb, "do_many", None)
            if len(job) > 1 and many is not None:
                many(self.system, [(step, saved[number]) for number, step in job])
            else:
                for number, step in job:
                    if remark := verb.do(self.system, step, saved[number]):
                        self.remarks[number] = remark
                        self.listener(Event("apply", step.id, remark, number + 1, total, level="warning"))
            for number, _step in job:
                self.times[number] = (began, time.monotonic())
                self.fault.at(f"kill-after-do:{number}")
        except Exception as error:  # any: the way back is the same
            for number, _step in job:
                problems[number] = error


def apply(
    plan: Plan,
    desired: Resources,
    system: System,
    runs: Runs,
    listener: Listener = silent,
    *,
    who: str = "",
    note: str = "",
    stop: Callable[[], bool] = never,
    fault: Fault | None = None,
    threads: bool = True,
    confirm: float = 0.0,
    seen: Resources | None = None,
) -> Outcome:
    """Do a plan, and prove what it promised. Whatever happens to a step is in the outcome; raises Failed only when
    the run cannot begin (another one is open), Stuck when files of the run cannot be read.

    ``confirm``: seconds within which somebody has to reach the host anew, when the plan may cut the connection to it;
    0 asks nobody. ``seen``: what the caller, who holds the host's lock, has just observed. An exception that is no
    Exception (a test's kill) leaves the journal as it is, for recovery.
    """
    began = time.monotonic()
    before = invocations(system) if seen is None else invocations_of(seen.values())
    journal = runs.begin(plan, desired, who, note)
    try:
        fault = fault or Fault()
        guard = Guard(journal, plan, system, listener, confirm, fault)
        run = Run(journal, plan, system, listener, stop, fault, threads, guard)
        outcome = _kept(run, before) if run.forward() else _back(run, before)
        guard.over()
        outcome = _timed(outcome, began)
        runs.close(journal, outcome.to_json())
    finally:
        journal.close()
    return outcome


def _kept(run: Run, before: dict[str, str]) -> Outcome:
    """All steps are done: the run is kept, proved and swept."""
    run.fault.at("kill:kept")
    run.journal.use_reserve()
    run.journal.write("kept")
    run.journal.sync()
    let_go(run.system, run.plan)
    disturbed, proved = prove(run.plan, before, invocations(run.system))
    for container in disturbed:
        text = f"{container} was to be left alone, but it does not run with the invocation it had before"
        run.listener(Event("apply", f"container:{container}", text, level="warning"))
    waits, warnings = _remember(run)
    run.fault.at("kill:sweep")
    warnings += sweep(run.journal, run.plan, run.system, run.listener)
    return _outcome(
        run,
        "kept",
        disturbed=tuple(disturbed),
        proved=tuple(proved),
        warnings=tuple(warnings),
        waits=waits,
        error=_broken(disturbed),
        hint="look at: journalctl -u 'systemd-nspawn@*' --since -10min" if disturbed else "",
    )


def _remember(run: Run) -> tuple[tuple[Wait, ...], list[str]]:
    """What this run made people wait for and lose, noted for the plans to come. That it cannot be noted (a full disk)
    is no failure of a run that is kept, but a warning."""
    waits = measured(run.plan, run.times)
    try:
        note(run.system, waits)
        accept(run.system, run.plan.losses)
    except EyasError as error:
        return waits, [f"cannot note how long it took: {explain(error)}"]
    return waits, []


def _broken(disturbed: Sequence[str]) -> str:
    if not disturbed:
        return ""
    return f"the plan was done, but restarted what it promised to leave alone: {', '.join(disturbed)}"


def _back(run: Run, before: dict[str, str]) -> Outcome:
    """A step failed or somebody interrupted: everything that was begun is undone."""
    run.journal.use_reserve()
    step, problem = run.failed or (None, None)
    if step is not None and problem is not None:
        trace = "" if isinstance(problem, EyasError) else "".join(traceback.format_exception(problem))
        run.journal.write("failed", run.plan.steps.index(step), error=explain(problem), trace=trace)
        text = f"cannot do {name(step)}: {explain(problem)}"
        run.listener(Event("apply", step.id, text, level="warning"))
    touched = bool(run.journal.saved())
    hands = walk_back(run.journal, run.plan, run.system, run.listener, fault=run.fault)
    let_go(run.system, run.plan)
    run.journal.write("stuck" if hands else "undone")
    run.journal.sync()
    result: Result = "stuck" if hands else "undone" if touched else "failed"
    return _outcome(
        run,
        result,
        error=f"cannot do {name(step)}: {explain(problem)}" if step is not None and problem is not None else "",
        hint=stuck_hint(run.journal) if hands else getattr(problem, "hint", ""),
        step=name(step) if step is not None else "",
        interrupted=run.interrupted,
        hands=tuple(hands),
        problem=problem,
        now=where_now(before, run.system) if touched else (),
    )


def let_go(system: System, plan: Plan) -> None:
    """In the end no connection waits for anybody, whatever could not be done or undone. An error is none: the kernel
    lets go by itself."""
    if not any(step.verb == "hold" or step.phase is Phase.live for step in plan.steps):
        return
    with suppress(EyasError):
        system.traffic.release_all()


def stuck_hint(journal: Journal) -> str:
    return (
        f"mend what is named, then run: eyas recover (it tries again); or leave the host as it is with: "
        f"eyas recover --accept; what was put away is in {journal.saved_folder(0).rpartition('/')[0]}"
    )


def _outcome(
    run: Run,
    result: Result,
    *,
    error: str = "",
    hint: str = "",
    step: str = "",
    interrupted: bool = False,
    disturbed: tuple[str, ...] = (),
    proved: tuple[str, ...] = (),
    hands: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    waits: tuple[Wait, ...] = (),
    problem: BaseException | None = None,
    now: tuple[str, ...] = (),
) -> Outcome:
    plan = run.plan
    return Outcome(
        run=run.journal.id,
        result=result,
        steps=len(plan.steps),
        done=run.done,
        error=error,
        hint=hint,
        step=step,
        interrupted=interrupted,
        disturbed=disturbed,
        proved=proved,
        hands=hands,
        warnings=(*run.journal.warnings, *warnings),
        left=plan.left,
        changes=len(plan.changes),
        restarts=tuple(sorted(set(plan.restarts()))),
        replaced=tuple(sorted(set(plan.replaced()))),
        waits=waits,
        log=tuple(getattr(problem, "log", ())),
        whose=str(getattr(problem, "whose", "")),
        now=now,
    )


def _timed(outcome: Outcome, began: float) -> Outcome:
    from dataclasses import replace

    return replace(outcome, seconds=round(time.monotonic() - began, 3))


def sweep(journal: Journal, plan: Plan, system: System, listener: Listener) -> list[str]:
    """Do the steps of the sweep that are not done yet; what failed, in words. The run is kept already, so a
    failure is a warning: the next plan sees what is left and sweeps again."""
    swept = journal.numbers("swept")
    warnings: list[str] = []
    for number, step in enumerate(plan.steps):
        if step.phase is not Phase.sweep or number in swept:
            continue
        listener(Event("apply", step.id, told(step), number + 1, len(plan.steps)))
        try:
            verb = verb_of(step)
            data = verb.save(system, step, journal.saved_folder(number))
            journal.write("sweeping", number, data=data)
            journal.sync()
            verb.do(system, step, data)
        except Exception as error:  # any: the run is kept
            warnings.append(f"cannot do {name(step)}: {explain(error)}")
        else:
            journal.write("swept", number)
    return warnings
