"""Walking a journal backwards: every step that was begun is undone, the last one first.

Used by the run itself when a step fails, and by recovery in another process, perhaps after a power cut. May be killed
and begun again: a step that is written down as undone is not undone twice, one that is not may be.
"""

from __future__ import annotations

import time

from eyas.apply.fault import Fault
from eyas.apply.journal import Journal, Saved
from eyas.core.errors import EyasError
from eyas.core.events import Event, Listener
from eyas.core.system import System
from eyas.core.words import Plan, Step
from eyas.kind import verb_of

AGAIN = 0.5  # seconds before the second try of an undo: most of what fails then is a unit still on its way down


def walk_back(
    journal: Journal,
    plan: Plan,
    system: System,
    listener: Listener,
    *,
    boot: bool = False,
    fault: Fault | None = None,
) -> list[str]:
    """Undo all begun steps; returns what could not be undone, in words (empty: the host is as it was before).

    A step that cannot be undone does not hold back the others: the closer the host is to how it was, the less is
    left for a person.
    """
    undone = journal.numbers("undone")
    todo = [saved for saved in reversed(journal.saved()) if saved.number not in undone]
    hands: list[str] = []
    for count, saved in enumerate(todo, 1):
        step = plan.steps[saved.number]
        listener(Event("undo", step.id, f"undo: {told(step)}", count, len(todo)))
        journal.write("undoing", saved.number)
        journal.sync()
        problem = _undo(step, saved, system, boot)
        if problem:
            hands.append(f"{name(step)}: {problem}")
            journal.write("stuck", saved.number, error=problem)
            listener(Event("undo", step.id, f"cannot undo {name(step)}: {problem}", count, len(todo), "warning"))
            continue
        if fault is not None:
            fault.at(f"kill-undo:{saved.number}")
        journal.write("undone", saved.number)
    return hands


def _undo(step: Step, saved: Saved, system: System, boot: bool) -> str:
    """Undo one step, trying twice; the reason when it failed."""
    problem = ""
    for attempt in range(2):
        if attempt:
            time.sleep(AGAIN)
        try:
            verb_of(step).undo(system, step, saved.data, boot=boot)
        except Exception as error:  # whatever it is, the steps before it must still be undone
            problem = explain(error)
        else:
            return ""
    return problem


def name(step: Step) -> str:
    return f"{step.kind}.{step.verb} {step.id}"


WORDS = {
    "ready": "wait for",
    "live": "change in place",
    "put": "set",
    "make": "make",
    "settle": "look at",
    "guard": "look at",
    "release": "let go of",
    "prepare": "prepare another",
    "loosen": "free from others",
    "begin": "start another",
    "switch": "lead connections to the new",
    "retire": "stop the old",
    "discard": "clear away the old",
}


def told(step: Step) -> str:
    """A step for people: what is done to what. Digests are cut short; nobody compares 64 digits by eye."""
    kind, _, rest = step.id.partition(":")
    if kind == "systemd":
        return f"systemd: {step.verb}"
    thing = rest if kind == "container" else f"{kind} {rest[:12] if kind in ('tree', 'layer') else rest}"
    return f"{WORDS.get(step.verb, step.verb)} {thing}"


def explain(error: BaseException) -> str:
    """One line of an error; of one that is not ours, its type too, because its text alone may say nothing."""
    if isinstance(error, EyasError):
        return error.message
    return f"{type(error).__name__}: {error}"
