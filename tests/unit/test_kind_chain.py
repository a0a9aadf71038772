"""Restarts in a row, held and watched, and their way back: the real planner, kinds and journal on a host in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from eyas.apply.outcome import Outcome
from eyas.core.errors import Unhealthy
from eyas.core.system import Door, UnitState
from eyas.core.words import Phase, Plan, Step
from eyas.kind import observe
from eyas.kind.container import chain, health
from eyas.model import Bridge, Container, File, Forward, Host, Image, Root, Unit, Uplink
from eyas.plan import plan
from tests.property.fleets import resources
from tests.property.test_converge import Ground, fast_folder, same, seen

PLAIN = Image.debian(name="plain")
CHAIN = ["hold", "drain", "restart", "ready", "release", "watch"]
APP = {"app.service": Unit("[Service]\nExecStart=/bin/app\n[Install]\nWantedBy=multi-user.target\n")}


def one(name: str, number: int, *, size: str = "1G", **more: Any) -> Container:
    """A container; another size of its root is a reason to restart it."""
    return Container(name, f"10.0.5.{number}", PLAIN, root=Root(size=size), **{"settle": 0, **more})


def wanted(*containers: Container) -> Any:
    return resources(Host("h", Uplink("eth0", "203.0.113.2/24"), Bridge("br0", "10.0.5.1/24"), containers))


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(health, "CALM", 0.0)
    with fast_folder() as folder:
        yield Ground(folder)


def verbs(made: Plan, phase: Phase = Phase.restart) -> list[tuple[str, str, object]]:
    """(verb, container, place in the roll) of the steps of a phase."""
    return [
        (step.verb, step.id.partition(":")[2], step.args.get("wave"))
        for step in made.steps
        if step.kind == "container" and step.phase is phase
    ]


def starts(ground: Ground) -> list[list[str]]:
    """Record what is restarted from now on, call by call."""
    calls: list[list[str]] = []
    inner: Callable[..., None] = ground.world.units.restart

    def restart(units: Any, **more: Any) -> None:
        if not more.get("machine"):
            calls.append([unit.removeprefix("systemd-nspawn@").removesuffix(".service") for unit in units])
        inner(units, **more)

    ground.world.units.restart = restart  # type: ignore[method-assign]
    return calls


def break_inside(ground: Ground, machine: str, unit: str = "app.service") -> None:
    """A unit in a container that fails at each start."""
    ground.world.units.ill[machine, unit] = UnitState(unit, "loaded", "failed", "failed", "exit-code")


def test_each_container_has_a_place_of_its_own(ground: Ground) -> None:
    def fleet(size: str) -> Any:
        return wanted(one("a", 10, size=size, after=["c"]), one("b", 11, size=size), one("c", 12, size=size))

    ground.reach(fleet("1G"))
    made = ground.plan(fleet("2G"))
    assert verbs(made) == [(verb, name, at) for at, name in enumerate("bca") for verb in CHAIN]
    calls = starts(ground)
    ground.reach(fleet("2G"))
    assert calls == [["b"], ["c"], ["a"]]
    assert [door.container for door in ground.world.traffic.ever] == ["b", "c", "a"]
    assert not ground.world.traffic.held


def test_those_that_restart_together_go_as_one(ground: Ground) -> None:
    def fleet(size: str) -> Any:
        return wanted(
            one("a", 10, size=size, restart_with=["c"]), one("b", 11, size=size), one("c", 12, size=size),
            one("d", 13, restart_with=["a"]),
        )  # fmt: skip

    ground.reach(fleet("1G"))
    made = ground.plan(fleet("2G"))
    places = {name: at for _, name, at in verbs(made)}
    assert places["a"] == places["c"] == places["d"] != places["b"]
    calls = starts(ground)
    outcome = ground.reach(fleet("2G"))
    assert [sorted(call) for call in calls] == [["a", "c", "d"], ["b"]]
    assert outcome.restarts == ("a", "b", "c", "d")


def test_what_a_restarting_one_starts_after_comes_before_it(ground: Ground) -> None:
    ground.reach(wanted(one("a", 10)))
    made = ground.plan(wanted(one("a", 10, size="2G", after=["new"]), one("new", 11), one("other", 12)))
    assert [(verb, name) for verb, name, _ in verbs(made)] == [
        ("start", "new"),
        ("ready", "new"),
        *((verb, "a") for verb in CHAIN),
    ]
    assert verbs(made, Phase.start) == [("start", "other", 0)]


def test_unless_it_takes_the_address_of_that_one(ground: Ground) -> None:
    ground.reach(wanted(one("a", 10)))
    moved = wanted(one("a", 12, after=["new"]), one("new", 10))
    assert ("start", "new") not in [(verb, name) for verb, name, _ in verbs(ground.plan(moved))]
    ground.reach(moved)


def test_with_another_address_it_is_held_before_its_forwards_lead_there(ground: Ground) -> None:
    ground.reach(wanted(one("a", 10, forwards=[Forward(80)])))
    made = ground.plan(wanted(one("a", 12, forwards=[Forward(80)])))
    order = [f"{step.kind}.{step.verb}" for step in made.steps]
    assert order.index("container.hold") < order.index("firewall.load") < order.index("container.restart")
    hold = made.steps[order.index("container.hold")]
    assert {"10.0.5.10", "10.0.5.12"} <= set(hold.args["addresses"])  # type: ignore[arg-type]


def test_who_is_not_to_wait_does_not(ground: Ground) -> None:
    ground.reach(wanted(one("a", 10, hold=0)))
    ground.reach(wanted(one("a", 10, hold=0, size="2G")))
    assert ground.world.traffic.ever == []


def test_one_that_goes_is_drained_and_not_held(ground: Ground) -> None:
    ground.reach(wanted(one("a", 10), one("b", 11)))
    made = ground.plan(wanted(one("b", 11)))
    assert [verb for verb, *_ in verbs(made, Phase.stop)] == ["drain", "stop"]
    ground.reach(wanted(one("b", 11)))
    assert ground.world.traffic.ever == []


def test_a_drain_ends_by_its_limit(ground: Ground) -> None:
    ground.reach(wanted(one("a", 10)))
    assert not chain.drained(ground.world, "a", 5)
    ground.world.traffic.connections["a"] = 1
    assert len(chain.drained(ground.world, "a", 0.1)) == 1


def test_who_is_cut_off_is_told() -> None:
    assert chain.cut_off("a", 10, ()) is None
    assert chain.cut_off("a", 0, ("198.51.100.10 to port 80 (ESTAB)",)) is None
    busy = ("198.51.100.10 to port 80 (ESTAB)", *("198.51.100.11 to port 80 (CLOSE-WAIT)",) * 2, "x", "y")
    assert chain.cut_off("a", 10, busy) == (
        "a: after 10 s, connections are cut in the middle of something: "
        "2 x 198.51.100.11 to port 80 (CLOSE-WAIT), 198.51.100.10 to port 80 (ESTAB), x and 1 more"
    )


def undone(ground: Ground, target: Any) -> Outcome:
    """Apply what does not come up; everything is as before, and nothing is held."""
    before = seen(ground.world)
    outcome = ground.apply(target)
    assert outcome.result == "undone", (outcome.error, outcome.hands)
    assert outcome.exit_code == 4
    same(before, seen(ground.world))
    assert not ground.world.traffic.held
    return outcome


def test_one_that_is_not_well_ends_the_roll_and_all_go_back_in_a_row(ground: Ground) -> None:
    def fleet(size: str) -> Any:
        return wanted(*(one(name, 10 + n, size=size, units=APP) for n, name in enumerate("abc")))

    ground.reach(fleet("1G"))
    before = ground.world.running()
    break_inside(ground, "b")
    calls = starts(ground)
    outcome = undone(ground, fleet("2G"))
    assert "cannot bring up b: app.service failed (exit-code)" in outcome.error
    assert outcome.log == ("the last line of app.service",)
    assert outcome.whose == "app.service in b"
    assert calls == [["a"], ["b"], ["b"], ["a"]], "forwards until the one that failed, then back, never two at once"
    assert ground.world.running()["c"] == before["c"]
    assert [door.container for door in ground.world.traffic.ever] == ["a", "b", "b", "a"]
    assert sorted(line.partition(" since")[0] for line in outcome.now) == [
        "a runs with its old root",
        "b runs with its old root",
        "nothing else was touched: 1 of 3 run as they did",
    ]


def test_partners_go_back_once(ground: Ground) -> None:
    def fleet(size: str) -> Any:
        return wanted(one("a", 10, restart_with=["b"], units=APP), one("b", 11, size=size))

    ground.reach(fleet("1G"))
    break_inside(ground, "a")
    calls = starts(ground)
    undone(ground, fleet("2G"))
    assert [sorted(call) for call in calls] == [["a", "b"], ["b"]], "the partner goes with it, and is back already"
    assert {door.container for door in ground.world.traffic.ever} == {"a", "b"}


@pytest.mark.parametrize("verb", CHAIN)
def test_it_is_let_go_wherever_it_fails(ground: Ground, verb: str) -> None:
    ground.reach(wanted(one("a", 10)))
    target = wanted(one("a", 10, size="2G"))
    steps = [step.verb if step.id == "container:a" else "" for step in ground.plan(target).steps]
    before = seen(ground.world)
    assert ground.apply(target, f"fail:{steps.index(verb)}").result == "undone"
    same(before, seen(ground.world))
    assert not ground.world.traffic.held


def test_watching_sees_a_unit_that_is_started_again(ground: Ground) -> None:
    ground.reach(wanted(one("a", 10, units=APP)))
    step = Step("container", "watch", "container:a", Phase.restart, {"seconds": 0, "units": ["app.service"]})
    saved = health.watch.save(ground.world, step, "")
    health.watch.do(ground.world, step, saved)
    state = UnitState("app.service", "loaded", "active", "running", restarts=1)
    ground.world.units.ill["a", "app.service"] = state
    with pytest.raises(
        Unhealthy, match=r"cannot keep up a: app\.service does not stay up, and is started again and again"
    ):
        health.watch.do(ground.world, step, saved)
    del ground.world.units.ill["a", "app.service"]
    ground.world.units.restart(["systemd-nspawn@a.service"])
    with pytest.raises(Unhealthy, match="cannot keep up a"):
        health.watch.do(ground.world, step, saved)


def test_declared_units_are_those_of_the_definition() -> None:
    made = wanted(one("a", 10, units=APP, files={"/etc/x": File("x", reload=["nginx.service"])}))
    found = health.declared(made["container:a"].fields)
    assert {"app.service", "nginx.service", "eyas-address.service"} <= set(found)
    assert "systemd-logind.service" not in found, "masked"


# ---- units inside


def listening(ground: Ground) -> Any:
    """A container with a unit that listens, and the same with another text of it."""

    def fleet(words: str) -> Any:
        return wanted(one("a", 10, units=APP, files={"/etc/app": File(words, restart=["app.service"])}))

    ground.world.traffic.open["a", "app.service"] = (("tcp", 80),)
    ground.reach(fleet("one"))
    return fleet("two")


def test_a_unit_that_listens_is_held_by_its_port(ground: Ground) -> None:
    target = listening(ground)
    ground.reach(target)
    assert ground.world.traffic.ever == [Door("a", ("10.0.5.10",), (("tcp", 80),))]
    assert not ground.world.traffic.held


def test_one_that_does_not_listen_is_not(ground: Ground) -> None:
    target = listening(ground)
    ground.world.traffic.open.clear()
    ground.reach(target)
    assert ground.world.traffic.ever == []


def test_one_that_fails_stays_held_until_it_is_back(ground: Ground) -> None:
    target = listening(ground)
    acts: list[str] = []
    inner = ground.world.units.try_restart

    def try_restart(units: Any, **more: Any) -> None:
        acts.append(f"restart, held {len(ground.world.traffic.held)}")
        inner(units, **more)
        if len(acts) == 1:
            break_inside(ground, "a")
        else:
            ground.world.units.ill.clear()

    ground.world.units.try_restart = try_restart  # type: ignore[method-assign]
    outcome = undone(ground, target)
    assert "cannot restart app.service in a" in outcome.error
    assert acts == ["restart, held 1", "restart, held 1"]
    assert ("a", "start", "app.service") in ground.world.units.inside, "what ran before runs again, also if it failed"


def test_one_that_cannot_reload_is_held_like_one_that_restarts(ground: Ground) -> None:
    def fleet(words: str) -> Any:
        return wanted(one("a", 10, units=APP, files={"/etc/app": File(words, reload=["app.service"])}))

    ground.world.traffic.open["a", "app.service"] = (("tcp", 80),)
    ground.reach(fleet("one"))
    ground.reach(fleet("two"))
    assert ground.world.traffic.ever == []
    rigid = replace(UnitState("app.service", "loaded", "active", "running"), can_reload=False)
    ground.world.units.ill["a", "app.service"] = rigid
    ground.reach(fleet("three"))
    assert [door.ports for door in ground.world.traffic.ever] == [(("tcp", 80),)]
    assert observe(ground.world)["container:a"].fields == {
        **fleet("three")["container:a"].fields,
        "state": observe(ground.world)["container:a"].fields["state"],
    }
    assert not plan(fleet("three"), observe(ground.world), "h").changes
