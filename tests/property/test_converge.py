"""Whatever fleet is drawn and however it is edited: a run reaches it, or leaves no trace of having tried.

The world is in memory and strict, and the process can die at each act that changes it; the kinds, the renderer, the
planner, the journal and recovery are the real ones.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyas.apply.fault import Fault
from eyas.apply.journal import Runs
from eyas.apply.outcome import Outcome
from eyas.apply.proof import invocations, invocations_of
from eyas.apply.recover import recover
from eyas.apply.run import apply
from eyas.core import paths
from eyas.core.words import Plan, Resources
from eyas.kind import observe
from eyas.model import Host
from eyas.plan import plan
from tests.property.fleets import COMMITS, hosts, resources
from tests.world import Killed, World, differences

EXAMPLES = int(os.environ.get("EYAS_EXAMPLES", "25"))
SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
FAST = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW_IS_FINE)


def fast_folder() -> tempfile.TemporaryDirectory[str]:
    """In memory where there is one: the journal syncs at each step."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)


class Ground:
    """A world with its journal of runs."""

    def __init__(self, folder: str) -> None:
        self.world = World(tuple(COMMITS.values()))
        self.runs = Runs(Path(folder) / "runs")
        self.world.packages.here.update({"less": "600"})  # there before us
        self.world.files.write("/etc/motd", b"Debian")
        self.fresh = self.world.photograph()

    def plan(self, wanted: Resources) -> Plan:
        return plan(wanted, observe(self.world), "h")

    def apply(self, wanted: Resources, fault: str = "") -> Outcome:
        return apply(self.plan(wanted), wanted, self.world, self.runs, fault=Fault(fault), threads=False)

    def reach(self, wanted: Resources) -> Outcome:
        """Apply, and see that nothing is left to do."""
        outcome = self.apply(wanted)
        assert outcome.result == "kept", (outcome.error, outcome.hands)
        assert not outcome.disturbed
        again = self.plan(wanted)
        assert not again.changes, [c.to_json() for c in again.changes]
        return outcome


def seen(world: World) -> dict[str, Any]:
    """A photograph without directories: those that were made on the way stay, empty."""
    photo = world.photograph()
    files = photo["files"]
    assert isinstance(files, dict)
    owned = json.loads(world.files.read(paths.OWNED) or b"{}")
    whole = {p: n for p, n in files.items() if n.type != "dir" and p != paths.OWNED}
    return {**photo, "files": whole, "owned": owned.get("ids", {}), "left": set(owned.get("left", []))}


def lasting(photo: dict[str, Any]) -> dict[str, Any]:
    """What a power cut leaves: what is on disk. Packages that the run installed stay through a boot, and are claimed,
    so the next apply takes them away: their scripts start and stop units, which nothing may do so early."""
    claims = {id_: note for id_, note in photo["owned"].items() if not id_.startswith("package:")}
    files = {p: n for p, n in photo["files"].items() if not p.startswith("/run/")}
    return {"files": files, "accounts": photo["accounts"], "left": photo["left"], "owned": claims}


def same(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = list(differences(before, after))
    assert not found, "\n".join(found)


def either(before: dict[str, Any], after: dict[str, Any], now: dict[str, Any]) -> None:
    """One of the two; what is said when it is neither is the shorter way to one of them."""
    ways = [list(differences(state, now)) for state in (before, after)]
    shortest = min(ways, key=len)
    assert not shortest, "\n".join(shortest)


@FAST
@given(hosts(), hosts())
def test_a_run_reaches_the_fleet_and_a_second_plan_is_empty(one: Host, two: Host) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(resources(one))
        before = ground.world.running()
        outcome = ground.reach(resources(two))
        after = ground.world.running()
        moved = {name for name in before if after.get(name) != before[name]}
        assert moved <= {*outcome.restarts, *outcome.replaced}
        assert invocations(ground.world) == invocations_of(observe(ground.world).values()), "the proof sees what is"
        ground.reach(resources(one))


@FAST
@given(hosts())
def test_removing_everything_leaves_the_host_as_it_was_but_for_data(one: Host) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.world.files.write("/data/a/mine", b"data")
        ground.fresh = ground.world.photograph()
        ground.reach(resources(one))
        ground.reach({})
        left = {
            path
            for path in seen(ground.world)["files"]
            if path not in ground.fresh["files"]  # type: ignore[operator]
            and not path.startswith((f"{paths.TREES}/", f"{paths.LAYERS}/", f"{paths.IDENTITIES}/"))
        }
        assert not left, left
        for key in ("running", "firewall", "accounts", "packages", "kernel"):
            same({key: ground.fresh[key]}, {key: ground.world.photograph()[key]})
        assert ground.world.files.read("/etc/motd") == b"Debian"


@FAST
@given(hosts(), hosts(), st.integers(0, 60))
def test_a_step_that_fails_leaves_the_host_as_it_was(one: Host, two: Host, number: int) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(resources(one))
        wanted = resources(two)
        steps = len(ground.plan(wanted).steps)
        if not steps:
            return
        before, running = seen(ground.world), ground.world.running()
        outcome = ground.apply(wanted, f"fail:{number % steps}")
        if outcome.result == "kept":  # the step that failed belongs to the sweep
            return
        assert outcome.result in ("undone", "failed"), outcome.hands
        same(before, seen(ground.world))
        undisturbed = set(running) - {*outcome.restarts, *outcome.replaced}
        assert {n: running[n] for n in undisturbed} == {n: ground.world.running()[n] for n in undisturbed}
        ground.reach(wanted)


@FAST
@given(hosts(), hosts(), st.integers(0, 400), st.booleans(), st.none() | st.integers(0, 30), st.booleans())
def test_killed_anywhere_the_host_is_wholly_before_or_wholly_after(
    one: Host, two: Host, count: int, after: bool, again: int | None, power: bool
) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        world = ground.world
        ground.reach(resources(one))
        wanted = resources(two)
        before = seen(world)
        whole = world.copy()
        begun = whole.fuse.count
        with fast_folder() as other:
            done = apply(plan(wanted, observe(whole), "h"), wanted, whole, Runs(Path(other)), threads=False)
        acts = whole.fuse.count - begun
        assert done.result == "kept"
        world.fuse.left, world.fuse.after = count % (acts + 1), after
        with suppress(Killed):
            ground.apply(wanted)
        for left in (again, None):
            world.fuse.off()
            if power:
                world.cut()
            world.fuse.left, world.fuse.after = left, False
            with suppress(Killed):
                recover(world, ground.runs, boot=power)
        world.survive()
        assert ground.runs.current() is None
        if power:
            world.boot()
            states = [lasting(before), lasting(seen(whole)), lasting(seen(world))]
        else:
            states = [before, seen(whole), seen(world)]
        either(states[0], states[1], states[2])
        ground.reach(wanted)
