"""The cost of a change that a field of the definitions declares is the cost that the comparison on a host finds."""

from __future__ import annotations

import pytest

from eyas.core.words import Impact
from eyas.kind.container.compare import LIVE, RESTART, SPEC, compare_specs
from eyas.model import Bind, impacts

CONTAINER = {
    "address": "address4", "ipv6": "address6", "grants": "grants", "binds": "binds", "limits": "limits",
    "after": "after", "needs": "needs", "restart_with": "restart_with", "probes": "probes",
    "stop_timeout": "stop_timeout", "start_timeout": "start_timeout",
    "hold": "hold", "drain": "drain", "settle": "settle", "stateless": "stateless", "autostart": "autostart",
    "description": "description", "image": "tree", "packages": "tree",
}  # fmt: skip
"""Field of a Container, and the field of the spec on the host that it becomes."""

ELSEWHERE = {
    "name",
    "parts",
    "root",
    "forwards",
    "uses",
    "untrusted",
    "egress",
    "users",
    "files",
    "units",
    "environment",
}
"""What becomes another container, several fields, the firewall, rules of egress, or files with their own hooks."""


def found(field: str) -> Impact:
    assert field in SPEC
    return Impact.restart if field in RESTART else Impact.live if field in LIVE else Impact.none


@pytest.mark.parametrize(("field", "spec"), CONTAINER.items())
def test_container(field: str, spec: str) -> None:
    assert impacts()["Container"][field] == found(spec)


def test_no_field_is_forgotten() -> None:
    assert set(CONTAINER) | ELSEWHERE == set(impacts()["Container"])


@pytest.mark.parametrize(("field", "spec"), [("size", "root_size"), ("backing", "root_backing")])
def test_root(field: str, spec: str) -> None:
    assert impacts()["Root"][field] == found(spec)


def test_limits_and_probes_are_live() -> None:
    assert set(impacts()["Limits"].values()) == {found("limits")}
    assert set(impacts()["Probe"].values()) == {found("probes")}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", "/data/two"), ("target", "/elsewhere"), ("persistent", True), ("readonly", True),
        ("owner", "www-data"), ("group", 33), ("mode", 0o700),
    ],
)  # fmt: skip
def test_binds(field: str, value: object) -> None:
    one = Bind("/data/one", "/srv")
    names = [name for name in impacts()["Bind"] if name != "shared"]  # only for check
    old = {name: getattr(one, name) for name in names}
    new = {name: getattr(one.with_(**{field: value}), name) for name in names}
    changes = compare_specs({"binds": [new]}, {"binds": [old]})
    assert max(change.impact for change in changes) == impacts()["Bind"][field]
