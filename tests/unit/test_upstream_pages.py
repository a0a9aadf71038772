"""The limits of sites in a lab's internet, what the sites answer, and how a provider gives a prefix."""

from __future__ import annotations

import pytest

from eyas.core.errors import UsageError
from eyas.lab import LabHost, wire
from eyas.lab.limiter import Limiter, Site, client
from eyas.lab.spec import check
from eyas.lab.upstream import addresses, contents

HERE, THERE, FAR = "2001:db8:5:1::2", "2001:db8:5:1:8000::7", "2001:db8:5:2::2"


def test_a_client_is_refused_after_so_many_requests_until_its_time_is_over() -> None:
    site, limiter = Site(limit=2, ban=10), Limiter()
    assert [limiter.ask(site, HERE, at) for at in (0, 1, 2, 5)] == [0, 0, 10, 7]
    assert limiter.ask(site, THERE, 5) == 0, "another address"
    assert [limiter.ask(site, HERE, at) for at in (13, 14, 15)] == [0, 0, 10]


def test_who_asks_while_banned_waits_longer_where_that_is_the_rule() -> None:
    site, limiter = Site(limit=1, ban=10, prolong=True), Limiter()
    assert [limiter.ask(site, HERE, at) for at in (0, 1, 9, 15)] == [0, 10, 10, 10]
    assert limiter.ask(site, HERE, 26) == 0


def test_requests_outside_of_the_window_are_forgotten() -> None:
    site, limiter = Site(limit=2, window=5, ban=1), Limiter()
    assert [limiter.ask(site, HERE, at) for at in (0, 4, 6, 7, 9.5)] == [0, 0, 0, 1, 0]


def test_a_prefix_is_one_client_and_an_ipv4_address_is_one_too() -> None:
    site, limiter = Site(limit=1, by="prefix"), Limiter()
    assert client(site, HERE) == client(site, THERE) == "2001:db8:5:1::/64"
    assert [limiter.ask(site, who, 0) for who in (HERE, THERE, FAR, "203.0.113.1", "203.0.113.2")] == [0, 30, 0, 0, 0]


def test_no_limit_is_no_limit() -> None:
    limiter = Limiter()
    assert not any(limiter.ask(Site(), HERE, at) for at in range(1000))


@pytest.mark.parametrize("wrong", [{"refusal": "404"}, {"by": "name"}, {"families": "5"}])
def test_a_site_that_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no such site"):
        Site(**wrong)  # type: ignore[arg-type]


def test_each_site_has_addresses_of_its_own() -> None:
    sites = (Site(), Site("four.example.net", families="4"), Site("six.example.net", families="6"))
    assert addresses(sites) == {
        "sources.example.net": ["198.51.100.60", "2001:db8:ffff::60"],
        "four.example.net": ["198.51.100.61"],
        "six.example.net": ["2001:db8:ffff::62"],
    }


def test_a_file_is_what_its_name_says() -> None:
    assert len(contents("a", 1000)) == 1000
    assert contents("a", 100) == contents("a", 1000)[:100]
    assert len({contents("a", 64), contents("b", 64), contents("a", 64, version=2)}) == 3


def test_a_routed_prefix_goes_to_the_hosts_own_address() -> None:
    host = LabHost("one", addresses=("2001:db8:7::2/64",), gateways=("fe80::1",), prefix6="routed")
    assert wire.routers([host]) == [
        "addr replace fe80::1/64 dev wire0 nodad noprefixroute",
        "route replace 2001:db8:7::2/128 dev wire0 src 2001:db8:ffff::10",
        "route replace 2001:db8:7::/64 via 2001:db8:7::2 dev wire0 src 2001:db8:ffff::10",
        "route replace fe80::/64 dev wire0",
    ]
    assert LabHost.from_json(host.to_json()) == host
    with pytest.raises(UsageError, match="kind of prefix"):
        check([LabHost("one", prefix6="bridged")])
