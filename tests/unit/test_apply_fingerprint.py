"""What makes a plan too old: what somebody changed, and not what moves by itself."""

from __future__ import annotations

import pytest

from eyas.apply.proof import fingerprint
from eyas.core.words import Json, Resource

TIMED = "[Service]\nExecStart=/bin/true\n"
KEPT = f"{TIMED}\n[Install]\nWantedBy=multi-user.target\n"


def print_of(kind: str = "unit", **fields: Json) -> str:
    return fingerprint({f"{kind}:x": Resource(f"{kind}:x", kind, "host", fields)})


@pytest.mark.parametrize(("content", "same"), [(TIMED, True), (KEPT, False)])
def test_whether_a_unit_runs_counts_unless_a_timer_starts_it(content: str, same: bool) -> None:
    one, other = (print_of(content=content, running=running) for running in (True, False))
    assert (one == other) is same


def test_what_a_unit_is_counts() -> None:
    assert print_of(content=TIMED) != print_of(content=KEPT)


def test_of_a_container_counts_which_start_it_is() -> None:
    state: dict[str, Json] = {"active": "active", "invocation": "1", "memory": 5}
    assert print_of("container", state=state) == print_of("container", state={**state, "memory": 6})
    assert print_of("container", state=state) != print_of("container", state={**state, "invocation": "2"})
