"""Units that were ill before a change, or are so at the first start: told, and nobody's fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from eyas.apply.outcome import Outcome
from eyas.apply.run import apply
from eyas.core.events import Event
from eyas.core.system import UnitState
from eyas.kind.container import ailing, health
from eyas.model import File
from tests.property.test_converge import Ground, fast_folder, same, seen
from tests.unit.test_kind_chain import APP, one, wanted

FAILED = UnitState("app.service", "loaded", "failed", "failed", "exit-code")
LOOPS = UnitState("app.service", "loaded", "activating", "auto-restart", "exit-code")
KEY = ("a", "app.service")


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(health, "CALM", 0.0)
    monkeypatch.setattr(ailing, "LOOK", 0.0)
    with fast_folder() as folder:
        yield Ground(folder)


def fleet(words: str, **hook: Any) -> Any:
    files = {"/etc/app": File(words, **(hook or {"reload": ["app.service"]}))}
    return wanted(one("a", 10, units=APP, files=files))


def run(ground: Ground, target: Any, fault: str = "") -> tuple[Outcome, list[str], list[tuple[str, str]]]:
    """Apply: how it ended, what was warned of, what was asked of systemd inside."""
    from eyas.apply.fault import Fault

    told: list[Event] = []
    ground.world.units.inside.clear()
    outcome = apply(
        ground.plan(target), target, ground.world, ground.runs, told.append, fault=Fault(fault), threads=False
    )
    said = [event.text for event in told if event.level == "warning" and event.topic == "apply"]
    return outcome, said, [(verb, unit) for _, verb, unit in ground.world.units.inside if unit]


def mended_by_a_restart(ground: Ground) -> None:
    inner = ground.world.units.restart

    def restart(units: Any, **more: Any) -> None:
        inner(units, **more)
        for unit in units if more.get("machine") else ():
            ground.world.units.ill.pop((more["machine"], unit), None)

    ground.world.units.restart = restart  # type: ignore[method-assign]


@pytest.mark.parametrize("state", [FAILED, LOOPS])
def test_new_files_may_mend_it(ground: Ground, state: UnitState) -> None:
    ground.reach(fleet("one"))
    ground.world.units.ill[KEY] = state
    mended_by_a_restart(ground)
    outcome, said, done = run(ground, fleet("two"))
    assert (outcome.result, said) == ("kept", [])
    assert done == [("restart", "app.service")], "what does not run cannot be reloaded"


@pytest.mark.parametrize("state", [FAILED, LOOPS])
def test_one_that_stays_ill_is_told_and_no_failure(ground: Ground, state: UnitState) -> None:
    ground.reach(fleet("one"))
    ground.world.units.ill[KEY] = state
    outcome, said, _ = run(ground, fleet("two"))
    assert outcome.result == "kept"
    (text,) = said
    first, *log = text.splitlines()
    assert first.startswith("app.service in a ")
    assert "as before this change" in first
    assert "journalctl -M a -u app.service" in first
    assert log == ["  | the last line of app.service"]
    assert not ground.plan(fleet("two")).changes


def step_after_live(ground: Ground, target: Any) -> str:
    steps = ground.plan(target).steps
    return f"fail:{next(n for n, step in enumerate(steps) if step.verb == 'live') + 1}"


@pytest.mark.parametrize(("state", "last"), [(FAILED, "stop"), (LOOPS, "restart")])
def test_on_the_way_back_it_is_left_as_it_was(ground: Ground, state: UnitState, last: str) -> None:
    ground.reach(fleet("one"))
    ground.world.units.ill[KEY] = state
    before = seen(ground.world)
    outcome, _, done = run(ground, fleet("two"), step_after_live(ground, fleet("two")))
    assert outcome.result == "undone", outcome.hands
    same(before, seen(ground.world))
    assert done == [("restart", "app.service"), (last, "app.service")]


def test_one_that_fails_by_a_reload_is_a_failure(ground: Ground) -> None:
    ground.reach(fleet("one"))
    inner, ill = ground.world.units.reload, ground.world.units.ill

    def reload(units: Any, **more: Any) -> None:
        inner(units, **more)
        ill.pop(KEY, None) if KEY in ill else ill.setdefault(KEY, FAILED)

    ground.world.units.reload = reload  # type: ignore[method-assign]
    outcome, _, _ = run(ground, fleet("two"))
    assert outcome.result == "undone"
    assert "app.service" in outcome.error


def test_one_that_the_change_restarts_is_judged_and_does_not_get_in_the_way_back(ground: Ground) -> None:
    ground.reach(fleet("one", restart=["app.service"]))
    ground.world.units.ill[KEY] = FAILED
    outcome, _, done = run(ground, fleet("two", restart=["app.service"]))
    assert outcome.result == "undone", outcome.hands
    assert "cannot restart app.service in a: it failed" in outcome.error
    assert done[-1] == ("stop", "app.service")


def test_a_unit_that_fails_at_the_first_start_is_told(ground: Ground) -> None:
    ground.world.units.ill[KEY] = FAILED
    outcome, said, _ = run(ground, fleet("one"))
    assert outcome.result == "kept"
    assert [text.splitlines() for text in said] == [
        [
            "app.service in a failed (exit-code) (look at: journalctl -M a -u app.service -n 40)",
            "  | the last line of app.service",
        ]
    ]


def test_one_that_is_not_of_the_definition_is_not(ground: Ground) -> None:
    ground.world.units.ill["a", "other.service"] = UnitState("other.service", "loaded", "failed", "failed", "signal")
    assert run(ground, fleet("one"))[1] == []


def test_a_pattern_without_some_of_those_that_it_stands_for() -> None:
    loaded = ["db@1.service", "db@2.service", "web.service"]
    assert ailing.without({"db@*.service", "web.service"}, {"db@1.service"}, loaded) == {"db@2.service", "web.service"}
    assert ailing.without({"db@*.service"}, {"web.service"}, loaded) == {"db@*.service"}
    assert ailing.without({"web.service"}, {"web.service"}, loaded) == set()
