"""The operator goes away, thinks better of it, or is not alone, in the middle of an apply."""

from __future__ import annotations

import re
import signal

from eyas.lab.testing import retry
from tests.lab.crash.definitions import AFTER, BEFORE
from tests.lab.crash.rig import Crash, Photo, differences
from tests.lab.rig import hand_on, step_numbers

# The plan touches the firewall: a run whose operator is gone would go back, when nobody else confirms (tests/lab/ways).
NOBODY_ASKED = ("--confirm-within", "0")


def stop_step(rig: Crash) -> int:
    """The step that stops the container which goes: it takes a while, and all of before and after is around it."""
    return step_numbers(rig.plan(), "container.stop")[0]


def ended(rig: Crash, run: str) -> bool:
    """Whether the host's end has come to its end."""
    return not rig.open_run_on_disk() and (rig.journal_path(run).parent / "outcome.json").exists()


def test_a_killed_operator_does_not_stop_the_run(rig: Crash, before: Photo, after: Photo) -> None:
    rig.write(AFTER)
    number = stop_step(rig)
    invocations = rig.invocations()
    with hand_on(rig.start("apply", "--yes", *NOBODY_ASKED)) as process:
        rig.wait_step(process, number)
        run = rig.open_run()
        process.send_signal(signal.SIGKILL)
        process.wait()
    retry(lambda: ended(rig, run), "the agent carries the run to its end", 180)
    assert differences(after, rig.photo()) == []
    assert rig.invocations()["live"] == invocations["live"]
    assert rig.differs(AFTER) == []
    assert f"{run}  " in rig.eyas("history")
    assert "kept" in next(line for line in rig.eyas("history").splitlines() if line.startswith(run))


def test_an_interrupt_takes_the_run_back(rig: Crash, before: Photo) -> None:
    rig.write(AFTER)
    number = stop_step(rig)
    invocations = rig.invocations()
    with hand_on(rig.start("apply", "--yes")) as process:
        rig.wait_step(process, number)
        process.send_signal(signal.SIGINT)
        said = rig.end(process)
    assert said.code == 130, said
    assert "as it was before" in said.out + said.err, said
    assert not rig.open_run()
    assert differences(before, rig.photo()) == []
    assert rig.invocations()["live"] == invocations["live"]
    assert rig.differs(BEFORE) == []


def test_a_closed_terminal_does_not_stop_the_run(rig: Crash, before: Photo, after: Photo) -> None:
    rig.write(AFTER)
    number = stop_step(rig)
    with hand_on(rig.start("apply", "--yes", *NOBODY_ASKED)) as process:
        rig.wait_step(process, number)
        run = rig.open_run()
        process.send_signal(signal.SIGHUP)
        rig.end(process)
    retry(lambda: ended(rig, run), "the agent carries the run to its end", 180)
    assert differences(after, rig.photo()) == []


def test_a_second_apply_is_refused_with_the_name_of_the_first(rig: Crash, before: Photo, after: Photo) -> None:
    rig.write(AFTER)
    number = stop_step(rig)
    with hand_on(rig.start("apply", "--yes")) as process:
        rig.wait_step(process, number)
        words = [("apply", "--yes"), ("plan",), ("status",), ("recover",), ("recover", "--accept"), ("gc",)]
        others = [rig.start(*one) for one in words]
        told = [rig.end(other) for other in others]
        assert process.poll() is None, "the first was at work all the time"
        first = rig.end(process)
    assert first.code == 0, first
    for one, said in zip(words, told, strict=True):
        assert said.code == 1, (one, said)
        lines = said.err.strip().splitlines()
        assert re.fullmatch(r"eyas: cannot .*(run|one) is under way( there)? \(\S+@\S+, process \d+\)", lines[-2]), said
        assert lines[-1] == "hint: wait for its end; eyas history shows it", said
    assert differences(after, rig.photo()) == []
    assert rig.differs(AFTER) == []
