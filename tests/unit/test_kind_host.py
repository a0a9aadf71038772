"""The kinds of a host's own things: their words, and what they read."""

from __future__ import annotations

from typing import Any

from eyas.core.words import Action, Change, Impact, Reason, Resource
from eyas.kind import KINDS
from eyas.kind.firewall import file_text
from eyas.kind.names import changed_names
from eyas.kind.network import link_of
from eyas.kind.rights import changed, forwards
from eyas.kind.unit import install_links
from tests.world import World

RULES = """table inet eyas {
\tmap tcp4 {
\t\ttype inet_service : ipv4_addr . inet_service
\t\telements = { 80 comment "web" : 10.0.5.10 . 80,
\t\t\t     443 comment "web" : 10.0.5.10 . 443 }
\t}

\tmap udp6_outside {
\t\ttype inet_service : ipv6_addr . inet_service
\t\telements = { 443 comment "web" : fd00:5::10 . 443 }
\t}
}
"""


def host(id_: str, **fields: Any) -> Resource:
    return Resource(id_, id_.split(":")[0], "host", fields)


def notes(want: Resource | None, have: Resource | None) -> list[str]:
    some = want or have
    assert some is not None
    return [f"{change.field}: {change.note}" for change in KINDS[some.kind].compare(want, have)]


def test_forwards_are_read_from_the_rules() -> None:
    assert forwards(RULES) == {
        ("80", "tcp"): {("web", "10.0.5.10", "80")},
        ("443", "tcp"): {("web", "10.0.5.10", "443")},
        ("443", "udp"): {("web", "fd00:5::10", "443")},
    }


def test_a_firewall_says_which_forward_changed() -> None:
    assert changed(RULES, RULES.replace("80 comment", "81 comment")) == [
        "forward 80/tcp to web removed",
        "forward 81/tcp to web added",
    ]
    assert changed(RULES, RULES.replace("10.0.5.10 . 80", "10.0.5.11 . 80")) == [
        "forward 80/tcp to web follows a new address or port"
    ]
    assert changed(RULES, RULES + "# other\n") == ["rules changed"]


def test_the_firewall_file_replaces_in_one_transaction() -> None:
    lines = [
        line for line in file_text(World().files, "table inet eyas { }\n").splitlines() if not line.startswith("#")
    ]
    assert lines == [
        *(f"{verb}table {family} eyas" for family in ("inet", "bridge") for verb in ("", "delete ")),
        "table inet eyas { }",
    ]
    assert "flush ruleset" not in file_text(World().files, "")


def test_drift_of_the_firewall_is_a_difference_of_its_own() -> None:
    want = host("firewall:eyas", ruleset=RULES)
    assert notes(want, host("firewall:eyas", ruleset=RULES)) == []
    edited = host("firewall:eyas", ruleset=RULES, drift="rules changed by hand")
    assert notes(want, edited) == ["drift: rules changed by hand"]


def test_what_was_changed_by_hand_is_told_from_what_was_declared() -> None:
    want = host("file:/etc/motd", content="new", mode=0o644, owner="root", group="root")
    have = host("file:/etc/motd", content="old", mode=0o600, owner="root", group="root")
    assert notes(want, have) == ["content: /etc/motd changed", "mode: /etc/motd mode 0600 -> 0644"]
    edited = Resource(have.id, have.kind, have.owner, {**have.fields, "mode": 0o644, "edited": True})
    assert notes(want, edited) == ["content_drift: /etc/motd was changed by hand"]


def test_kernel_settings_are_compared_as_the_kernel_writes_them() -> None:
    want = host("sysctl:net.ipv4.ip_local_port_range", value="1024  60999")
    assert notes(want, host("sysctl:net.ipv4.ip_local_port_range", value="1024 60999")) == []
    have = host("sysctl:net.ipv4.ip_local_port_range", value="1 2", file="1024 60999")
    assert notes(want, have)[0].startswith("drift: ")


def test_unit_links_come_from_its_install_section() -> None:
    text = "[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=a.target b.target\nAlias=other.service\n"
    assert install_links("x.service", text) == [
        "/etc/systemd/system/a.target.wants/x.service",
        "/etc/systemd/system/b.target.wants/x.service",
        "/etc/systemd/system/other.service",
    ]
    assert install_links("x.service", "[Service]\n") == []


def test_a_unit_that_runs_is_restarted_and_says_so() -> None:
    want = host("unit:a.service", content="new", enabled=True, running=True)
    have = host("unit:a.service", content="old", enabled=True, running=True)
    (change,) = KINDS["unit"].compare(want, have)
    assert (change.impact, change.unit) == (Impact.restart_unit, "a.service")
    stopped = host("unit:a.service", content="new", enabled=True, running=False)
    assert notes(want, stopped) == ["running_drift: a.service does not run"]


def test_a_unit_without_install_section_is_never_enabled() -> None:
    want = host("unit:a.service", content="[Service]\n", enabled=True, running=False)
    have = host("unit:a.service", content="[Service]\n", enabled=False, running=False)
    assert notes(want, have) == []


def test_names_say_who_came_and_went() -> None:
    old = "10.0.5.10\tweb\n10.0.5.20\tdb\n"
    assert changed_names(old, "10.0.5.11\tweb\n10.0.5.30\tcache\n") == "names: web renumbered, cache added, db removed"


def test_a_bridge_is_known_by_its_file() -> None:
    assert link_of("[NetDev]\nName=br0\nKind=bridge\n") == "br0"
    assert link_of("[Match]\nName=br0\n") == ""


def test_keys_are_named_by_their_comments() -> None:
    old = host("user:a", uid=1, gid=1, home="/h", shell="/s", gecos="", groups=[], keys=["ssh-ed25519 AAA ann@x"])
    new = Resource(old.id, old.kind, old.owner, {**old.fields, "keys": ["ssh-ed25519 BBB bob@y"]})
    assert notes(new, old) == ["keys: SSH key bob@y added, SSH key ann@x removed"]


def test_every_kind_can_plan_that_a_thing_comes_and_goes() -> None:
    things = [
        host("tree:c", commit="c"),
        host("layer:d", container="web", digest="d", entries=[]),
        host("directory:/data", owner=0, group=0, mode=0o755),
        host("identity:web"),
        host("file:/etc/x", content="", mode=0o644, owner="root", group="root"),
        host("unit:a.service", content="", enabled=True, running=True),
        host("sysctl:a.b", value="1"),
        host("user:a", uid=1, gid=1, home="/h", shell="/s", gecos="", groups=[], keys=[]),
        host("package:less"),
        host("network:50-eyas-br0.netdev", content="[NetDev]\nName=br0\n"),
        host("names:hosts", content=""),
        host("firewall:eyas", ruleset=""),
    ]
    for thing in things:
        kind = KINDS[thing.kind]
        for want, have, action in ((thing, None, Action.create), (None, thing, Action.delete)):
            change = Change(thing.id, thing.kind, "host", action, Impact.live, Reason.declared)
            assert kind.compare(want, have), thing.id
            for step in kind.steps(change, want, have):
                assert step.verb in KINDS[step.kind].verbs, step
            assert kind.compare(thing, thing) == []
