"""A stateless container is replaced: whatever breaks, one generation of it is there for its clients, and one alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from eyas.apply.journal import Runs
from eyas.apply.proof import invocations, invocations_of
from eyas.apply.recover import recover
from eyas.apply.run import apply
from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.words import Action, Impact, Phase
from eyas.kind import observe, slots, verb_of
from eyas.model import Bind, Bridge, Container, Forward, Host, Image, Uplink
from eyas.plan import plan
from tests.property.fleets import resources
from tests.property.test_converge import Ground, either, fast_folder, lasting, same, seen
from tests.world import Killed, World

PLAIN, FAT = Image.debian(name="plain"), Image.debian(name="fat")
DATA = Bind("/data/web", persistent=True)


def host(*containers: Container) -> Host:
    return Host("h", Uplink("eth0", "203.0.113.2/24"), Bridge("br0", "10.0.5.1/24", "fd00:5::1/64"), containers)


def fleet(image: Image, stateless: bool = True, **more: object) -> dict[str, object]:
    web = Container("web", "10.0.5.10", image, stateless=stateless, forwards=[Forward(80)], settle=0, **more)  # type: ignore[arg-type]
    app = Container("app", "10.0.5.11", PLAIN, after=["web"])
    return resources(host(web, app))  # type: ignore[return-value]


OLD, NEW = fleet(PLAIN), fleet(FAT)


def led_to(world: World) -> str:
    """The slot of web that connections go to, as the packet filter has it."""
    there = [line for line in world.firewall.text.splitlines() if line.startswith("define now4_web = ")]
    assert len(there) == 1
    return {"10.0.5.10": "a", "100.96.5.10": "b"}[there[0].rpartition(" ")[2]]


def serves(world: World) -> None:
    """Connections go to a generation that runs, now and after a boot."""
    slot = led_to(world)
    assert paths.unit_name(slots.machine("web", slot)) in world.units.running
    assert world.firewall.text.encode() == world.files.read(paths.FIREWALL)
    assert world.files.readlink(paths.wanted(slots.machine("web", slot)))
    assert world.files.readlink(paths.wanted(slots.machine("web", slots.other(slot)))) is None


def test_there_and_back() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        assert led_to(ground.world) == "a"
        for wanted, slot in ((NEW, "b"), (OLD, "a"), (NEW, "b")):
            before = ground.world.running()
            made = ground.plan(wanted)  # type: ignore[arg-type]
            change = next(c for c in made.changes if c.kind == "container")
            assert (change.impact, change.notice) == (Impact.beside, "nobody notices: a new one starts beside it")
            assert not list(made.restarts())
            outcome = ground.reach(wanted)  # type: ignore[arg-type]
            assert outcome.restarts == ()
            assert outcome.proved == ("app",)
            after = ground.world.running()
            assert (before["web"] != after["web"], before["app"] == after["app"]) == (True, True)
            assert led_to(ground.world) == slot
            serves(ground.world)
            assert invocations(ground.world) == invocations_of(observe(ground.world).values())
            assert slots.present(ground.world.files, "web") == [slot]


def test_each_of_several_is_led_to_its_own() -> None:
    """In the rules they stand behind one another, as elements of the same map."""

    def pair(*images: Image) -> dict[str, object]:
        names = [("web", "10.0.5.10"), ("wiki", "10.0.5.12")]
        both = [Container(n, a, i, stateless=True, settle=0) for (n, a), i in zip(names, images, strict=True)]
        return resources(host(*both))  # type: ignore[return-value]

    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(pair(PLAIN, PLAIN))  # type: ignore[arg-type]
        for images, replaced in (((FAT, PLAIN), "web"), ((FAT, FAT), "wiki")):
            assert ground.reach(pair(*images)).replaced == (replaced,)  # type: ignore[arg-type]
        assert [slots.current(ground.world.files, name) for name in ("web", "wiki")] == ["b", "b"]
        text = ground.world.firewall.text
        assert "define now4_web = 100.96.5.10\n" in text
        assert "define now4_wiki = 100.96.5.12\n" in text


def test_the_order_of_the_steps() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        steps = [s for s in ground.plan(NEW).steps if s.id == "container:web"]  # type: ignore[arg-type]
        chain = ["prepare", "begin", "ready", "watch", "switch", "drain", "retire", "discard"]
        assert [step.verb for step in steps] == chain
        assert [slots.machine_of(step) for step in steps] == ["web.b"] * 5 + ["web"] * 3
        assert {step.phase for step in steps[1:]} == {Phase.restart}


def test_the_boot_starts_the_current_generation_alone() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        ground.reach(NEW)  # type: ignore[arg-type]
        ground.world.cut()
        ground.world.boot()
        assert set(ground.world.running()) == {"web", "app"}
        serves(ground.world)
        assert not ground.plan(NEW).changes  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", ["begin", "ready", "watch", "switch", "drain", "retire", "discard"])
@pytest.mark.parametrize("slot", ["a", "b"])
def test_what_fails_leaves_the_old_one(verb: str, slot: str) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        old, new = (OLD, NEW) if slot == "a" else (NEW, OLD)
        if slot == "b":
            ground.reach(NEW)  # type: ignore[arg-type]
        before, running = seen(ground.world), ground.world.running()
        steps = [f"{step.id} {step.verb}" for step in ground.plan(new).steps]  # type: ignore[arg-type]
        outcome = ground.apply(new, f"fail:{steps.index(f'container:web {verb}')}")  # type: ignore[arg-type]
        assert (outcome.result, outcome.exit_code) == ("undone", 4), outcome
        now = ground.world.running()
        assert (now["web"] == running["web"]) is (verb not in ("discard",))
        same({**before, "running": ()}, {**seen(ground.world), "running": ()})
        serves(ground.world)
        assert not ground.plan(old).changes  # type: ignore[arg-type]


def test_a_new_one_that_does_not_come_up_changes_nothing() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        running = ground.world.running()
        ground.world.units.broken.add(paths.unit_name("web.b"))
        outcome = ground.apply(NEW)  # type: ignore[arg-type]
        assert outcome.exit_code == 4
        assert ground.world.running() == running
        serves(ground.world)


def test_an_old_one_that_does_not_come_back_leaves_the_new_one_to_serve() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        steps = [step.verb for step in ground.plan(NEW).steps]  # type: ignore[arg-type]
        world = ground.world
        world.units.broken.add(paths.unit_name("web"))  # what runs already does not mind
        outcome = ground.apply(NEW, f"fail:{steps.index('discard')}")  # type: ignore[arg-type]
        assert outcome.exit_code == 5
        assert led_to(world) == "b"
        assert paths.unit_name("web.b") in world.units.running
        assert world.files.stat(paths.spec("web.b")) is not None
        world.units.broken.clear()
        again = recover(world, ground.runs)
        assert again is not None
        assert not again.hands, again
        serves(world)
        assert led_to(world) == "a"


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power cut"])
@pytest.mark.parametrize("slot", ["a", "b"])
def test_killed_at_every_act(slot: str, power: bool) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        wanted = NEW if slot == "a" else OLD
        if slot == "b":
            ground.reach(NEW)  # type: ignore[arg-type]
        before = seen(ground.world)
        made = plan(wanted, observe(ground.world), "h")  # type: ignore[arg-type]
        whole = ground.world.copy()
        acts = whole.fuse.count
        assert apply(made, wanted, whole, Runs(Path(folder) / "whole"), threads=False).result == "kept"  # type: ignore[arg-type]
        acts = whole.fuse.count - acts
        assert acts > 20
        for count in range(acts):
            world, runs = ground.world.copy(), Runs(Path(folder) / str(count))
            world.fuse.left = count
            with suppress(Killed):
                apply(made, wanted, world, runs, threads=False)  # type: ignore[arg-type]
            world.survive()
            if not power:
                assert any(paths.unit_name(m) in world.units.running for m in ("web", "web.b"))
                assert paths.unit_name(slots.machine("web", led_to(world))) in world.units.running
            if power:
                world.cut()
            outcome = recover(world, runs, boot=power)
            assert outcome is None or not outcome.hands, outcome
            if power:
                world.boot()
                either(lasting(before), lasting(seen(whole)), lasting(seen(world)))
            else:
                either({**before, "running": ()}, {**seen(whole), "running": ()}, {**seen(world), "running": ()})
            serves(world)


def test_what_is_left_over_goes() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        world, running = ground.world, ground.world.running()
        for path in (paths.spec, paths.env, paths.unit, paths.limits):
            data = world.files.read(path("web")) or b""
            world.files.write(path("web.b"), data.replace(b'"slot": "a"', b'"slot": "b"'))
        world.units.daemon_reload()
        world.units.start([paths.unit_name("web.b")])
        assert invocations(world) == invocations_of(observe(world).values()), "of the one that clients are led to"
        change = next(c for c in ground.plan(OLD).changes if c.kind == "container")  # type: ignore[arg-type]
        assert [field.note for field in change.fields] == ["another generation is left over"]
        assert (change.action, change.impact) == (Action.update, Impact.live)
        ground.reach(OLD)  # type: ignore[arg-type]
        assert world.running() == running
        assert slots.present(world.files, "web") == ["a"]


def test_connections_led_elsewhere_by_hand_are_drift() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        world = ground.world
        data = (world.files.read(paths.FIREWALL) or b"").replace(b"now4_web = 10.0.5.10", b"now4_web = 100.96.5.10")
        world.files.write(paths.FIREWALL, data)
        world.firewall.load(data.decode())
        world.files.remove(paths.FIREWALL_PRINT)
        world._put(paths.FIREWALL_LISTING, data)
        changes = ground.plan(OLD).changes  # type: ignore[arg-type]
        assert [change.id for change in changes] == ["firewall:eyas"]
        ground.reach(OLD)  # type: ignore[arg-type]
        serves(world)


@pytest.mark.parametrize("slot", ["a", "b"])
def test_stateless_no_more(slot: str) -> None:
    once = fleet(PLAIN, stateless=False, binds=[DATA])
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        if slot == "b":
            ground.reach(NEW)  # type: ignore[arg-type]
        outcome = ground.reach(once)  # type: ignore[arg-type]
        assert outcome.restarts == ("web",)
        assert slots.present(ground.world.files, "web") == ["a"]
        assert "define" not in ground.world.firewall.text
        ground.reach(OLD)  # type: ignore[arg-type]
        serves(ground.world)


def test_out_of_the_second_slot_nothing_is_taken_away_too_early() -> None:
    """New connections wait before anything changes for it, the way to it goes when nobody needs it any more, and what
    was led to it is led anew: a client that asked there would ask there for ever."""
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        ground.reach(NEW)  # type: ignore[arg-type]
        once = fleet(PLAIN, stateless=False)
        steps = [s for s in ground.plan(once).steps if s.id == "container:web" or s.kind == "network"]  # type: ignore[arg-type]
        chain = ["settle", "configure", "hold", "drain", "stop", "discard", "start", "ready", "release", "watch"]
        assert [step.verb for step in steps] == [*chain, "narrow"]
        ground.reach(once)  # type: ignore[arg-type]
        assert ground.world.traffic.forgotten[-1] == ("100.96.5.10", "fd00:5::8000:0:0:10")


def test_a_removed_one_leaves_nothing() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        ground.reach(NEW)  # type: ignore[arg-type]
        ground.reach({})
        files = ground.world.files.nodes
        assert not [path for path in files if path.startswith((paths.ETC, paths.UNITS)) and "web" in path]


def test_without_a_firewall_nobody_is_led_anywhere() -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        ground.reach(OLD)  # type: ignore[arg-type]
        made = ground.plan(NEW)  # type: ignore[arg-type]
        ground.world.files.remove(paths.FIREWALL)
        step = next(step for step in made.steps if step.verb == "switch")
        with pytest.raises(Failed, match=r"firewall\.nft is missing"):
            verb_of(step).do(ground.world, step, None)
