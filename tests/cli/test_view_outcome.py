"""Ends of runs as text."""

from __future__ import annotations

from eyas.apply.outcome import Outcome
from eyas.cli.view.outcome import history_text, outcome_error, outcome_text, run_text
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Plan, Reason

PLAN = Plan(
    "h",
    (Change("container:web", "container", "web", Action.update, Impact.live, Reason.differs),),
    (),
    untouched=("web", "a", "b"),
)


def test_a_kept_run_proves_what_it_promised() -> None:
    outcome = Outcome("r1", "kept", 4, 4, 1.23, proved=("a", "b", "web"), changes=1)
    assert outcome_text(outcome.to_json(), PLAN).splitlines() == [
        "h: 1 change applied in 1.2 s.",
        "2 containers and the host: untouched (invocations unchanged).",
        "Changed without a restart (invocation unchanged): web.",
    ]
    assert outcome_error(outcome.to_json()) == ("", "")


def test_a_broken_promise_is_said_loudly() -> None:
    outcome = Outcome("r1", "kept", proved=("a",), disturbed=("b",), changes=1, hint="look")
    text = outcome_text(outcome.to_json(), PLAN)
    assert "NOT untouched, although the plan said so: b." in text
    assert outcome_error(outcome.to_json()) == (
        "cannot keep the promise of the plan: b did not keep running untouched", "look",
    )  # fmt: skip
    assert outcome.exit_code != 0


def test_an_undone_run_says_what_failed() -> None:
    outcome = Outcome("r1", "undone", error="cannot do container.start container:web: no", hint="see its log")
    assert outcome_text(outcome.to_json(), PLAN) == "h: undone: the host is as it was before."
    assert outcome_error(outcome.to_json()) == ("cannot do container.start container:web: no", "see its log")


def test_an_undone_run_tells_what_was_tried_what_was_said_and_where_we_are_now() -> None:
    field = FieldChange("tree", None, None, Impact.restart, "package hello added")
    change = Change("container:web", "container", "web", Action.update, Impact.restart, Reason.differs,
                    "fleet.py:7", (field,))  # fmt: skip
    outcome = Outcome(
        "r1", "undone", step="container.ready container:web", error="cannot bring up web: app.service failed",
        log=("app[7]: no database",), whose="app.service in web", now=("web runs with its old root since 12:00:01",),
    )  # fmt: skip
    assert outcome_text(outcome.to_json(), Plan("h", (change,), ())).splitlines() == [
        "h: undone: the host is as it was before.",
        "tried: web: package hello added (fleet.py:7)",
        "the last lines of app.service in web:",
        "  | app[7]: no database",
        "now: web runs with its old root since 12:00:01",
    ]
    text = run_text(outcome.to_json())
    assert "no database" in text
    assert "since 12:00:01" in text
    assert Outcome.from_json(outcome.to_json()) == outcome


def test_a_stuck_run_names_what_a_person_has_to_do() -> None:
    message, _ = outcome_error(Outcome("r1", "stuck", error="x failed", hands=("file:/a: no space",)).to_json())
    assert message == "cannot apply: x failed\n  file:/a: no space"


def test_history() -> None:
    runs: list[dict[str, Json]] = [
        {"run": "r2", "at": 990.0, "result": "kept", "changes": 3, "seconds": 1.0, "who": "anna", "restarts": ["web"]},
        {"run": "r1", "at": 900.0, "result": "undone", "changes": 1, "seconds": 0.5, "who": "", "error": "cannot x"},
    ]
    lines = history_text(runs, 1000.0).splitlines()
    assert lines[0].split() == ["RUN", "WHEN", "RESULT", "CHANGES", "TOOK", "WHO", "RESTARTED"]
    assert lines[1].split() == ["r2", "10", "s", "ago", "kept", "3", "1.0", "s", "anna", "web"]
    assert "cannot x" in lines[2]
    assert history_text([], 0.0) == "No run has changed this host yet."
    assert "undone: the host is as it was before" in run_text(runs[1])


def test_warnings_are_told_at_the_end_and_kept() -> None:
    said = "app.service in web failed, as before this change (look at: journalctl)\n  | no well"
    outcome = Outcome("r1", "kept", warnings=(said, "cannot do toy.put x: refused"))
    text = outcome_text(outcome.to_json(), PLAN)
    assert "warning: app.service in web failed, as before this change" in text
    assert "warning: cannot do toy.put x: refused" in text
    assert "no well" not in text, "seen above, while it was done"
    run: dict[str, Json] = {"run": "r1", "result": "stuck", "hands": ["file:/a: no space"], "warnings": [said]}
    one = run_text(run).splitlines()
    assert "warning    app.service in web failed, as before this change (look at: journalctl)" in one
    assert "warning      | no well" in one
    assert "by hand    file:/a: no space" in one
    lines = history_text([run, {"run": "r0", "result": "kept", "note": "only web"}], 1000.0, 200).splitlines()
    assert [line.split("  ")[-1].strip() for line in lines] == ["NOTE", "1 warning", "only web"]
