"""How long people wait: measured in runs, remembered, foreseen, told."""

from __future__ import annotations

import pytest

from eyas.apply.outcome import Outcome
from eyas.apply.waits import measured, note, read
from eyas.cli.view.outcome import waits_lines
from eyas.core import paths
from eyas.core.waits import KEPT, History, Wait
from eyas.core.words import Action, Change, Impact, Loss, Phase, Plan, Reason, Step
from eyas.plan import felt, foreseen
from tests.world import World

NOTICES = {Impact.restart: "its clients: a short break", Impact.restart_unit: "clients of nginx.service: it restarts"}


def change(name: str, impact: Impact, action: Action = Action.update) -> Change:
    said = NOTICES.get(impact, "nobody notices")
    return Change(f"container:{name}", "container", name, action, impact, Reason.differs, notice=said)


def plan(*changes: Change, steps: tuple[Step, ...] = ()) -> Plan:
    return Plan("h", changes, steps)


def steps(name: str, *verbs: str) -> tuple[Step, ...]:
    return tuple(Step("container", verb, f"container:{name}", Phase.restart) for verb in verbs)


def test_a_restart_that_is_held_is_measured_by_its_hold() -> None:
    made = plan(
        change("web", Impact.restart), steps=steps("web", "hold", "drain", "restart", "ready", "release", "watch")
    )
    times = {0: (1.0, 1.1), 1: (1.1, 1.3), 2: (1.3, 1.4), 3: (1.4, 2.4), 4: (2.4, 2.5), 5: (2.5, 4.5)}
    (wait,) = measured(made, times)
    assert wait.seen == 1.5
    assert wait.steps["ready"] == 1.0


def test_without_a_hold_it_is_the_time_until_it_is_ready() -> None:
    made = plan(change("web", Impact.restart), steps=steps("web", "settle", "restart", "ready"))
    assert measured(made, {0: (0.0, 1.0), 1: (1.0, 1.25), 2: (1.25, 2.0)})[0].seen == 1.0
    live = plan(change("web", Impact.restart_unit), change("db", Impact.live), steps=steps("web", "live"))
    assert [(w.container, w.seen) for w in measured(live, {0: (3.0, 3.5)})] == [("web", 0.5)]
    assert (
        measured(plan(change("web", Impact.restart, Action.create), steps=steps("web", "start")), {0: (1.0, 2.0)}) == ()
    )


def test_the_past_is_bounded_and_survives_damage() -> None:
    world = World()
    for number in range(KEPT + 5):
        note(world, (Wait("web", "restart", float(number)),))
    assert read(world).seen["web"]["restart"] == tuple(float(n) for n in range(5, KEPT + 5))
    world.files.write(paths.WAITS, b"{broken")
    assert read(world) == History()
    world.files.write(paths.WAITS, b'{"version": 9, "containers": {}}')
    note(world, (Wait("web", "restart", 1.0),))
    assert read(world).seen == {"web": {"restart": (1.0,)}}


PAST = History({"web": {"restart": (1.0, 9.0, 1.4), "restart_unit": (0.05,)}, "db": {"restart": (1.1,)}})


@pytest.mark.parametrize(
    ("name", "impact", "wait", "said"),
    [
        ("web", Impact.restart, 1.4, "new connections wait about 1.4 s"),
        ("web", Impact.restart_unit, 0.05, "clients of nginx.service: it restarts, about 0.05 s"),
        ("new", Impact.restart, None, "new connections wait: unknown yet, another container of this host took 1.2 s"),
        ("web", Impact.live, None, "nobody notices"),
    ],
)
def test_a_plan_says_what_the_past_lets_expect(name: str, impact: Impact, wait: float | None, said: str) -> None:
    (seen,) = foreseen(plan(change(name, impact)), PAST).changes
    assert (seen.wait, seen.notice) == (wait, said)


def test_nothing_known_is_nothing_said() -> None:
    (seen,) = foreseen(plan(change("web", Impact.restart)), History()).changes
    assert (seen.wait, seen.notice) == (None, NOTICES[Impact.restart])


def test_only_what_somebody_notices_asks_the_host() -> None:
    assert felt(plan(change("web", Impact.restart)))
    assert felt(plan(change("web", Impact.restart_unit)))
    assert felt(plan(change("web", Impact.live, Action.delete)))
    assert not felt(plan(change("web", Impact.live)))
    assert not felt(plan(change("web", Impact.live, Action.create)))


def test_losses_are_of_what_restarts() -> None:
    made = foreseen(plan(change("web", Impact.restart), change("db", Impact.live)), PAST, [Loss("web"), Loss("db")])
    assert made.losses == (Loss("web"),)


def test_predicted_beside_seen() -> None:
    waits = (Wait("web", "restart", 1.3, 1.4, {"ready": 1.0}), Wait("db", "restart_unit", 0.2))
    outcome = Outcome("r1", "kept", waits=waits)
    assert Outcome.from_json(outcome.to_json()) == outcome
    assert waits_lines(outcome.to_json()) == ["web: predicted 1.4 s, seen 1.3 s", "db (restart unit): seen 0.2 s"]
