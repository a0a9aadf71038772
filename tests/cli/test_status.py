"""Reports: what a host is, against what it should be, and the table of it."""

from __future__ import annotations

from textwrap import dedent

from eyas.cli.view.status import status_text
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Reason, Resource, digest
from eyas.status import report

NOW = 1_000_000.0


def container(name: str, last: int, state: dict[str, Json] | None = None) -> Resource:
    fields: dict[str, Json] = {"address4": f"10.0.5.{last}/24", "address6": f"fd00:5::{last}/64", "image": "base"}
    if state is not None:
        fields["state"] = state
    return Resource(f"container:{name}", "container", name, fields)


def running(seconds: int = 90) -> dict[str, Json]:
    return {"active": "active", "since": NOW - seconds, "memory": 25 << 20}


DESIRED = {r.id: r for r in (container("web", 10), container("db", 100), container("new", 20))}


def test_states_and_order() -> None:
    actual = {r.id: r for r in (container("web", 10, running()), container("db", 100, {"active": "failed"}),
                                container("old", 5, running()))}  # fmt: skip
    made = report("h", DESIRED, actual, [], {}, [], NOW)
    assert [(row.name, row.state, row.health) for row in made.rows] == [
        ("old", "running", "healthy"), ("web", "running", "healthy"), ("new", "missing", ""), ("db", "failed", ""),
    ]  # fmt: skip
    web = made.rows[1]
    assert (web.address, web.uptime, web.memory, web.image) == ("10.0.5.10", 90.0, 25 << 20, "base")


def test_probes_and_failed_units_make_unhealthy() -> None:
    actual = {r.id: r for r in (container("web", 10, running()),)}
    facts: dict[str, dict[str, Json]] = {
        "web": {"probes": [["ok", "tcp 80", ""], ["failed", "tcp 443", "refused"]], "failed_units": ["x.service"]}
    }
    made = report("h", {"container:web": DESIRED["container:web"]}, actual, [], facts, [], NOW)
    assert made.rows[0].health == "unhealthy"
    assert made.rows[0].failing == ("tcp 443: refused", "unit x.service failed")


def test_drift_is_the_plan_read_the_other_way() -> None:
    fields = (FieldChange("unit_drift", None, None, Impact.live, "the unit file was changed by hand"),)
    changes = [
        Change("container:web", "container", "web", Action.update, Impact.live, Reason.drift, "", fields),
        Change("container:db", "container", "db", Action.start, Impact.none, Reason.stopped),
        Change("sysctl:a.b", "sysctl", "host", Action.create, Impact.live, Reason.declared),
        Change("layer:ab", "layer", "web", Action.create, Impact.none, Reason.declared),
    ]
    actual = {r.id: r for r in (container("web", 10, running()), container("db", 100, {"active": "inactive"}))}
    made = report("h", DESIRED, actual, changes, {}, [{"run": "r1"}], NOW)
    assert {row.name: row.drift for row in made.rows} == {
        "web": ("the unit file was changed by hand",), "db": ("does not run",), "new": (),
    }  # fmt: skip
    assert made.drift == ("sysctl a.b: is missing",)
    assert made.differs
    assert made.to_json()["run"] == {"run": "r1"}


def test_the_table() -> None:
    actual = {r.id: r for r in (container("web", 10, running()), container("db", 100, {"active": "inactive"}))}
    facts: dict[str, dict[str, Json]] = {"web": {"os": "Debian GNU/Linux 13 (trixie)"}}
    desired = {id_: r for id_, r in DESIRED.items() if r.name != "new"}
    changes = [Change("container:db", "container", "db", Action.start, Impact.none, Reason.stopped)]
    text = status_text(report("h", desired, actual, changes, facts, [], NOW), 100)
    assert text == dedent("""\
        NAME  STATE    HEALTH   ADDRESS     OS            UP  MEM  IMAGE  DRIFT
        web   running  healthy  10.0.5.10   Debian 13  1 min  25M  base       -
        db    stopped  -        10.0.5.100  -              -    -  base       1

        db: does not run

        h: 2 containers, 1 healthy, 1 difference: eyas plan shows what apply would do.""")


def test_what_waits_for_the_next_boot_is_no_drift() -> None:
    actual = {r.id: r for r in (container("web", 10, running()), container("db", 100, running()),
                                container("new", 20, running()))}  # fmt: skip
    note = (FieldChange("tree", None, None, Impact.restart, "image rebuilt"),)
    changes = [
        Change("container:web", "container", "web", Action.update, Impact.restart, Reason.differs, "", note),
        Change("container:db", "container", "db", Action.update, Impact.restart, Reason.differs, "", note),
        Change("firewall:eyas", "firewall", "host", Action.delete, Impact.live, Reason.undeclared),
    ]
    pending = {
        "container:web": digest(dict(DESIRED["container:web"].fields)),
        "container:db": "what was prepared before the definitions went on",
        "firewall:eyas": "",
    }
    made = report("h", DESIRED, actual, changes, {}, [], NOW, pending)
    rows = {row.name: row for row in made.rows}
    assert (rows["web"].drift, rows["web"].pending) == ((), ("image rebuilt",))
    assert (rows["db"].drift, rows["db"].pending) == (("image rebuilt",), ())
    assert (made.drift, made.pending) == ((), ("firewall eyas: is declared no more",))
    text = status_text(made)
    assert "web: pending, takes effect at the next boot: image rebuilt" in text
    assert "1 difference: eyas plan shows what apply would do, 2 changes pending until the next boot." in text
