"""How a container with rules for single users and services tells the host whose a connection is."""

from __future__ import annotations

from eyas import Container, Egress, Image, System
from eyas.model import merged
from eyas.model.egress_marks import FILE, NAME, marks, numbers

BASE = Image.debian(packages=["curl"], name="plain")
RULES = (
    Egress("anna", user="anna", via="default"),
    Egress("all", to=["example.org"], via="default"),
    Egress("build", unit="build@1.service", via="default"),
    Egress("again", unit="build@1.service", ports=[443], via="default"),
)


def test_a_container_without_such_rules_has_nothing_of_it() -> None:
    assert marks((RULES[1],)) is None
    plain = merged(Container("forge", "10.0.5.10", BASE, egress=[RULES[1]]))
    assert plain == merged(Container("forge", "10.0.5.10", BASE))


def test_nobody_is_everybody() -> None:
    assert Egress("all", user="", unit="") == Egress("all")


def test_each_user_and_service_has_a_number_in_the_order_of_the_definition() -> None:
    """All rules of one know its packets, which have one number: each rule counts for what the others leave."""
    assert numbers(RULES) == {"anna": 1, "build": 2, "again": 2}


def test_users_and_services_are_known_by_the_packet_filter_inside() -> None:
    system = merged(Container("forge", "10.0.5.10", BASE, egress=RULES))
    assert "nftables" in system.packages
    assert NAME in system.units
    text = system.files[FILE].content  # type: ignore[union-attr]
    assert isinstance(text, str)
    lines = text.splitlines()
    rules = [line.removeprefix("add rule inet eyas_egress whose ") for line in lines if line.startswith("add rule")]
    assert rules[:2] == ["meta nfproto ipv4 ip dscp set cs0", "meta nfproto ipv6 ip6 dscp set cs0"]
    assert rules[-2:] == [
        'meta skuid "anna" meta nfproto ipv4 ip dscp set 1',
        'meta skuid "anna" meta nfproto ipv6 ip6 dscp set 1',
    ]
    # One set and one number for a service, however many rules are about it; who is first has the last word.
    (made,) = [line for line in lines if line.startswith("add set")]
    name = made.split()[4]
    assert rules.count(f"socket cgroupv2 level 2 @{name} meta nfproto ipv6 ip6 dscp set 2") == 1
    told = [int(line.rpartition(" ")[2]) for line in rules[2:]]
    assert told == sorted(told, reverse=True)
    drop_in = system.files["/etc/systemd/system/build@1.service.d/50-eyas-egress.conf"]
    assert f"ExecStartPre=-+/etc/eyas/egress-unit add {name}\n" in drop_in.content  # type: ignore[union-attr]


def test_a_reload_keeps_what_services_have_put_into_the_sets() -> None:
    made = marks(RULES)
    assert isinstance(made, System)
    text = str(made.files[FILE].content)  # type: ignore[union-attr]
    assert "delete" not in text
    assert "flush table" not in text
    assert "flush set" not in text
