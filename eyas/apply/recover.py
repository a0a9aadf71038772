"""Ending a run that nobody ended: its process was killed, or the host lost its power.

    current -> run, its journal says        the host becomes
    kept (or every step is done)            wholly after: what is left of the sweep is done
    anything else                           wholly before: every begun step is undone

Recovery may be killed as well; the next one goes on where it was.
"""

from __future__ import annotations

import time

from eyas.apply.fault import Fault
from eyas.apply.guard import decide, guarded, settle, verdict
from eyas.apply.journal import Journal, Runs
from eyas.apply.outcome import Outcome, Result
from eyas.apply.run import let_go, stuck_hint, sweep
from eyas.apply.undo import explain, walk_back
from eyas.core import paths
from eyas.core.errors import Stuck
from eyas.core.events import Event, Listener, silent
from eyas.core.system import System
from eyas.core.words import Action, Phase, Plan
from eyas.kind.slots import machine_of

AGENT = f"{paths.PROGRAMS}/agent/current/run.py"

# Early: before anything reads the files that may have to be put back (sysctls, networkd, the firewall, containers).
RECOVER_UNIT_NAME = "eyas-recover.service"
RECOVER_UNIT = f"""\
[Unit]
Description=Put an interrupted run of eyas back
Documentation=man:eyas(1)
ConditionPathExists={paths.RUNS}/current
DefaultDependencies=no
Conflicts=shutdown.target
RequiresMountsFor={paths.STATE} {paths.PROGRAMS}
After=systemd-remount-fs.service local-fs.target
Before=sysinit.target systemd-sysctl.service network-pre.target systemd-networkd.service eyas-firewall.service
Before=machines.target shutdown.target

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I -S -B {AGENT} recover --boot
TimeoutStartSec=300

[Install]
WantedBy=sysinit.target
"""


def recover(
    system: System,
    runs: Runs,
    listener: Listener = silent,
    *,
    boot: bool = False,
    accept: bool = False,
    fault: Fault | None = None,
) -> Outcome | None:
    """End the open run; None when there is none. The caller holds the host's lock.

    ``boot``: no container runs yet; files are mended, and systemd is told once afterwards. ``accept``: a person has
    looked at a run that is stuck and leaves the host as it is; the next plan starts from there. Raises Stuck when the
    run's folder cannot be read.
    """
    id_ = runs.current()
    if id_ is None:
        return None
    began = time.monotonic()
    if accept:
        return _accept(runs, id_)
    journal = runs.open(id_)
    try:
        if not journal.records:  # `current` is made after the journal is on disk: this folder was tampered with
            raise Stuck(f"cannot recover run {id_}: its journal is empty", "run: eyas recover --accept")
        journal.known()
        plan = journal.plan
        outcome = _recover(journal, plan, system, listener, boot, fault or Fault(), began)
        runs.close(journal, outcome.to_json())
    finally:
        journal.close()
    return outcome


def finished(journal: Journal, plan: Plan) -> bool:
    """Whether every step before the sweep is done, and nobody has begun to go back."""
    if journal.has("kept"):
        return True
    if guarded(journal):  # nobody knows whether the host can be reached as it is
        return False
    if any(record["state"] in ("undoing", "failed") for record in journal.records):
        return False
    wanted = {n for n, step in enumerate(plan.steps) if step.phase is not Phase.sweep}
    return wanted <= journal.numbers("done")


def _recover(
    journal: Journal, plan: Plan, system: System, listener: Listener, boot: bool, fault: Fault, began: float
) -> Outcome:
    journal.use_reserve()
    hands: list[str] = []
    warnings: list[str] = []
    result: Result
    unsure = guarded(journal) and verdict(journal) == "fired"
    settle(journal, system, boot=boot)
    if finished(journal, plan):
        result = "kept"
        if not journal.has("kept"):
            journal.write("kept")
            journal.sync()
        listener(Event("recover", journal.id, "all steps of the interrupted run were done: it is kept"))
        warnings += sweep(journal, plan, system, listener)
    else:
        listener(Event("recover", journal.id, "putting an interrupted run back"))
        hands = walk_back(journal, plan, system, listener, boot=boot, fault=fault)
        result = "stuck" if hands else "undone"
        if boot:
            warnings += _tell_systemd(system, plan)
        else:
            let_go(system, plan)
        journal.write(result)
        journal.sync()
    return Outcome(
        run=journal.id,
        result=result,
        steps=len(plan.steps),
        done=len(journal.numbers("done")),
        seconds=round(time.monotonic() - began, 3),
        error="" if result == "kept" else UNSURE if unsure else "the run was interrupted",
        hint=stuck_hint(journal) if hands else "",
        recovered=True,
        hands=tuple(hands),
        warnings=(*journal.warnings, *warnings),
        left=plan.left,
        changes=len(plan.changes),
    )


UNSURE = "no fresh connection confirmed it in time: the host went back by itself"
TARGETS = ("multi-user.target", "machines.target")


def _tell_systemd(system: System, plan: Plan) -> list[str]:
    """After files were mended at boot: systemd reads them again, and starts what is wanted by now. It has planned
    its boot from the files of the interrupted run; a second start of the same targets adds what was missing there,
    and a start that it has planned of a container that is none any more is called off: it would run the template of
    the distribution, and fail. Only targets that it is bound for: a host that comes up for rescue starts no
    containers."""
    try:
        system.units.daemon_reload()
        off = [paths.unit_name(name) for name in _created(plan) if system.files.stat(paths.spec(name)) is None]
        if off:
            system.units.stop(off, alone=True)
            system.units.reset_failed(off)
        states = system.units.show(TARGETS)
        bound_for = [name for name in TARGETS if name in states and (states[name].job or states[name].running)]
        if bound_for:
            system.units.start(bound_for, wait=False)
    except Exception as error:  # any: the files are mended, and a boot must not hang on this
        return [f"cannot tell systemd about files that were put back: {explain(error)}"]
    return []


def _created(plan: Plan) -> list[str]:
    """Containers that were not there before the run, and new generations of those that were."""
    created = (change for change in plan.changes if change.kind == "container" and change.action is Action.create)
    begun = (step for step in plan.steps if (step.kind, step.verb) == ("container", "begin"))
    return [*(change.id.split(":", 1)[1] for change in created), *(machine_of(step) for step in begun)]


def _accept(runs: Runs, id_: str) -> Outcome:
    """Leave the host as it is; the run's folder stays, with all that was put away."""
    outcome = Outcome(run=id_, result="stuck", recovered=True, error="left as it is, as a person asked")
    if (runs.folder / id_).is_dir():
        journal = Journal(runs.folder / id_)
        if journal.has("guarded") or (journal.folder / "guard").is_dir():
            decide(journal, "over")
        journal.write("accepted")
        journal.sync()
        runs.close(journal, outcome.to_json())
    runs.release()
    return outcome
