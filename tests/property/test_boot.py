"""What is prepared for the next boot disturbs nothing, is there after it, and can be taken back or done at once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from eyas.apply.journal import Runs
from eyas.apply.recover import recover
from eyas.apply.run import apply
from eyas.core.words import Action, Resources
from eyas.kind import observe, slots
from eyas.kind.container.boot import copies
from eyas.kind.pending import read
from eyas.model import Bridge, Container, Host, Image, Uplink
from eyas.plan import plan
from eyas.plan.boot import Prepared, at_boot
from tests.property.fleets import COMMITS, hosts, resources
from tests.property.test_converge import FAST, Ground, fast_folder, same, seen
from tests.world import Killed

LIVE = ("running", "in effect", "firewall", "links", "packages", "kernel", "loaded")


def prepare(ground: Ground, wanted: Resources) -> Prepared:
    actual = observe(ground.world)
    return at_boot(plan(wanted, actual, "h"), wanted, actual)


def ids(ground: Ground, wanted: Resources) -> dict[str, str]:
    return {change.id: change.action.value for change in ground.plan(wanted).changes}


def settled(ground: Ground) -> dict[str, object]:
    """The host, with the unit files that systemd goes by: of what does not run it reads them at the next start."""
    found = seen(ground.world)
    loaded = {name: text for name, text in found["loaded"].items() if name in ground.world.units.running}
    return {**found, "loaded": loaded}


@FAST
@given(hosts(), hosts())
def test_it_disturbs_nothing_and_is_there_after_the_boot(one: Host, two: Host) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(resources(one))
        world, wanted = ground.world, resources(two)
        photo, invocations, whole = world.photograph(), world.running(), ids(ground, wanted)
        made = prepare(ground, wanted)
        left = {each.id for each in made.left}
        outcome = apply(made.plan, made.desired, world, ground.runs, threads=False)
        if outcome.result == "undone":  # a file for a user who is left out
            assert "nobody has this name" in outcome.error
            return
        assert outcome.result == "kept", (outcome.error, outcome.hands)
        assert not outcome.disturbed
        after = world.photograph()
        assert {key: photo[key] for key in LIVE} == {key: after[key] for key in LIVE}
        assert world.running() == invocations
        # What a plain apply would do now is what it was, but for what nobody had to wait for.
        done = {change.id for change in made.plan.changes if change.id not in read(world)}
        # Whether one starts at a boot is a file, and in effect as soon as that is there.
        done |= {c.id for c in made.plan.changes if c.fields and all(f.field == "autostart" for f in c.fields)}
        now = ids(ground, wanted)
        assert set(now) - {f"container:{name}" for name in "abcd"} <= set(whole)
        idle = {id_ for id_, resource in wanted.items() if resource.fields.get("autostart") is False}
        assert set(whole) - set(now) <= done | idle
        if set(invocations) - {c.owner for c in made.plan.changes}:
            world.units.daemon_reload()  # somebody else's, and a container that crashes: it is what it was
            for name in invocations:
                world.units.restart([f"systemd-nspawn@{name}.service"])
            assert world.photograph()["in effect"] == photo["in effect"]
        world.cut()
        world.boot()
        rest = ground.plan(wanted).changes
        partners = {c.id for c in rest if c.action is Action.start}
        assert {change.id for change in rest} - partners <= left, [c.to_json() for c in rest]
        ground.reach(wanted)


@FAST
@given(hosts(), hosts(), st.booleans())
def test_it_can_be_done_at_once_or_taken_back(one: Host, two: Host, back: bool) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(resources(one))
        made = prepare(ground, resources(two))
        if apply(made.plan, made.desired, ground.world, ground.runs, threads=False).result != "kept":
            return
        ground.reach(resources(one if back else two))
        assert all(id_.startswith("container:") for id_ in read(ground.world))  # of one that is as it was
        before = settled(ground)
        ground.reach(resources(one))
        ground.reach(resources(one if back else two))
        same(before, settled(ground))


@FAST
@given(hosts(), hosts(), st.integers(0, 60))
def test_killed_it_is_taken_back(one: Host, two: Host, count: int) -> None:
    from contextlib import suppress

    from eyas.apply.recover import recover
    from tests.property.test_converge import either
    from tests.world import Killed

    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(resources(one))
        made = prepare(ground, resources(two))
        before = seen(ground.world)
        whole = ground.world.copy()
        apply(made.plan, made.desired, whole, type(ground.runs)(f"{folder}/other"), threads=False)
        ground.world.fuse.left = count
        with suppress(Killed):
            apply(made.plan, made.desired, ground.world, ground.runs, threads=False)
        ground.world.survive()
        recover(ground.world, ground.runs)
        either(before, seen(whole), seen(ground.world))


def test_a_run_that_the_power_ended_does_not_bring_back_what_the_boot_took() -> None:
    """What was prepared takes effect at this boot, as at every other one: nothing goes by the copies in /run."""

    def host(name: str) -> Resources:
        image = Image.debian(name=name)
        web = Container("web", "10.0.5.11", image, stateless=True, settle=0)
        db = Container("db", "10.0.5.10", image, settle=0)
        return resources(Host("h", Uplink("eth0", "203.0.113.2/24"), Bridge("br0", "10.0.5.1/24"), [web, db]))

    one, two = host("plain"), host("fat")
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(one)
        made = prepare(ground, two)
        assert apply(made.plan, made.desired, ground.world, ground.runs, threads=False).result == "kept"
        now, whole = plan(two, observe(ground.world), "h"), ground.world.copy()
        acts = whole.fuse.count
        assert apply(now, two, whole, Runs(Path(folder) / "whole"), threads=False).result == "kept"
        for count in range(whole.fuse.count - acts):
            world, runs = ground.world.copy(), Runs(Path(folder) / str(count))
            world.fuse.left = count
            with suppress(Killed):
                apply(now, two, world, runs, threads=False)
            world.cut()
            outcome = recover(world, runs, boot=True)
            assert outcome is None or not outcome.hands, outcome
            for name in ("web", "web.b", "db"):
                assert not [path for path in copies(name) if world.files.stat(path)], (count, name)
            world.boot()
            assert set(world.running()) == {"web", "db"}
            trees = {slots.split(name)[0]: root.tree for name, root in world.roots.items()}
            assert set(trees.values()) == {COMMITS["fat"]}, count
