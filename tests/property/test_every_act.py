"""A run that creates, changes and removes, killed at every act that changes the host: nothing drawn or skipped."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from eyas.apply.journal import Runs
from eyas.apply.recover import recover
from eyas.apply.run import apply
from eyas.kind import observe
from eyas.model import Bind, Bridge, Container, Forward, Host, Image, Limits, Uplink, User
from eyas.plan import plan
from tests.property.fleets import resources
from tests.property.test_converge import Ground, either, fast_folder, lasting, seen
from tests.world import Killed, World

PLAIN, FAT = Image.debian(name="plain"), Image.debian(name="fat")


def host(*containers: Container, **more: object) -> Host:
    return Host("h", Uplink("eth0", "203.0.113.2/24"), Bridge("br0", "10.0.5.1/24"), containers, **more)  # type: ignore[arg-type]


BEFORE = resources(
    host(
        Container("changed", "10.0.5.10", PLAIN, limits=Limits(memory="1G"), files={"/etc/x.conf": "one"}),
        Container("again", "10.0.5.11", PLAIN, forwards=[Forward(80)], binds=[Bind("/data/again", persistent=True)]),
        Container("gone", "10.0.5.12", PLAIN, binds=[Bind("/data/gone", persistent=True)]),
        Container("still", "10.0.5.13", PLAIN),
        users=[User("bob", 1002)],
        sysctls={"vm.swappiness": 10},
    )
)
AFTER = resources(
    host(
        Container("changed", "10.0.5.10", PLAIN, limits=Limits(memory="2G"), files={"/etc/x.conf": "two"}),
        Container("again", "10.0.5.11", FAT, after=["new"], binds=[Bind("/data/again", persistent=True)], settle=0),
        Container("still", "10.0.5.13", PLAIN),
        Container("new", "10.0.5.12", FAT, forwards=[Forward(80)]),  # takes the address of the one that goes
        packages=["curl"],
        files={"/etc/motd": "hello"},
    )
)


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power cut"])
def test_killed_at_every_act(power: bool) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(BEFORE)
        ground.world.accounts.put_secret("bob:hash:20000:0:99999:7:::")  # has logged in once, and set a password
        before, running = seen(ground.world), ground.world.running()
        wanted = plan(AFTER, observe(ground.world), "h")
        whole = ground.world.copy()
        acts = whole.fuse.count
        assert apply(wanted, AFTER, whole, Runs(Path(folder) / "whole"), threads=False).result == "kept"
        acts = whole.fuse.count - acts
        assert acts > 50
        for count in range(acts):
            world, runs = ground.world.copy(), Runs(Path(folder) / str(count))
            world.fuse.left = count
            with suppress(Killed):
                apply(wanted, AFTER, world, runs, threads=False)
            _recovered(world, runs, power)
            now = seen(world)
            if power:
                either(lasting(before), lasting(seen(whole)), lasting(now))
                continue
            either(before, seen(whole), now)
            assert world.running()["still"] == running["still"], "a container that the plan leaves alone was restarted"


def _recovered(world: World, runs: Runs, power: bool) -> None:
    world.survive()
    if power:
        world.cut()
    outcome = recover(world, runs, boot=power)
    assert outcome is None or not outcome.hands, outcome
    assert runs.current() is None
    if power:
        world.boot()
