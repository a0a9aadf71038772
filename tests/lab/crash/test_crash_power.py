"""The power of the host is cut during an apply: the next boot puts the host back before any container starts.

A cut ends every process of the lab host at once. What was written and not yet synced is there after it all the same:
the page cache is that of the machine that the lab runs on. So what is shown is that recovery can do with any half of a
run, and comes in time; not that everything is synced before the next deed.
"""

from __future__ import annotations

import time

from eyas.lab.testing import retry
from tests.lab.crash.definitions import AFTER, BEFORE
from tests.lab.crash.rig import Crash, Photo, differences
from tests.lab.rig import hand_on

CUTS = 10
RECOVER = "eyas-recover.service"
LATER = (0.0, 0.02, 0.1)  # seconds into the step that was waited for


def cut_at(rig: Crash, number: int, later: float) -> str:
    """Cut the power when an apply from before to after has begun a step; the run that was under way."""
    rig.write(AFTER)
    with hand_on(rig.start("apply", "--yes")) as process:
        rig.wait_step(process, number)
        time.sleep(later)
        run = rig.open_run_on_disk()
        rig.host.cut()
        said = rig.end(process)
    assert said.code == 1 or not run, said  # not open any more: it was faster than we
    return run


def usec(rig: Crash, unit: str, moment: str) -> int:
    return int(rig.host.succeed("systemctl", "show", f"--property={moment}", "--value", unit))


def up(rig: Crash, names: set[str]) -> None:
    """Wait until the boot is over and exactly these containers have started by it."""
    rig.host.wait_until_succeeds("systemctl", "is-active", "multi-user.target", timeout=120)
    retry(lambda: not rig.host.succeed("systemctl", "list-jobs", "--no-legend").strip(), "no jobs", 180)
    assert set(rig.names()) == names


def recovered_first(rig: Crash) -> None:
    """Recovery has run at this boot, and was over when the first container began."""
    shown = rig.host.succeed("systemctl", "show", "--property=ConditionResult,Result,ExecMainStatus", RECOVER)
    assert set(shown.split()) == {"ConditionResult=yes", "Result=success", "ExecMainStatus=0"}, shown
    over = usec(rig, RECOVER, "ExecMainExitTimestampMonotonic")
    for name in rig.names():
        assert over < usec(rig, f"systemd-nspawn@{name}.service", "InactiveExitTimestampMonotonic"), name


def test_ten_cuts_during_an_apply(rig: Crash, before: Photo, after: Photo) -> None:
    rig.write(AFTER)
    count = len(rig.plan()["steps"])
    states = {"before": (before, BEFORE, {"again", "gone", "live"}), "after": (after, AFTER, {"again", "new", "live"})}
    seen = []
    for turn in range(CUTS):
        number = (count - 1) * turn // (CUTS - 1)
        run = cut_at(rig, number, LATER[turn % len(LATER)])
        took = rig.host.boot()
        state = "after" if run_is_over(rig, run) else "before"
        photo, text, names = states[state]
        up(rig, names)
        assert not rig.open_run()
        if run:
            recovered_first(rig)
        found = differences(photo, rig.photo())
        assert not found, f"cut at step {number}, to be {state}:\n" + "\n".join(found)
        assert rig.differs(text) == []
        seen.append(f"{number}: {state}, booted in {took:.1f} s")
        if state == "after":
            rig.restore(BEFORE)
    print("; ".join(seen))
    rig.write(AFTER)
    rig.apply()  # and the next apply converges
    assert rig.differs(AFTER) == []


def run_is_over(rig: Crash, run: str) -> bool:
    """Whether the last run was kept."""
    lines = rig.journal(run) if run else []
    return not run or any(line["state"] == "kept" and "n" not in line for line in lines)


def test_cut_again_while_the_boot_recovers(rig: Crash, before: Photo, after: Photo) -> None:
    """The first boot after the cut is cut as well, in the middle of its recovery."""
    rig.write(AFTER)
    count = len(rig.plan()["steps"])
    run = cut_at(rig, count - 3, 0.0)
    assert run
    machine = rig.host.lab.host(rig.host.name)
    machine.power_on()
    path = rig.journal_path(run)
    retry(lambda: '"undone"' in path.read_text(), "recovery is at work", 120, pause=0.002)
    rig.host.cut()
    assert rig.open_run_on_disk() == run
    rig.host.boot()
    up(rig, {"again", "gone", "live"})
    recovered_first(rig)
    assert differences(before, rig.photo()) == []
    assert rig.differs(BEFORE) == []


def test_a_boot_without_an_open_run_has_nothing_to_recover(rig: Crash, before: Photo) -> None:
    """A boot without an interrupted run: all containers are up, and recovery was not even started."""
    rig.host.cut()
    rig.host.boot()
    up(rig, {"again", "gone", "live"})
    assert rig.host.succeed("systemctl", "show", "--property=ConditionResult", "--value", RECOVER).strip() == "no"
    assert differences(before, rig.photo()) == []
