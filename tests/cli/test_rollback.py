"""Ways to change a host other than all at once: a part of it, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from eyas.cli.made import check_name, left_lines, only_names
from eyas.cli.rollback import named, refuse_gone
from eyas.core.errors import EyasError, Failed, UsageError
from eyas.core.words import Resource
from eyas.plan.part import Left, merged_names, strange_lines

RUNS: Sequence[Mapping[str, Any]] = (
    {"run": "20260102T101112130-beef", "result": "undone"},
    {"run": "20260102T101112120-cafe", "result": "kept"},
    {"run": "20260101T101112110-f00d", "result": "kept"},
)


@pytest.mark.parametrize("given", ["20260101", "f00d", "20260101T101112110-f00d"])
def test_a_run_is_found_by_either_end(given: str) -> None:
    assert named(RUNS, given)["run"] == "20260101T101112110-f00d"


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ("2026", "3 runs begin with it", "eyas history"),
        ("none", "no run has this id", "eyas history"),
        ("beef", "it was not kept (undone)", "the last one that was kept is 20260102T101112120-cafe"),
    ],
)
def test_a_run_that_cannot_be_gone_back_to(given: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        named(RUNS, given)
    assert caught.value.message.startswith("cannot go back to run ")
    assert said in caught.value.message
    assert hint in caught.value.hint


def container(name: str, tree: str, layer: str) -> dict[str, Resource]:
    id_ = f"container:{name}"
    return {id_: Resource(id_, "container", name, {"tree": tree, "layer": layer})}


def test_what_is_gone_is_named() -> None:
    wanted = container("web", "t1", "l1") | container("db", "t2", "l2")
    there = {f"{kind}:{name}": Resource("", kind, "", {}) for kind, name in (("tree", "t1"), ("layer", "l2"))}
    refuse_gone("r", container("web", "t1", "l2"), there, {})
    refuse_gone("r", container("web", "t2", "l2"), there, {"t2": "key"})  # its commit is in a store
    with pytest.raises(Failed) as caught:
        refuse_gone("r", wanted, there, {})
    assert "the layer l1 of web, the tree t2 of db are gone from the host" in caught.value.message
    assert "eyas apply" in caught.value.hint


def test_only_wants_names_and_names_want_only() -> None:
    assert only_names(True, ("web", "web", "db")) == ["web", "db"]
    assert list(only_names(False, ())) == []
    with pytest.raises(UsageError, match="names nothing"):
        only_names(True, ())
    with pytest.raises(EyasError) as caught:
        only_names(False, ("web",))
    assert caught.value.hint == "give: --only web"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        check_name("postgers", ["host", "postgres", "web"])
    assert caught.value.hint == "did you mean postgres?"


def test_what_is_left_is_counted() -> None:
    left = [
        Left("file:/a", "host"),
        Left("container:b", "b"),
        Left("layer:x", "b"),
        Left("firewall:eyas", "host", "no"),
    ]
    assert left_lines(left) == ["Left as it is: b (2 changes), host (2 changes).", "  firewall: no"]
    assert left_lines([]) == []


def test_names_are_taken_line_by_line() -> None:
    old = "127.0.0.1\tlocalhost\n10.0.0.2\ta\n10.0.0.3\tb\n"
    new = "127.0.0.1\tlocalhost\n10.0.0.4\ta\n10.0.0.5\tb\n10.0.0.6\tc\n"
    assert merged_names(old, new, ["a"]) == "127.0.0.1\tlocalhost\n10.0.0.3\tb\n10.0.0.4\ta\n"
    assert merged_names(old, new, ["a", "b", "c"]) == new


OLD = """table inet eyas {
\tmap tcp4 {
\t\ttype inet_service : ipv4_addr . inet_service
\t\telements = { 80 comment "web" : 10.0.5.10 . 80,
\t\t\t     443 comment "web" : 10.0.5.10 . 443 }
\t}
\tset itself4 {
\t\ttype ipv4_addr . ipv4_addr
\t\telements = { 10.0.5.10 . 10.0.5.10 }
\t}
}
"""


def test_the_part_of_one_in_the_firewall() -> None:
    more = OLD.replace("443 }", '443,\n\t\t\t     5432 comment "db" : 10.0.5.11 . 5432 }')
    more = more.replace("10.0.5.10 }", "10.0.5.10,\n\t\t\t     10.0.5.11 . 10.0.5.11 }")
    assert strange_lines(OLD, more, ["db"], {"10.0.5.11"}) == []
    assert strange_lines(more, OLD, ["db"], {"10.0.5.11"}) == []
    assert strange_lines(OLD, more, ["web"], {"10.0.5.10"}) == [
        '5432 comment "db" : 10.0.5.11 . 5432',
        "10.0.5.11 . 10.0.5.11",
    ]
    other = more.replace("table inet eyas {", "table inet eyas {\n\tchain c {\n\t\tdrop\n\t}")
    assert strange_lines(OLD, other, ["db"], {"10.0.5.11"}) == ["drop"]
