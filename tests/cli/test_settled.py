"""Seeing quickly that nothing has to be done: whenever that is seen, the plan that kinds make is empty."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.cli.cached import Wanted, store
from eyas.cli.context import Context
from eyas.cli.place import kept_path
from eyas.cli.settled import NOTHING, same, settled
from eyas.core.words import Resource, Resources
from eyas.kind import observe
from eyas.model import Host
from eyas.plan import plan
from eyas.remote import early, protocol
from tests.property.fleets import hosts, resources
from tests.property.test_converge import FAST, Ground, fast_folder

FILE = {"content": "x", "mode": 420, "owner": "root", "group": "root"}
UNIT = {"content": "[Service]\n", "enabled": False, "running": False}


def rows(found: Resources) -> list[dict[str, Any]]:
    """As they travel and are kept: through JSON, layers without their entries."""
    made: list[dict[str, Any]] = json.loads(json.dumps([resource.to_json() for resource in found.values()]))
    for each in made:
        each["fields"].pop("entries", None)
    return made


def row(id_: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": id_, "kind": id_.split(":")[0], "owner": "host", "fields": dict(fields), "origin": ""}


@FAST
@given(hosts(), hosts(), st.data())
def test_it_never_says_so_when_there_is_a_plan(one: Host, two: Host, data: st.DataObject) -> None:
    with fast_folder() as folder:
        ground = Ground(folder)
        wanted = resources(one)
        ground.reach(wanted)
        seen = observe(ground.world)
        # one that does not start by itself may run all the same, because another one needs it
        states = [row["fields"]["state"]["active"] for row in rows(seen) if row["kind"] == "container"]
        assert same(rows(wanted), rows(seen)) == all(state == "active" for state in states)
        other = resources(two)
        assert not same(rows(other), rows(seen)) or not plan(other, seen, "h")
        # one field of one resource becomes another: by hand, by a crash, by another version
        id_ = data.draw(st.sampled_from(sorted(seen)))
        fields = dict(seen[id_].fields)
        name = data.draw(st.sampled_from([*fields, "disk_drift", "edited"]))
        fields[name] = data.draw(st.sampled_from([None, True, False, "", "other", ["other"]]))
        if name != "state":
            seen[id_] = Resource(id_, seen[id_].kind, seen[id_].owner, fields)
            assert not same(rows(wanted), rows(seen)) or not plan(wanted, seen, "h")


def container(active: str, **more: Any) -> dict[str, Any]:
    return row("container:a", {"tree": "t", "state": {"active": active, "invocation": "i"}, **more})


@pytest.mark.parametrize(
    ("wanted", "seen", "verdict"),
    [
        ([], [], True),
        ([row("file:/a", FILE)], [row("file:/a", FILE)], True),
        ([row("file:/a", FILE)], [], False),
        ([], [row("file:/a", FILE)], False),
        ([row("file:/a", FILE)], [row("file:/a", {**FILE, "edited": True})], False),
        ([row("file:/a", FILE)], [row("file:/a", {**FILE, "mode": 384})], False),
        ([], [row("layer:old", {"digest": "old"}), row("tree:old", {"commit": "old"})], True),
        ([], [row("directory:/data", {})], False),
        ([row("unit:a.service", UNIT)], [row("unit:a.service", {**UNIT, "running": True})], True),
        ([row("unit:a.service", {**UNIT, "running": True})], [row("unit:a.service", UNIT)], False),
        ([row("container:a", {"tree": "t"})], [container("active")], True),
        ([row("container:a", {"tree": "t"})], [container("failed")], False),
        ([row("container:a", {"tree": "t"})], [container("activating")], False),
        ([row("container:a", {"tree": "t"})], [container("active", disk_drift=["changed by hand"])], False),
        ([row("container:a", {"tree": "u"})], [container("active")], False),
    ],
)
def test_equal_or_not(wanted: Sequence[Any], seen: Sequence[Any], verdict: bool) -> None:
    assert same(wanted, seen) == verdict


# With an agent that was started early


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    (tmp_path / "fleet.py").write_text("")
    resource = Resource("file:/a", "file", "host", FILE)
    (tmp_path / ".eyas/cache").mkdir(parents=True)
    (tmp_path / ".eyas/cache/names").write_text("hosts h\n")
    store(str(tmp_path), Wanted("h", {resource.id: resource}, {}, {}), [])
    return tmp_path


def asked(fleet: Path, answer: bytes) -> Context:
    """A command for a lab host, and an agent that says this."""
    (fleet / "answer").write_bytes(answer)
    (fleet / "code").mkdir()
    note = str(fleet / "note")
    agent = ["sh", "-c", 'head -c 1 >/dev/null; cat "$0"', str(fleet / "answer")]
    early.note(note, agent, {"PATH": "/usr/bin:/bin"}, b"?", [str(fleet / "code")], [], [])
    context = Context(str(fleet), lab=True)
    context.early = early.begin(note)
    assert context.early is not None
    return context


def result(interrupted: str | None = None) -> bytes:
    return protocol.frame({"result": {"resources": [row("file:/a", FILE)], "interrupted": interrupted}})


def test_what_is_kept_is_what_the_host_holds(fleet: Path) -> None:
    assert settled(asked(fleet, result())) == NOTHING.format(host="h")


@pytest.mark.parametrize(
    "answer",
    [
        result("20260101T000000000-0000"),
        result()[:-3],
        b"",
        protocol.frame({"error": {"kind": "Failed", "message": "cannot read the firewall"}}),
    ],
    ids=["a run that was interrupted", "half an answer", "no answer", "an error"],
)
def test_anything_else_is_for_the_usual_way(fleet: Path, answer: bytes) -> None:
    assert settled(asked(fleet, answer)) is None


def test_without_what_was_kept_the_answer_is_not_awaited(fleet: Path) -> None:
    context = asked(fleet, result())
    Path(kept_path(str(fleet), "h")).unlink()
    assert settled(context) is None
    assert context.early is not None
    assert context.early.received is None


def test_whoever_goes_on_has_the_answer(fleet: Path) -> None:
    from eyas.remote.transport import Connection, Here, Observing

    context = asked(fleet, result("run"))
    assert settled(context) is None
    found = Observing(Connection(Here(), context.early), asked=True).result()
    assert found.interrupted == "run"
    assert found.resources["file:/a"].fields == FILE


def test_who_wants_to_hear_more_is_told_by_the_usual_way(fleet: Path) -> None:
    context = asked(fleet, result())
    context.verbose = True
    assert settled(context) is None
