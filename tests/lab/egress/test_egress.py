"""Connections leave as definitions say, over both families; what no rule is about leaves as ever."""

from __future__ import annotations

from eyas.lab.upstream import Upstream
from tests.lab.egress.rig import ALPHA, DUAL, FOUR, PUBLIC, SIX, Egress, uneven

FILE = "/files/a?size=9"


def test_500_connections_are_spread_over_the_pool(out: Egress, up: Upstream) -> None:
    pool = out.pool("forge/sources")
    assert len(pool) == 64
    answers = out.many("forge", up.url(FILE, DUAL), 500)
    assert len(answers) == 500
    counts = up.counts(DUAL)
    assert set(counts) <= set(pool)
    assert sum(counts.values()) == 500
    assert uneven(counts, pool) > ALPHA, counts


def test_both_families(out: Egress, up: Upstream) -> None:
    """IPv6 where there is some, although the container has a private address; IPv4 as ever where there is none."""
    pool = set(out.pool("forge/sources"))
    assert set(up.counts()) == set()
    out.many("forge", up.url(FILE, SIX), 20)
    out.many("forge", up.url(FILE, FOUR), 20)
    assert set(up.counts(SIX)) <= pool
    assert up.counts(FOUR) == {PUBLIC[4]: 20}
    out.many("forge", up.url(FILE, DUAL), 20, family=4)
    assert up.counts(DUAL) == {PUBLIC[4]: 20}


def test_others_leave_as_ever(out: Egress, up: Upstream) -> None:
    out.many("bystander", up.url(FILE, SIX), 10)
    out.many("host", up.url(FILE, SIX), 10)
    assert up.counts(SIX) == {PUBLIC[6]: 20}
