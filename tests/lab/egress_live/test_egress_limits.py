"""Upstreams that limit: by address, by prefix, by resets. What a builder gets done, without a hand on anything."""

from __future__ import annotations

import ipaddress
import json

import pytest

from tests.lab.egress_live.rig import ACT, CLIENT, REPORTS, Live
from tests.lab.rig import FULL

COUNT = 1000 if FULL else 200
LIMIT = 20
RANGE = ipaddress.ip_network("2001:db8:5:1:8000::/65")


def test_a_builder_gets_all_of_its_fetches_where_single_addresses_are_limited(live: Live) -> None:
    url = live.sites.url("/files/part", "sources.example.net", size=1000)
    live.act("forget", "forge/sources")
    live.sites.set("sources.example.net", limit=LIMIT, ban=3600)
    alone = json.loads(live.succeed("host", "python3", "-c", CLIENT, "fetch", url, str(COUNT), ""))
    assert alone["done"] == LIMIT, "that far one address gets"
    live.sites.forget()
    seen = live.fetch(url, COUNT)
    assert seen["done"] == COUNT
    counts = live.sites.counts("sources.example.net")
    print(f"{COUNT} fetches from {len(counts)} addresses, {seen['refused']} refused; alone {alone['done']}")
    assert len(counts) >= COUNT / LIMIT
    assert [source for source in counts if ipaddress.ip_address(source) not in RANGE] == [], counts
    there = live.destination("forge/sources", "sources.example.net")
    assert (there["limits"], bool(there["resting"])) == ("", True)
    assert live.destination("mirror/all", "sources.example.net") == {}, "the pools of others know nothing of it"
    assert not any(each["refusals"] for each in live.pool("mirror/all")["addresses"])


def test_a_limit_by_prefix_is_noticed_told_and_obeyed(live: Live) -> None:
    name, rule = "prefix.example.net", "forge/prefix"
    url = live.sites.url("/files/part", name, size=1000)
    live.act("forget", rule)
    live.sites.set(name, limit=60, by="prefix", ban=3600)
    assert live.fetch(url, 60)["refused"] == 0
    command = ("python3", "-c", CLIENT, "fetch", url, "5", REPORTS)
    with live.background("forge", *command) as process:
        live.host.wait_until(lambda: live.destination(rule, name).get("limits") == "prefix", "it is noticed", 60)
        there = live.destination(rule, name)
        tried = live.sites.counts(name)
        print(f"noticed after {sum(tried.values()) - 60} refusals, {len(tried)} addresses of a pool of 16: {there}")
        assert len(there["resting"]) < 16, "not one address after the other was burned"
        assert 0 < there["per_hour"] < 3600
        # Whoever goes on all the same is stopped here, and reads why.
        before = sum(live.sites.counts(name).values())
        live.succeed("forge", "python3", "-c", CLIENT, "fetch", url, "1", "")
        assert sum(live.sites.counts(name).values()) - before < 100, "of 200 tries"
        live.act("tick")
        said = live.succeed("host", "journalctl", "-M", "forge", "-t", "eyas-egress", "-o", "cat", "--no-pager")
        assert f"{name} (2001:db8:ffff::62) refused by the host: egress rule {rule}: it counts by the prefix" in said
        assert live.destination(rule, name)["extra"] == there["extra"]
        assert {*live.sites.counts(name)} <= {*tried, *live.whole()["pools"][rule], *there["extra"]}
        # It allows again; so does the host, when the rest is over.
        live.sites.set(name, limit=0)
        live.sites.forget()
        live.act("tick", "25")
        assert live.history("resumed")[0]["destination"] == name
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["done"] == 5
    assert live.destination(rule, name)["limits"] == ""


@pytest.mark.parametrize(("refusal", "limit", "count"), [("reset", 5, 30), ("refused", 4, 20), ("prohibited", 4, 20)])
def test_resets_are_seen_by_the_packet_filter(live: Live, refusal: str, limit: int, count: int) -> None:
    """Of a connection that has asked, of its first packet, and what a router on the way says (ICMP)."""
    name, rule = "resets.example.net", "forge/resets"
    live.act("forget", rule)
    live.sites.set(name, limit=limit, refusal=refusal, ban=3600)
    with live.background("host", "python3", "-c", ACT, "watch"):  # as the timer does, more often
        seen = live.fetch(live.sites.url("/files/part", name, size=1000), count)
    assert seen["done"] == count
    there = live.destination(rule, name)
    assert there["resting"]
    assert all("connections were reset" in rest["why"] for rest in there["resting"])
    assert len(live.sites.counts(name)) >= count / limit
