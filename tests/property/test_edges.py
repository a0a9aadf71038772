"""Edges that come and go with what they lead to: nobody is stopped along with a container that it no longer needs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from eyas.apply.journal import Runs
from eyas.apply.recover import recover
from eyas.apply.run import apply
from eyas.core.paths import unit_name
from eyas.core.words import Impact
from eyas.kind import slots
from eyas.model import Bridge, Container, Host, Image, Uplink
from tests.property.fleets import resources
from tests.property.test_boot import prepare
from tests.property.test_converge import Ground, either, fast_folder, same, seen
from tests.world import Killed

PLAIN = Image.debian(name="plain")


def host(*containers: Container) -> Host:
    return Host("h", Uplink("eth0", "203.0.113.2/24"), Bridge("br0", "10.0.5.1/24"), containers)


def pair(edge: str) -> tuple[Any, Any]:
    """(with it, without it): a container with an edge to another, and alone."""
    db = Container("db", "10.0.5.10", PLAIN)
    both = host(db, Container("web", "10.0.5.11", PLAIN, **{edge: ["db"]}))  # type: ignore[arg-type]
    return resources(both), resources(host(Container("web", "10.0.5.11", PLAIN)))


@pytest.mark.parametrize("edge", ["after", "needs", "restart_with"])
def test_an_edge_goes_with_its_container(edge: str) -> None:
    with fast_folder() as folder:
        ground, (both, alone) = Ground(folder), pair(edge)
        ground.reach(both)
        web = ground.world.running()["web"]
        outcome = ground.reach(alone)
        assert outcome.proved == ("web",)
        assert ground.world.running() == {"web": web}


@pytest.mark.parametrize("edge", ["after", "needs", "restart_with"])
def test_an_edge_comes_with_its_container_and_goes_when_that_does_not_come_up(edge: str) -> None:
    with fast_folder() as folder:
        ground, (both, alone) = Ground(folder), pair(edge)
        ground.reach(alone)
        before, web = seen(ground.world), ground.world.running()["web"]
        steps = [f"{step.kind}.{step.verb} {step.id}" for step in ground.plan(both).steps]
        outcome = ground.apply(both, f"fail:{steps.index('container.ready container:db')}")
        assert outcome.result == "undone"
        assert ground.world.running() == {"web": web}
        same(before, seen(ground.world))


def loosened(then: str) -> tuple[Any, Any]:
    """A replaced container that was declared to restart with another; what is declared now: it is not, any more, and
    that other one goes away or restarts."""
    fat = Image.debian(name="fat")
    tied = Container("web", "10.0.5.11", PLAIN, restart_with=["db"], stateless=True, settle=0)
    free = Container("web", "10.0.5.11", fat, stateless=True, settle=0)
    left = [Container("db", "10.0.5.10", fat, settle=0)] if then == "restarted" else []
    return resources(host(Container("db", "10.0.5.10", PLAIN), tied)), resources(host(*left, free))


@pytest.mark.parametrize("then", ["removed", "restarted"])
@pytest.mark.parametrize("waiting", [False, True], ids=["at once", "prepared for the next boot before"])
def test_the_old_generation_does_not_go_along_with_what_the_new_one_is_not_tied_to(then: str, waiting: bool) -> None:
    (tied, free), web = loosened(then), unit_name("web")
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(tied)
        if waiting:
            prepared = prepare(ground, free)
            assert apply(prepared.plan, prepared.desired, ground.world, ground.runs, threads=False).result == "kept"
            ground.world.units.daemon_reload()  # somebody else's: read before, as everything else that is compared
        before, made = seen(ground.world), ground.plan(free)
        old = ground.world.units.running[web]
        assert [change.impact for change in made.changes if change.owner == "web"] == [Impact.beside]
        whole = ground.world.copy()
        acts = whole.fuse.count
        assert apply(made, free, whole, Runs(Path(folder) / "whole"), threads=False).result == "kept"
        for count in range(whole.fuse.count - acts):
            world, runs = ground.world.copy(), Runs(Path(folder) / str(count))
            world.fuse.left = count
            with suppress(Killed):
                apply(made, free, world, runs, threads=False)
            world.survive()
            assert "web" in {slots.split(machine)[0] for machine in world.roots}
            assert world.units.running.get(web, old) == old
            outcome = recover(world, runs)
            assert outcome is None or not outcome.hands, outcome
            either({**before, "running": ()}, {**seen(whole), "running": ()}, {**seen(world), "running": ()})
            assert "web" in world.running()
        ground.reach(free)
