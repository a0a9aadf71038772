"""A run goes forwards, or goes back; told with a kind that only writes files into a world in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from eyas.apply import guard
from eyas.apply.fault import Fault
from eyas.apply.history import collect, desired_of, history, prune, references
from eyas.apply.journal import Journal, Runs
from eyas.apply.outcome import Outcome
from eyas.apply.proof import fingerprint, prove
from eyas.apply.recover import recover
from eyas.apply.rounds import rounds
from eyas.apply.run import apply
from eyas.core import paths
from eyas.core.errors import Failed, Stuck
from eyas.core.events import Event
from eyas.core.words import Action, Change, Impact, Json, Phase, Plan, Reason, Resource, Step
from eyas.kind import KINDS
from tests.toys import Machines, Put, Toy
from tests.world import Killed, World


@pytest.fixture
def kinds() -> Iterator[tuple[Toy, Machines]]:
    before = dict(KINDS)
    toy, machines = Toy(), Machines()
    KINDS.update({"toy": toy, "container": machines})
    yield toy, machines
    KINDS.clear()
    KINDS.update(before)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


def put(path: str, text: str, phase: Phase = Phase.prepare, **args: Json) -> Step:
    return Step("toy", str(args.pop("verb", "put")), path, phase, {"text": text, **args})


def plan(*steps: Step, changes: Sequence[Change] = (), untouched: Sequence[str] = ()) -> Plan:
    return Plan("h", tuple(changes), steps, tuple(untouched))


def texts(world: World) -> dict[str, str]:
    return {p: n.data.decode() for p, n in world.files.nodes.items() if n.type == "file" and p.startswith("/t/")}


def before() -> World:
    world = World()
    world.files.write("/t/b", b"old b")
    return world


THREE = plan(put("/t/a", "new a"), put("/t/b", "new b"), put("/t/c", "new c"))
AFTER = {"/t/a": "new a", "/t/b": "new b", "/t/c": "new c"}


def test_a_run_is_kept(kinds: object, runs: Runs) -> None:
    world, events = before(), list[Event]()
    outcome = apply(THREE, {}, world, runs, events.append, who="me")
    assert outcome.result == "kept"
    assert outcome.exit_code == 0
    assert (outcome.done, outcome.steps) == (3, 3)
    assert texts(world) == AFTER
    assert runs.current() is None
    assert [e.done for e in events] == [1, 2, 3]
    assert Outcome.from_json(outcome.to_json()) == outcome


@pytest.mark.parametrize(("text", "said"), [("refuse", "refused"), ("crash", "KeyError: 'broken'")])
def test_a_failed_step_puts_everything_back(kinds: object, runs: Runs, text: str, said: str) -> None:
    world = before()
    outcome = apply(plan(*THREE.steps[:2], put("/t/c", text)), {}, world, runs)
    assert outcome.result == "undone"
    assert outcome.exit_code == 4
    assert said in outcome.error
    assert outcome.step == "toy.put /t/c"
    assert texts(world) == {"/t/b": "old b"}
    assert runs.current() is None


def test_a_plan_that_cannot_begin_has_changed_nothing(kinds: object, runs: Runs) -> None:
    outcome = apply(plan(Step("toy", "unknown", "/t/a", Phase.prepare)), {}, before(), runs)
    assert outcome.result == "failed"
    assert outcome.exit_code == 1
    assert "cannot do toy.unknown" in outcome.error


class Asked:
    """A listener that answers the question for a fresh connection."""

    def __init__(self, runs: Runs, answer: Callable[[Journal], object]) -> None:
        self.runs, self.answer = runs, answer
        self.events: list[str] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event.topic)
        if event.topic == guard.CONFIRM:
            self.answer(Journal(self.runs.folder / event.name))


RISKY = "file:/t/.ssh/authorized_keys"


def cutting(*steps: Step) -> Plan:
    """A plan whose second step may cut the connection."""
    change = Change(RISKY, "file", "host", Action.update, Impact.live, Reason.differs)
    return plan(put("/t/a", "new a"), put(RISKY, "new"), *steps, changes=[change])


def fire(journal: Journal) -> None:
    """What the timer's script does, without what it puts back."""
    guard.decide(journal, "fired")
    (journal.folder / "guard/restored").touch()


def test_a_fresh_connection_confirms(kinds: object, runs: Runs) -> None:
    world, asked = before(), Asked(runs, guard.confirm)
    outcome = apply(cutting(put("/t/c", "new c")), {}, world, runs, asked, confirm=5)
    assert outcome.result == "kept"
    assert asked.events == ["apply", "apply", "confirm", "apply"]  # the rest of the run waits for it
    assert world.units.timers == {}
    (journal,) = runs.journals()
    assert [r["state"] for r in journal.records if r["state"] in ("guarded", "confirmed")] == ["guarded", "confirmed"]
    with pytest.raises(Failed, match="cannot confirm run"):
        guard.confirm(Journal(runs.folder / "none"))


def test_without_a_confirmation_the_run_goes_back(kinds: object, runs: Runs) -> None:
    world, asked = before(), Asked(runs, fire)
    outcome = apply(cutting(put("/t/c", "new c")), {}, world, runs, asked, confirm=5)
    assert outcome.result == "undone"
    assert "no fresh connection confirmed within 5 s" in outcome.error
    assert texts(world) == {"/t/b": "old b"}
    assert runs.current() is None


def test_the_timer_is_set_before_the_step_and_runs_what_was_written(kinds: object, runs: Runs) -> None:
    world = before()
    seen: list[tuple[str, ...]] = []

    def look(journal: Journal) -> None:
        ((name, (seconds, argv)),) = world.units.timers.items()
        assert name == f"eyas-guard-{journal.id}.timer"
        assert seconds == 5
        assert Path(argv[1]).read_text().startswith("#!/bin/sh")
        seen.append(argv)
        guard.confirm(journal)

    assert apply(cutting(), {}, world, runs, Asked(runs, look), confirm=5).result == "kept"
    assert len(seen) == 1


def test_who_is_killed_unconfirmed_is_put_back_even_when_all_was_done(kinds: object, runs: Runs) -> None:
    def die(_journal: Journal) -> None:
        raise Killed

    world = before()
    with suppress(Killed):
        apply(cutting(), {}, world, runs, Asked(runs, die), confirm=5)
    assert world.units.timers
    journal = runs.open(str(runs.current()))
    assert guard.guarded(journal)
    outcome = recover(world, runs)
    assert outcome is not None
    assert outcome.result == "undone"
    assert texts(world) == {"/t/b": "old b"}
    assert world.units.timers == {}
    with pytest.raises(Failed, match="too late"):
        guard.confirm(journal)


def test_nobody_is_asked_when_nothing_is_at_risk_or_nobody_wants_it(kinds: object, runs: Runs) -> None:
    world, asked = before(), Asked(runs, guard.confirm)
    assert apply(THREE, {}, world, runs, asked, confirm=5).result == "kept"
    assert apply(cutting(), {}, world, runs, asked).result == "kept"
    assert "confirm" not in asked.events


def test_an_interrupt_finishes_the_step_and_goes_back(kinds: object, runs: Runs) -> None:
    world = before()
    outcome = apply(THREE, {}, world, runs, stop=lambda: "/t/a" in world.files.nodes)
    assert outcome.exit_code == 130
    assert outcome.result == "undone"
    assert texts(world) == {"/t/b": "old b"}


def test_what_cannot_be_undone_needs_a_person_and_holds_nothing_else_back(kinds: object, runs: Runs) -> None:
    world = before()
    held = put("/t/b", "new b", stays=True)
    outcome = apply(plan(put("/t/a", "new a"), held, put("/t/c", "refuse")), {}, world, runs)
    assert outcome.exit_code == 5
    assert outcome.hands == ("toy.put /t/b: cannot put /t/b back: it is held",)
    assert "eyas recover" in outcome.hint
    assert texts(world) == {"/t/b": "new b"}
    assert runs.current() is not None
    with pytest.raises(Failed, match="another one is open"):
        apply(THREE, {}, world, runs)
    again = recover(world, runs)
    assert again is not None
    assert again.result == "stuck"
    accepted = recover(world, runs, accept=True)
    assert accepted is not None
    assert runs.current() is None
    assert apply(THREE, {}, world, runs).result == "kept"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("again", [None, 0, 1, 2])
def test_killed_anywhere_recovery_brings_all_or_nothing(
    kinds: object, tmp_path: Path, after: bool, again: int | None
) -> None:
    whole = before()
    apply(THREE, {}, whole, Runs(tmp_path / "whole"))
    for count in range(whole.fuse.count + 1):
        world, runs = before(), Runs(tmp_path / f"{count}-{after}-{again}")
        world.fuse.left, world.fuse.after = count, after
        with suppress(Killed):
            apply(THREE, {}, world, runs, threads=False)
        if again is not None:  # recovery is killed as well
            world.fuse.off()
            world.fuse.left = again
            with suppress(Killed):
                recover(world, runs)
        world.survive()
        recover(world, runs)
        assert texts(world) in (AFTER, {"/t/b": "old b"})
        assert runs.current() is None
        assert recover(world, runs) is None


def test_all_done_but_not_written_down_is_kept_and_swept(kinds: object, runs: Runs) -> None:
    world = before()
    sweeping = plan(*THREE.steps, put("/t/z", "swept", Phase.sweep))
    journal = runs.begin(sweeping, {})
    for number, step in enumerate(sweeping.steps[:3]):
        journal.write("saved", number, data={"old": None})
        Put().do(world, step, None)
        journal.write("done", number)
    journal.close()
    outcome = recover(world, runs)
    assert outcome is not None
    assert outcome.result == "kept"
    assert texts(world) == {**AFTER, "/t/z": "swept"}


def test_a_sweep_that_fails_is_a_warning(kinds: object, runs: Runs) -> None:
    outcome = apply(plan(*THREE.steps, put("/t/z", "refuse", Phase.sweep)), {}, before(), runs)
    assert outcome.exit_code == 0
    assert outcome.warnings == ("cannot do toy.put /t/z: cannot write /t/z: refused",)


def test_a_torn_last_line_of_the_journal_is_cut_away(kinds: object, runs: Runs) -> None:
    journal = runs.begin(THREE, {})
    journal.write("saved", 0, data={"old": None})
    journal.close()
    with (journal.folder / "journal").open("ab") as file:
        file.write(b'{"state":"saved","n":1,"da')
    opened = runs.open(journal.id)
    assert [s.number for s in opened.saved()] == [0]
    opened.write("undoing", 0)
    opened.close()
    assert runs.open(journal.id).numbers("undoing") == {0}


def test_a_damaged_journal_asks_for_a_person(kinds: object, runs: Runs) -> None:
    journal = runs.begin(THREE, {})
    journal.close()
    with (journal.folder / "journal").open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(Stuck, match="cannot read the journal"):
        recover(World(), runs)
    assert recover(World(), runs, accept=True) is not None
    assert runs.current() is None


def test_steps_of_one_wave_are_done_side_by_side(kinds: object, runs: Runs) -> None:
    steps = [Step("toy", "meet", f"/t/{n}", Phase.start, {"wave": 0}) for n in range(3)]
    began = time.monotonic()
    assert apply(plan(*steps), {}, World(), runs).result == "kept"
    assert time.monotonic() - began < 4


def test_a_verb_for_many_is_called_once(kinds: tuple[Toy, Machines], runs: Runs) -> None:
    steps = [put(f"/t/{n}", str(n), Phase.start, wave=0, verb="many") for n in range(3)]
    steps.append(put("/t/last", "x", Phase.start, wave=1, verb="many"))
    world = World()
    assert apply(plan(*steps), {}, world, runs).done == 4
    assert kinds[0].many.calls == [["/t/0", "/t/1", "/t/2"]]
    assert len(texts(world)) == 4


def test_one_of_many_fails_and_all_go_back(kinds: tuple[Toy, Machines], runs: Runs) -> None:
    steps = [put(f"/t/{n}", "refuse" if n == 1 else str(n), Phase.start, wave=0) for n in range(3)]
    world = World()
    outcome = apply(plan(*steps), {}, world, runs)
    assert outcome.result == "undone"
    assert texts(world) == {}


def test_rounds_keep_the_order_within_a_resource() -> None:
    def step(id_: str, phase: Phase, wave: int | None) -> Step:
        return Step("toy", "put", id_, phase, {} if wave is None else {"wave": wave})

    steps = [
        step("x", Phase.prepare, None),
        step("y", Phase.prepare, None),
        step("a", Phase.restart, 0),
        step("a", Phase.restart, 0),
        step("b", Phase.restart, 0),
        step("c", Phase.restart, 1),
        step("c", Phase.start, 1),
        step("d", Phase.sweep, None),
    ]
    assert list(rounds(steps)) == [[0], [1], [2, 4], [3], [5], [6]]


def test_fault_fails_a_step(kinds: object, runs: Runs) -> None:
    outcome = apply(THREE, {}, before(), runs, fault=Fault("fail:1"))
    assert outcome.result == "undone"
    assert "a test asked" in outcome.error


def restarted(name: str) -> Change:
    return Change(f"container:{name}", "container", name, Action.update, Impact.restart, Reason.differs)


def test_the_proof_names_containers_that_were_disturbed(kinds: tuple[Toy, Machines], runs: Runs) -> None:
    kinds[1].seen = [{"web": "1", "db": "2", "mail": "3"}, {"web": "8", "db": "9"}]
    outcome = apply(plan(*THREE.steps, changes=[restarted("web")]), {}, before(), runs)
    assert outcome.result == "kept"
    assert outcome.disturbed == ("db", "mail")
    assert outcome.exit_code == 5
    assert "db, mail" in outcome.error


def test_the_proof_covers_containers_that_changed_only_live() -> None:
    live = Change("container:db", "container", "db", Action.update, Impact.live, Reason.differs)
    assert prove(plan(changes=[live]), {"db": "1"}, {"db": "1"}) == ([], ["db"])
    assert prove(plan(changes=[live]), {"db": "1"}, {"db": "2"}) == (["db"], [])
    assert prove(plan(changes=[restarted("db")]), {"db": "1"}, {"db": "2"}) == ([], [])


def test_history_tells_the_newest_first(kinds: object, runs: Runs) -> None:
    world = before()
    apply(THREE, {}, world, runs, who="ann@desk")
    time.sleep(0.002)
    apply(plan(put("/t/a", "refuse")), {}, world, runs, who="bob@desk")
    first, second = history(runs)
    assert (first.who, first.result) == ("bob@desk", "undone")
    assert (second.who, second.result, second.steps) == ("ann@desk", "kept", 3)
    assert "refused" in first.error


ODD = "/t/odd is odd\n  | it says so itself"
SWEPT = "cannot do toy.put /t/z: cannot write /t/z: refused"


def test_warnings_of_a_run_are_in_its_history(kinds: object, runs: Runs) -> None:
    events = list[Event]()
    odd = put("/t/odd", "x", verb="remark")
    outcome = apply(plan(odd, put("/t/z", "refuse", Phase.sweep)), {}, before(), runs, events.append)
    assert [e.text for e in events if e.level == "warning"] == [ODD], "told when it is seen"
    assert outcome.warnings == (ODD, SWEPT)
    (past,) = history(runs)
    assert past.to_json()["warnings"] == [ODD, SWEPT], "each once"


@pytest.mark.parametrize("steps", [[], [put("/t/z", "refuse")]])
def test_warnings_of_a_run_that_was_killed_or_undone_are_known(kinds: object, runs: Runs, steps: list[Step]) -> None:
    def die(event: Event) -> None:
        if event.name == "/t/c":
            raise Killed

    world, odd = before(), put("/t/odd", "x", verb="remark")
    if steps:
        assert apply(plan(odd, *steps), {}, world, runs).result == "undone"
    else:
        with suppress(Killed):
            apply(plan(odd, put("/t/c", "x")), {}, world, runs, die)
        (past,) = history(runs)
        assert (past.result, past.warnings) == ("open", (ODD,))
        recover(world, runs)
    (past,) = history(runs)
    assert (past.result, past.warnings) == ("undone", (ODD,))


def test_a_journal_of_the_first_version_is_read(kinds: object, runs: Runs) -> None:
    world = before()
    journal = runs.begin(THREE, {})
    journal.write("saved", 0, data={"old": None})
    journal.close()
    path = journal.folder / "journal"
    assert '"v":2' in path.read_text()
    path.write_text(path.read_text().replace('"v":2', '"v":1'))
    assert history(runs)[0].warnings == ()
    outcome = recover(world, runs)
    assert outcome is not None
    assert (outcome.result, outcome.warnings) == ("undone", ())


def test_a_journal_of_a_later_version_is_left_to_who_knows_it(kinds: object, runs: Runs) -> None:
    journal = runs.begin(THREE, {})
    journal.close()
    path = journal.folder / "journal"
    path.write_text(path.read_text().replace('"v":2', '"v":3'))
    with pytest.raises(Stuck, match="its journal is of version 3, known is 2") as caught:
        recover(before(), runs)
    assert "use the version of eyas that made it" in caught.value.hint
    assert runs.current() == journal.id
    assert recover(before(), runs, accept=True) is not None


def container(tree: str, layer: str) -> dict[str, Resource]:
    layered = Resource(f"layer:{layer}", "layer", "web", {"digest": layer, "entries": [{"content": "secret"}]})
    return {
        "container:web": Resource("container:web", "container", "web", {"tree": tree, "layer": layer}),
        layered.id: layered,
    }


def test_desired_is_kept_without_the_content_of_layers(kinds: object, runs: Runs) -> None:
    outcome = apply(THREE, container("t1", "l1"), before(), runs)
    found = desired_of(runs, outcome.run)
    assert found["container:web"].fields == {"tree": "t1", "layer": "l1"}
    assert found["layer:l1"].fields == {"digest": "l1"}
    with pytest.raises(Failed, match="no such run"):
        desired_of(runs, "gone")


def test_gc_keeps_what_runs_and_what_the_last_kept_runs_refer_to(kinds: object, runs: Runs) -> None:
    world = before()
    for number in range(4):
        for folder in (paths.TREES, paths.LAYERS):
            world.files.write(f"{folder}/{folder[-2]}{number}/usr", b"")
        apply(THREE, container(f"e{number}", f"r{number}"), world, runs)
        time.sleep(0.002)
    world.files.write(paths.print_of("web"), b'{"invocation":"1","spec":{"tree":"e0","layer":"r0"}}')
    used = references(world, runs, keep=2)
    assert used.trees == {"e0", "e2", "e3"}
    gone = collect(world, runs, keep=2)
    assert f"{paths.TREES}/e1" in gone
    assert world.files.list(paths.TREES) == ["e0", "e2", "e3"]
    assert world.files.list(paths.LAYERS) == ["r0", "r2", "r3"]
    assert len(runs.ids()) == 2
    assert prune(world, runs, keep=2) == []


def test_the_fingerprint_ignores_what_moves_by_itself() -> None:
    def seen(invocation: str, memory: int) -> dict[str, Resource]:
        state: Json = {"active": "active", "invocation": invocation, "memory": memory}
        return {"container:a": Resource("container:a", "container", "a", {"x": 1, "state": state})}

    assert fingerprint(seen("1", 5)) == fingerprint(seen("1", 6))
    assert fingerprint(seen("1", 5)) != fingerprint(seen("2", 5))
