"""Rules of outgoing connections as text: which line is for whom, and in what order."""

from __future__ import annotations

import ipaddress

import pytest

from eyas.core.words import Json
from eyas.kind.egress import rotate
from eyas.kind.egress import text as rules
from eyas.kind.egress.converge import drawer
from eyas.kind.egress.declared import declared
from eyas.kind.egress.state import Destination, State
from tests.egress import THERE, address, fields, in_order, rule

NOW = 1000.0


def made(*some: dict[str, Json], state: State | None = None, **more: Json) -> rules.Text:
    known = declared(fields(*some, **more))
    state = state or State()
    rotate.settle(state, known, NOW, drawer(known, set(), in_order()))
    return rules.ruleset(known, state, NOW)


def named(**names: list[str]) -> State:
    return State(names={name.replace("_", "."): dict.fromkeys(some, 1e12) for name, some in names.items()})


def test_one_pool_for_everything() -> None:
    chains = made().chains
    (pool,) = [name for name in chains if name.startswith("pool_")]
    drawn = ", ".join(f"{n} : {n + 1:#x}" for n in range(4))
    led = ", ".join(f"{n + 1:#x} : {address(n + 1)}" for n in range(4))
    assert chains[pool] == [
        f"meta mark set numgen random mod 4 map {{ {drawn} }}",
        "update @used { meta mark . ip6 daddr }",
        f"snat ip6 to meta mark map {{ {led} }}",
        "drop",
    ]
    assert chains["from6_forge"] == [f"goto {pool}"]
    assert chains["choose"] == [
        "type nat hook postrouting priority srcnat - 5; policy accept;",
        'oifname "eth0" ip6 saddr vmap { fd00:5::20 : jump from6_forge }',
        'oifname "eth0" ip6 saddr { fd00:5::20 } drop',
    ]
    assert "from4_forge" not in chains  # IPv4 leaves as ever, without a rule about it
    assert not [name for name in chains if name.startswith(("gate", "over", "instead", "bare"))]


def test_unasked_packets_for_the_range_are_dropped_and_nothing_else_of_the_way_in_is_touched() -> None:
    chains = made().chains
    assert chains["begin"][1:] == ['iifname "eth0" ip6 daddr 2001:db8:5:1:8000::/65 drop']
    for name, lines in chains.items():
        dropped = [line for line in lines if "drop" in line and name != "begin"]
        assert all('oifname "eth0" ip6 saddr {' in line or name.startswith("pool_") for line in dropped), name


def test_what_comes_to_a_container_s_chain_never_comes_back_and_goes_on() -> None:
    """While rules are replaced, a packet under way finds the maps of the former ones empty: then it is dropped, and not
    sent from the host's own address, or past a proxy or a ceiling."""
    relay = {"kind": "socks5", "host": "10.0.5.9", "port": 9050, "local": 10780}
    chains = made(
        rule("forge/tor", via="proxy", networks=["192.0.2.0/24"], proxy=relay),
        rule("forge/few", via="default", networks=["2001:db8:9::/48"], ceiling=10),
        rule("web/two", via="default", networks=["2001:db8:9::/48"], container="web", sources6=["fd00:5::21"]),
    ).chains
    seen = set()
    for name, lines in chains.items():
        if "type nat hook" not in lines[0]:
            assert not any(line.endswith("return") for line in lines), name
            first = lines[-1].split()[0]
            assert first in ("accept", "goto", "drop", "snat", "reject"), (name, lines)
            continue
        for number, line in enumerate(lines):
            if " vmap " in line:
                seen |= {element.split()[-1] for element in line.partition("{")[2].strip(" }").split(",")}
                sources = ", ".join(each.split()[0] for each in line.partition("{")[2].split(","))
                assert f"saddr {{ {sources} }}" in lines[number + 1]
                assert lines[number + 1].endswith("drop")
    assert seen == {"from6_forge", "from6_web", "relay_forge", "gate6_forge"}


def test_sets_of_networks_have_names_and_stay_when_addresses_change() -> None:
    """The kernel does not find everything in an anonymous one while rules are replaced. Addresses side by side are none
    of them, and names that share a rule with networks have a line of their own."""
    some = rule(names=["a.example"], networks=["2001:db8:9::/48", "2001:db8:4::/47", "2001:db8:9::1/128"], ceiling=10)
    first, later = (made(some, state=named(a_example=every)) for every in ([THERE], [THERE, "2001:db8:77::2"]))
    for text in (first, later):
        sets = {name: body for name, (_, body) in text.objects.items() if name.startswith("networks")}
        (name,) = sets
        assert sets[name] == "type ipv6_addr; flags interval; elements = { 2001:db8:4::/47, 2001:db8:9::/48 }"
        assert not [line for lines in text.chains.values() for line in lines if "/4" in line]
        assert f"ip6 daddr @{name} goto " in text.whole()
        assert f"ip6 daddr @{name} accept" in text.whole()
    assert f"{{ {THERE}, 2001:db8:77::2 }}" in later.whole()
    assert [n for n in first.objects if n.startswith("networks")] == [n for n in later.objects if n[:3] == "net"]


def test_what_is_established_passes_no_chain() -> None:
    """Chains of type nat are asked for the first packet of a connection alone (nft(8))."""
    chains = made(rule("forge/ann", mark=1), rule("forge/all", ceiling=10), rule("forge/old", ipv4="refused")).chains
    hooked = {name: lines[0].split()[1] for name, lines in chains.items() if " hook " in lines[0]}
    assert hooked == {"choose": "nat", "begin": "nat", "bare": "filter"}
    assert " filter " not in made().whole()


@pytest.mark.parametrize(
    ("per", "part"),
    [
        ("connection", "numgen random mod 4 map"),
        ("destination", "jhash ip6 daddr mod 4 seed 0x"),
        ("sticky", "jhash ip6 saddr . ip6 daddr mod 4 seed 0x"),
    ],
)
def test_what_gets_an_address(per: str, part: str) -> None:
    assert part in made(rule(pool={"per": per})).whole()


def test_sticky_addresses_change_place_when_their_time_is_over() -> None:
    known = declared(fields(rule(pool={"per": "sticky", "sticky": 600})))
    state = State()
    rotate.settle(state, known, NOW, drawer(known, set(), in_order()))
    first, same, later = (rules.ruleset(known, state, when).whole() for when in (NOW, NOW + 100, NOW + 600))
    assert first == same != later


def test_a_pool_of_one_needs_no_choice() -> None:
    assert f"snat ip6 to {address(1)}\n" in made(rule(pool={"size": 1})).whole()


def test_names_have_lines_of_their_own_before_networks() -> None:
    some = rule(
        names=["a.example", "b.example"],
        networks=["2001:db8:99::/48", "192.0.2.0/24"],
        ports=[["tcp", 443], ["udp", 443]],
    )
    *lines, last = made(some, state=named(a_example=[THERE, "198.51.100.7"])).chains["from6_forge"]
    assert last == "accept"
    ports = "meta l4proto . th dport { tcp . 443, udp . 443 }"
    assert [line.rpartition(" goto ")[0] for line in lines] == [
        f"ip6 daddr {{ {THERE} }} {ports}",
        f"ip6 daddr {{ 2001:db8:99::/48 }} {ports}",
    ]


def test_the_first_rule_that_fits_wins_also_where_it_leaves_things_as_they_are() -> None:
    chains = made(
        rule("forge/not", via="default", networks=["2001:db8:1::/48", "198.51.100.0/24"]),
        rule("forge/fixed", via="address", address6="2001:db8:5:1::77", address4="203.0.113.113", ports=[["tcp", 25]]),
        rule("forge/all"),
    ).chains
    lines = chains["from6_forge"]
    assert lines[0] == "ip6 daddr { 2001:db8:1::/48 } accept"
    assert lines[1] == "meta l4proto . th dport { tcp . 25 } snat ip6 to 2001:db8:5:1::77"
    assert lines[2].startswith("goto pool_")
    assert chains["from4_forge"] == [
        "ip daddr { 198.51.100.0/24 } accept",
        "meta l4proto . th dport { tcp . 25 } snat ip to 203.0.113.113",
        "accept",
    ]


def test_a_destination_that_refused_has_a_pool_of_its_own() -> None:
    known = declared(fields())
    state, draw = State(), drawer(known, set(), in_order())
    rotate.settle(state, known, NOW, draw)
    rotate.refuse(state, known.rules[0], THERE, address(2), NOW, draw, why="429", uses=20)
    lines = rules.ruleset(known, state, NOW).chains["from6_forge"]
    assert len(lines) == 2
    assert lines[0].startswith(f"ip6 daddr {{ {THERE} }} goto pool_")
    pools = rules.ruleset(known, state, NOW).chains
    special, common = (pools[line.rpartition(" ")[2]][-2] for line in lines)
    assert address(2) not in special
    assert address(2) in common


def test_a_ceiling_is_kept_by_the_host_and_never_exceeded_in_an_hour() -> None:
    text = made(
        rule(names=["a.example"], networks=["2001:db8:99::/48"], ceiling=600),
        state=named(a_example=[THERE, "198.51.100.7"]),
    )
    (limit,) = [body for kind, body in text.objects.values() if kind == "limit"]
    assert limit == "rate over 300/hour burst 300 packets"
    gate = text.chains["gate6_forge"]
    assert gate[0].startswith(f'ip6 daddr {{ {THERE} }} limit name "ceiling_')
    assert "limit rate over 300/hour burst 300 packets } goto over6" in gate[1]
    counted = gate[1].partition("update @")[2].partition(" ")[0]
    assert gate[2].endswith(f"ip6 saddr . ip6 daddr != @{counted} goto over6"), "what cannot be counted is over it"
    assert text.chains["gate4_forge"][0].startswith('ip daddr { 198.51.100.7 } limit name "ceiling_')
    assert text.chains["over6"] == ["update @denied6 { ip6 saddr . ip6 daddr }", "goto instead"]


def test_a_destination_that_limits_the_prefix_is_slowed_or_waits() -> None:
    state = named(a_example=[THERE])
    some = rule(names=["a.example"])
    made(some, state=state)
    there = Destination(limits="prefix", per_hour=120, until=NOW + 600)
    state.pools["forge/all"].destinations["a.example"] = there
    text = made(some, state=state)
    assert [body for kind, body in text.objects.values() if kind == "limit"] == ["rate over 120/hour burst 2 packets"]
    there.pause = NOW + 60
    assert made(some, state=state).chains["gate6_forge"][0] == f"ip6 daddr {{ {THERE} }} goto over6"


def test_ipv4_is_refused_where_there_is_ipv6_too() -> None:
    state = named(dual_example=[THERE, "198.51.100.7"], old_example=["198.51.100.8"])
    text = made(rule(names=["dual.example", "old.example"], ipv4="refused"), state=state)
    assert text.chains["gate4_forge"][0] == "ip daddr { 198.51.100.7 } goto instead"
    assert "198.51.100.8 } goto" not in text.whole()


def test_a_user_is_told_by_a_number_that_does_not_leave_the_host() -> None:
    chains = made(rule("forge/ann", mark=1), rule("forge/all")).chains
    assert chains["from6_forge"][0].startswith("ip6 dscp 1 goto pool_")
    assert chains["bare"][1:] == [
        'oifname "eth0" ct original ip saddr { 10.0.5.20 } ip dscp set cs0',
        'oifname "eth0" ct original ip6 saddr { fd00:5::20 } ip6 dscp set cs0',
    ]


def test_one_transaction_takes_away_what_is_not_needed_and_keeps_what_counts() -> None:
    text = made(rule(ceiling=10))
    said = rules.instead(text, ["choose", "pool_old"], {"used": "set", "slow_old": "limit"})
    assert said.splitlines()[:4] == [
        "table inet eyas_egress",
        "flush table inet eyas_egress",
        "delete chain inet eyas_egress pool_old",
        "delete limit inet eyas_egress slow_old",
    ]


def test_networks_that_overlap_are_one() -> None:
    lines = made(rule(networks=["2001:db8::/33", "2001:db8:8000::/33", "2001:db8::7/128"])).chains["from6_forge"]
    assert lines[0].startswith("ip6 daddr { 2001:db8::/32 } goto")


def test_a_proxy_gets_tcp_and_nothing_goes_past_it() -> None:
    chains = made(
        rule("forge/not", via="default", networks=["198.51.100.0/24"]),
        rule("forge/tor", via="proxy", proxy={"kind": "socks5", "host": "10.0.5.9", "port": 9050, "local": 10780}),
        rule("forge/never"),
    ).chains
    assert chains["relay_forge"] == [
        "ip daddr { 198.51.100.0/24 } goto gate4_forge",
        "meta l4proto tcp dnat ip to 10.0.5.1:10780",
        "goto gate4_forge",
    ]
    leaves = 'fib daddr oifname "eth0"'
    assert chains["begin"][-4:] == [  # the proxy's first: whom it takes is not asked again
        f'iifname != "eth0" {leaves} ip6 saddr vmap {{ fd00:5::20 : jump gate6_forge }}',
        f'iifname != "eth0" ip6 saddr {{ fd00:5::20 }} {leaves} drop',
        f'iifname != "eth0" {leaves} ip saddr vmap {{ 10.0.5.20 : jump relay_forge }}',
        f'iifname != "eth0" ip saddr {{ 10.0.5.20 }} {leaves} drop',
    ]
    assert chains["gate4_forge"][:2] == ["ip daddr { 198.51.100.0/24 } accept", "goto instead"]
    assert chains["gate6_forge"][0] == "goto instead"


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("2001:db8:5:1:8a2b:1:c0de:ff", 0xC0DE00FF),
        ("2001:db8::5", 5),
        ("2001:db8::", 0),
        ("2001:db8:5:1:8a2b::", 0),
        ("2001:db8:5:1:8a2b:0:1:0", 0x10000),
    ],
)
def test_an_address_is_counted_by_its_last_four_bytes(text: str, mark: int) -> None:
    assert rules.mark_of(text) == mark == int(ipaddress.IPv6Address(text)) & 0xFFFFFFFF


def test_no_two_addresses_are_counted_as_one() -> None:
    """Those that are drawn differ in what they are counted by."""
    upper = 1 << 40
    numbers = iter([7, upper + 7, upper + 8, 2 * upper + 8, 9])
    draw = drawer(declared(fields()), set(), lambda: next(numbers))
    taken: set[str] = set()
    for _ in range(3):
        taken.add(draw(taken))
    assert sorted(map(rules.mark_of, taken)) == [7, 8, 9]
