"""The agent is killed at each step of a run: recovery leaves a host that is wholly before or wholly after.

Looked at is the host itself, past eyas: files, accounts, units and their limits, the firewall, kernel settings, mounts,
and what running containers see of all that. Then the plan, which must be empty (at each third), and the next apply.

Each step is killed when it is written down and not yet done. The same after the deed, which differs only by what the
journal knows, is a series of its own, of which each day has its turn of a quarter; with EYAS_FULL=1 it is done wholly.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.lab.crash.definitions import AFTER, BEFORE
from tests.lab.crash.rig import Crash, Photo, differences
from tests.lab.rig import FULL, hand_on, share, step_numbers

KEPT = ("kill:kept", "kill:sweep")  # all steps are done: the run is finished by recovery


def kill(rig: Crash, fault: str) -> str:
    """An apply whose agent is killed; the run that it leaves open."""
    rig.write(AFTER)
    said = rig.run("apply", "--yes", fault=fault)
    assert said.code == 1, said
    assert "the agent went away (it was killed by signal 9)" in said.err, said
    run = rig.open_run()
    assert run, "a run that was killed stays open"
    return run


def recover(rig: Crash, photo: Photo, invocations: dict[str, str], text: str) -> dict[str, str]:
    """End the open run, and see that the host is as in a photograph, and with ``text`` that there is nothing to plan
    for these definitions; the invocations now."""
    said = rig.run("recover")
    assert said.code == 0, said
    assert not rig.open_run()
    found = differences(photo, rig.photo())
    assert not found, "\n".join(found)
    now = rig.invocations()
    assert now.get("live") == invocations["live"], "a container that the plan leaves alone was restarted"
    assert not text or rig.differs(text) == []
    return now


def series(rig: Crash, before: Photo, faults: Iterable[str]) -> None:
    """Kill and recover at each of these points, beginning from before each time; all that is wrong, at the end."""
    wrong: list[str] = []
    invocations = rig.invocations()
    stops = step_numbers(rig.plan(), "container.stop")[0]
    for fault in faults:
        try:
            kill(rig, fault)
            number = int(fault.partition(":")[2])
            now = recover(rig, before, invocations, BEFORE if FULL or number % 3 == 0 else "")
            if number < stops:
                assert now == invocations, "a container was restarted, though none was stopped before the kill"
            invocations = now
        except AssertionError as error:
            wrong.append(f"--- {fault}: {error}")
            rig.restore(BEFORE)
            invocations = rig.invocations()
    assert not wrong, "\n".join(wrong)


def steps(rig: Crash) -> int:
    """How many steps the run from before to after has."""
    rig.write(AFTER)
    return len(rig.plan()["steps"])


def test_killed_when_a_step_begins(rig: Crash, before: Photo) -> None:
    series(rig, before, [f"kill:{number}" for number in range(steps(rig))])
    rig.write(AFTER)
    rig.apply()  # the same run converges
    assert rig.differs(AFTER) == []


def test_killed_when_a_step_is_done(rig: Crash, before: Photo) -> None:
    series(rig, before, share([f"kill-after-do:{number}" for number in range(steps(rig))], 4))


@pytest.mark.parametrize(
    "place", ["user.put", "container.stop", "container.live", "container.start", "container.ready container:new"]
)
def test_killed_in_the_middle_of_a_step(rig: Crash, before: Photo, after: Photo, place: str) -> None:
    """Killed from outside while a program does the deed (useradd, systemctl), which goes on without the agent: recovery
    begins at once and meets it. A blow that comes when the last step is already done finds a run that is to be kept."""
    invocations = rig.invocations()
    rig.write(AFTER)
    number = step_numbers(rig.plan(), place)[0]
    with hand_on(rig.start("apply", "--yes")) as process:
        rig.wait_step(process, number)
        rig.host.succeed("sh", "-c", "kill -KILL $(sed 's/.* //' /run/eyas/lock)")
        said = rig.end(process)
    assert said.code == 1, said
    run = rig.open_run()
    assert run
    if rig.journal(run)[-1]["state"] == "kept":
        recover(rig, after, invocations, AFTER)
    else:
        recover(rig, before, invocations, BEFORE)


@pytest.mark.parametrize("fault", KEPT)
def test_killed_when_all_steps_are_done(rig: Crash, before: Photo, after: Photo, fault: str) -> None:
    invocations = rig.invocations()
    kill(rig, fault)
    recover(rig, after, invocations, AFTER)


def test_recovery_is_killed_too(rig: Crash, before: Photo) -> None:
    """Killed in the last step, and recovery killed after each of some undone steps: the next recovery goes on."""
    invocations, count = rig.invocations(), steps(rig)
    settles = step_numbers(rig.plan(), "container.settle")
    kill(rig, f"kill:{count - 1}")
    for number in sorted({count - 2, count // 2, count // 3, *settles}, reverse=True):
        said = rig.run("recover", fault=f"kill-undo:{number}")
        assert said.code == 1, said
        assert rig.open_run()
    recover(rig, before, invocations, BEFORE)


def test_apply_puts_an_interrupted_run_back_first(rig: Crash, before: Photo, after: Photo) -> None:
    run = kill(rig, "kill:10")
    said = rig.run("apply", "--yes")
    assert said.code == 0, said
    assert f"Run {run} had been interrupted: undone" in said.err, said
    assert differences(after, rig.photo()) == []


def test_an_interrupted_run_is_told_and_not_built_upon(rig: Crash, before: Photo) -> None:
    run = kill(rig, "kill:10")
    for words in (("status",), ("plan",)):
        said = rig.run(*words)
        assert said.code == 1, said
        assert f"run {run} was interrupted" in said.err, said
        assert "hint: put it back, or finish it: eyas recover" in said.err, said
    assert f"{run}" in rig.eyas("history")
    assert "undone: the host is as it was before" in rig.eyas("recover")
    assert rig.eyas("recover").strip() == "No run was interrupted."
    assert differences(before, rig.photo()) == []
