"""The ruleset is compared as text with what an administrator would expect to read; nft checks it in the lab."""

from eyas.render.firewall import Rule, Wires, host_part, ruleset
from eyas.render.policy import Policy

WIRES = Wires("eth0", "br0", ("203.0.113.112",), ("2001:db8:5:1::2",), "10.0.5.0/24", "fd00:5::/64")


def rule(port: int, proto: str = "tcp", to6: str | None = "fd00:5::10", reflect: bool = True) -> Rule:
    return Rule(proto, port, "10.0.5.10", to6, port, reflect, "web-front")


def test_forward_is_one_map_element_for_each_family() -> None:
    text = ruleset([rule(443)], WIRES)
    assert '443 comment "web-front" : 10.0.5.10 . 443' in text
    assert '443 comment "web-front" : fd00:5::10 . 443' in text
    assert text.count("dnat ip to tcp dport map @tcp4") == 2  # from outside and inside, and from the host itself


def test_forward_without_reflection_answers_the_uplink_only() -> None:
    text = ruleset([rule(222, reflect=False)], WIRES)
    assert 'iifname { "eth0", "eyas-hold" } ip daddr { 203.0.113.112 } dnat ip to tcp dport map @tcp4_outside' in text
    output = text.split("chain output")[1].split("chain")[0]
    assert "dnat" not in output


def test_no_forward_means_no_map_and_no_translation() -> None:
    text = ruleset([], WIRES)
    assert "map tcp" not in text
    assert "map udp" not in text
    assert "dnat ip" not in text
    assert 'oifname "eth0" ip saddr 10.0.5.0/24 masquerade' in text


def test_a_container_without_ipv6_gets_no_ipv6_forward() -> None:
    text = ruleset([rule(80, to6=None)], WIRES)
    assert "map tcp6" not in text


def test_order_of_definitions_does_not_matter() -> None:
    assert ruleset([rule(80), rule(443)], WIRES) == ruleset([rule(443), rule(80)], WIRES)


def test_host_part() -> None:
    assert host_part("10.0.5.50/24") == 50
    assert host_part("10.1.2.3/16") == 2 * 256 + 3


HOLD = """\
	chain wait {
		log group 5297
		drop
	}

	chain hold_outside {
		ip daddr { 203.0.113.112 } meta l4proto . th dport @held_forward goto wait
		ip6 daddr { 2001:db8:5:1::2 } meta l4proto . th dport @held_forward goto wait
	}

	chain hold_inside {
		ip daddr @held4 goto wait
		ip daddr . meta l4proto . th dport @held4_port goto wait
		ip6 daddr @held6 goto wait
		ip6 daddr . meta l4proto . th dport @held6_port goto wait
		ip saddr . meta l4proto . th dport @spared4 return
		ip6 saddr . meta l4proto . th dport @spared6 return
		ip daddr { 203.0.113.112 } meta l4proto . th dport @held_reflected goto wait
		ip6 daddr { 2001:db8:5:1::2 } meta l4proto . th dport @held_reflected goto wait
	}

	chain hold_here {
		ip daddr { 203.0.113.112 } meta l4proto . th dport @held_reflected goto wait
		ip6 daddr { 2001:db8:5:1::2 } meta l4proto . th dport @held_reflected goto wait
	}

	chain hold_prerouting {
		type filter hook prerouting priority mangle; policy accept;
		tcp flags & (fin | syn | rst | ack) == syn iifname "eth0" goto hold_outside
		tcp flags & (fin | syn | rst | ack) == syn goto hold_inside
		meta l4proto udp ct state new iifname "eth0" goto hold_outside
		meta l4proto udp ct state new goto hold_inside
	}

	chain hold_output {
		type filter hook output priority mangle; policy accept;
		tcp flags & (fin | syn | rst | ack) == syn goto hold_here
	}

	chain prerouting {
"""


def test_what_is_held_waits_before_any_translation() -> None:
    text = ruleset([], WIRES)
    assert HOLD in text
    for name in ("held4", "held6_port", "held_forward", "spared6"):
        assert f"\tset {name} {{" in text


def test_only_a_container_that_asks_for_itself_is_masqueraded() -> None:
    text = ruleset([rule(80), rule(443)], WIRES)
    assert "elements = { 10.0.5.10 . 10.0.5.10 }" in text
    assert 'oifname "br0" ip saddr . ip daddr @itself4 ct status dnat masquerade' in text
    assert "@itself" not in ruleset([rule(22, reflect=False)], WIRES)


def test_resets_are_counted_where_there_are_pools_and_nowhere_else() -> None:
    text = ruleset([], WIRES, (), Policy(pools="2001:db8:5:1:8000::/65"))
    forward = text.partition("chain forward {")[2].partition("}")[0].splitlines()
    assert [line.strip() for line in forward[2:5]] == [
        "ct state established tcp flags & rst == 0 accept",
        "jump ends",
        "ct state established,related accept",
    ]
    assert "set egress_resets {" in text
    without = ruleset([], WIRES)
    assert "egress" not in without
    assert "rst ==" not in without.partition("chain forward {")[2]
