"""What a monitor reads of egress."""

from __future__ import annotations

from eyas.kind.egress import rotate
from eyas.kind.egress.converge import drawer
from eyas.kind.egress.declared import declared
from eyas.kind.egress.metrics import metrics
from eyas.kind.egress.state import State
from tests.egress import THERE, address, fields, in_order, rule

NOW = 1000.0
WHO = 'rule="forge/all",container="forge"'


def test_all_figures_of_a_pool() -> None:
    known, state = (
        declared(fields(rule(names=['od"d\\.example']), rule("web/own", via="default"))),
        State(mode="routed"),
    )
    draw, name = drawer(known, set(), in_order()), 'od"d\\.example'
    state.names = {name: {THERE: 1e12}}
    rotate.settle(state, known, NOW, draw)
    used = {(address(1), THERE): 30, (address(2), THERE): 12}
    rotate.count(state, {f"forge/all {THERE}": name}, used, NOW)
    rotate.refuse(state, known.rules[0], name, address(1), NOW, draw, why="it answered 429", uses=30)
    state.pools["forge/all"].leaving[address(99)] = NOW
    at = WHO + ',destination="od\\"d\\\\.example"'
    assert metrics(known, state, NOW).splitlines() == [
        "# HELP eyas_egress_addresses Addresses of a pool.",
        "# TYPE eyas_egress_addresses gauge",
        f"eyas_egress_addresses{{{WHO}}} 4",
        "# HELP eyas_egress_leaving Addresses that get no new connections and still have some.",
        "# TYPE eyas_egress_leaving gauge",
        f"eyas_egress_leaving{{{WHO}}} 1",
        "# HELP eyas_egress_connections_total Connections to a destination from a pool.",
        "# TYPE eyas_egress_connections_total counter",
        f"eyas_egress_connections_total{{{at}}} 42",
        "# HELP eyas_egress_refusals_total Refusals by a destination.",
        "# TYPE eyas_egress_refusals_total counter",
        f"eyas_egress_refusals_total{{{at}}} 1",
        "# HELP eyas_egress_resting Addresses that are not used at a destination now.",
        "# TYPE eyas_egress_resting gauge",
        f"eyas_egress_resting{{{at}}} 1",
        "# HELP eyas_egress_ceiling Connections an hour that a destination gets since it counts by the prefix.",
        "# TYPE eyas_egress_ceiling gauge",
        f"eyas_egress_ceiling{{{at}}} 0",
        "# HELP eyas_egress_routed 1 when the prefix is routed to the host, 0 when it is on the link, -1 unknown.",
        "# TYPE eyas_egress_routed gauge",
        "eyas_egress_routed 1",
        "# HELP eyas_egress_held 1 while nothing changes, because the last change was taken back.",
        "# TYPE eyas_egress_held gauge",
        "eyas_egress_held 0",
    ]


def test_figures_follow_what_happens() -> None:
    known, state = declared(fields()), State(mode="on-link", held=NOW + 60)
    draw = drawer(known, set(), in_order())
    rotate.settle(state, known, NOW, draw)
    rotate.refuse(state, known.rules[0], THERE, address(1), NOW, draw, why="reset", uses=30)
    there = state.pools["forge/all"].destinations[THERE]
    there.limits, there.per_hour = "prefix", 120
    lines = metrics(known, state, NOW + 2 * 86400).splitlines()
    at = f'{{{WHO},destination="{THERE}"}}'
    for line in (f"eyas_egress_resting{at} 0", f"eyas_egress_ceiling{at} 120", "eyas_egress_routed 0"):
        assert line in lines
    assert "eyas_egress_held 0" in lines
    assert "eyas_egress_held 1" in metrics(known, state, NOW).splitlines()
    assert "eyas_egress_routed -1" in metrics(known, State(), NOW).splitlines()
