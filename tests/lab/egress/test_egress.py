"""Connections leave as definitions say, over both families; what no rule is about leaves as ever."""

from __future__ import annotations

import json

from eyas.lab.upstream import Upstream
from tests.lab.egress.rig import ALPHA, DUAL, FOUR, MANY, PUBLIC, SIX, Egress, uneven

FILE = "/files/a?size=9"


def test_500_connections_are_spread_over_the_pool(out: Egress, up: Upstream) -> None:
    pool = out.pool("forge/sources")
    assert len(pool) == 64
    answers = out.many("forge", up.url(FILE, DUAL), 500)
    assert len(answers) == 500
    counts = up.counts(DUAL)
    assert set(counts) <= set(pool)
    assert sum(counts.values()) == 500
    chance = uneven(counts, pool)
    spread = f"{min(counts.get(each, 0) for each in pool)} to {max(counts.values())}"
    print(f"500 connections over {len(pool)} addresses: {spread} each, chi-square p = {chance:.3f}")
    assert chance > ALPHA, counts


def test_both_families(out: Egress, up: Upstream) -> None:
    """IPv6 where there is some, although the container has a private address; IPv4 as ever where there is none."""
    pool = set(out.pool("forge/sources"))
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


def test_the_first_rule_that_fits_counts(out: Egress, up: Upstream) -> None:
    """By port: what is asked on port 443 leaves as ever, on port 80 from the pool."""
    ca = "/etc/ssl/certs"
    out.succeed("forge", "curl", "-sS", "--fail", "--insecure", "--capath", ca, up.url(FILE, SIX, "https"))
    assert up.counts(SIX) == {PUBLIC[6]: 1}
    out.many("forge", up.url(FILE, SIX), 5)
    assert up.counts(SIX).pop(PUBLIC[6]) == 1
    assert sum(up.counts(SIX).values()) == 6


def test_an_address_of_its_own(out: Egress) -> None:
    """A fixed one, of the prefix and on no interface; the client in the internet tells who it was."""
    with out.background("internet", "python3", "-c", WHO) as who:
        out.internet.wait_for_port(7001, "2001:db8:ffff::10")
        for address in ("[2001:db8:ffff::10]", "198.51.100.10"):
            out.many("forge", f"http://{address}:7001/")
        who.terminate()
        seen = who.communicate(timeout=10)[0].split()
    assert [s for s in seen if s != "2001:db8:ffff::10"] == ["2001:db8:5:1::77", f"::ffff:{PUBLIC[4]}"]


WHO = """
import socket
with socket.create_server(("::", 7001), family=socket.AF_INET6, dualstack_ipv6=True) as ear:
    while True:
        connection, who = ear.accept()
        print(who[0], flush=True)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\nhello")
        connection.close()
"""


def test_users_and_services_are_told_apart(out: Egress, up: Upstream) -> None:
    """Also by destination, where one user has several rules."""
    url = up.url(FILE, SIX)
    for site in (SIX, DUAL):
        argv = ("python3", "-c", MANY, "--count", "3", "--at-once", "1", "--family", "0", up.url(FILE, site))
        assert len(json.loads(out.succeed("marked", "runuser", "-u", "anna", "--", *argv))) == 3
    assert up.counts(SIX) == {"2001:db8:5:1::a": 3}
    assert up.counts(DUAL) == {"2001:db8:5:1::c": 3}
    out.succeed("marked", "systemctl", "start", "job.service")
    out.many("marked", url, 2)
    assert up.counts(SIX) == {"2001:db8:5:1::a": 3, "2001:db8:5:1::b": 1, PUBLIC[6]: 2}


def test_a_ceiling_holds_and_the_tenant_is_told(out: Egress, up: Upstream) -> None:
    """Half of ten at once, the others as an hour goes by; what other tests have asked counts."""
    answers = out.many("marked", up.url(FILE, SIX), 12, at_once=1)
    assert len([said for said in answers if said != "refused"]) <= 5
    assert answers[-1] == "refused"
    assert out.many("forge", up.url(FILE, SIX), 12).count("refused") == 0
    out.host.succeed("systemctl", "start", "eyas-egress.service")

    def told() -> bool:
        return "its ceiling is 10 connections an hour" in out.succeed("marked", "journalctl", "-t", "eyas-egress")

    out.host.wait_until(told, "the journal of the container tells of its ceiling")


def test_ipv4_is_refused_where_there_is_ipv6(out: Egress, up: Upstream) -> None:
    assert out.many("marked", up.url(FILE, DUAL), 3, family=4) == ["refused"] * 3
    assert "refused" not in out.many("marked", up.url(FILE, DUAL), 6)
    (source,) = up.counts(DUAL)  # one destination, one address
    assert source in out.pool("marked/new")
    assert "refused" not in out.many("marked", up.url(FILE, FOUR), 2)
