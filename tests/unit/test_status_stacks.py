"""What status says of Compose stacks, as their own programs tell of them."""

from __future__ import annotations

import json
from typing import Any

from eyas.status.stacks import declared, ill, lines, read


def service(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": "running", "health": "", "exit": None, "ready": True, "restarts": 0, **more}


def stack(*services: dict[str, Any], **more: Any) -> dict[str, Any]:
    said = {"name": "wiki", "error": "", "services": [*services], "waiting": [], "volumes": [], **more}
    return read("wiki", json.dumps(said))


def test_who_is_not_well_is_named_with_how_often_it_was_tried() -> None:
    found = stack(
        service("web", health="unhealthy", ready=False, restarts=3),
        service("db", state="exited", exit=3, ready=False, restarts=1),
        service("job", state="missing", ready=False),
        service("page"),
        error="cannot bring wiki up: no space",
    )
    assert ill(found) == [
        "stack wiki: cannot bring wiki up: no space",
        "stack wiki: web is unhealthy (started again 3 times)",
        "stack wiki: db has exited (3) (started again 1 time)",
        "stack wiki: job is missing",
    ]
    assert lines("box", [found]) == ["box: stack wiki: 4 services, well: page"]


def test_one_that_ends_again_and_again_is_shown_while_it_runs() -> None:
    found = stack(service("web", restarts=7), service("page"))
    assert ill(found) == []
    assert lines("box", [found]) == [
        "box: stack wiki: 2 services, well: web, page",
        "box: stack wiki: web is running, started again 7 times of late",
    ]


def test_who_waits_and_what_is_left() -> None:
    said = lines("box", [stack(waiting=["web"], volumes=["old"])])
    assert said[1:] == [
        "box: stack wiki: web: change waits for a running job",
        "box: stack wiki: old: volume is declared no more",
    ]


def test_a_stack_that_says_nothing() -> None:
    assert ill(read("wiki", "")) == ["stack wiki: it does not say how it is"]
    assert declared({"files": {"/etc/eyas/compose/wiki/stack.json": "x", "/etc/hosts": "y"}}) == ["wiki"]
