"""Connections that leave by a proxy, of which the programs that make them know nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eyas.lab.upstream import Upstream
from tests.lab.egress.rig import DUAL, FOUR, PUBLIC, SIX, Egress

SOCKS = Path(__file__).with_name("socks.py").read_text()
LISTEN, LEAVE, PORT = "198.51.100.11", "198.51.100.12", 1080
PLAIN = 'bystander = ours("bystander", 30)'
PROXIED = (
    'bystander = ours("bystander", 30, '
    f'Egress("far", to=["{FOUR}", "{SIX}", "{DUAL}"], via="socks5://{LISTEN}:{PORT}"))'
)
FILE = "/files/a?size=9"


def test_tcp_goes_by_the_proxy_and_nothing_past_it(out: Egress, up: Upstream) -> None:
    argv = (sys.executable, "-c", SOCKS, LISTEN, str(PORT), LEAVE)
    with out.background("internet", *argv) as proxy:
        assert proxy.stdout is not None
        assert proxy.stdout.readline() == "ready\n"
        before = out.invocations()
        out.edit(PLAIN, PROXIED)
        assert "egress bystander/far: by the proxy 198.51.100.11 port 1080" in out.eyas("plan")
        out.apply()
        assert out.invocations() == before
        out.wait_names()
        out.many("bystander", up.url(FILE, FOUR), 10)
        out.many("bystander", up.url(FILE, DUAL), 10)  # IPv6 is refused, and IPv4 taken
        assert up.counts(FOUR) == up.counts(DUAL) == {LEAVE: 10}
        refused = out.fail("bystander", "curl", "-sS", "--max-time", "5", up.url(FILE, SIX))
        assert "Could not connect" in refused or "Failed to connect" in refused
        assert up.counts(SIX) == {}
        out.many("shop", up.url(FILE, FOUR), 5)  # others go as ever
        assert up.counts(FOUR) == {LEAVE: 10, PUBLIC[4]: 5}
        # Nobody but those that rules lead there speaks to the program in between.
        out.refused("shop", "http://10.0.8.1:10780/")
        proxy.terminate()
    # Without the proxy nothing leaves, rather than by another way.
    out.fail("bystander", "curl", "-sS", "--max-time", "5", up.url(FILE, FOUR))
    assert up.counts(FOUR) == {LEAVE: 10, PUBLIC[4]: 5}
    out.undo_edits()
    out.many("bystander", up.url(FILE, FOUR), 5)
    assert up.counts(FOUR) == {LEAVE: 10, PUBLIC[4]: 10}
    assert out.host.execute("systemctl", "is-active", "redsocks.service").text == "inactive"
    assert "relay" not in out.rules()


@pytest.mark.parametrize(("scheme", "port"), [("socks5", 1080), ("http", 3128)])
def test_a_container_is_the_proxy_of_another(out: Egress, up: Upstream, scheme: str, port: int) -> None:
    shop = "10.0.8.20"
    argv = ("timeout", "120", "python3", "-c", SOCKS, shop, str(port), shop)
    with out.background("shop", *argv) as proxy:
        assert proxy.stdout is not None
        assert proxy.stdout.readline() == "ready\n"
        out.edit(PLAIN, PROXIED.replace(f"socks5://{LISTEN}:{PORT}", f"{scheme}://shop:{port}"))
        out.apply()
        out.wait_names()
        assert len(out.many("bystander", up.url(FILE, FOUR), 3)) == 3
        assert up.counts(FOUR) == {PUBLIC[4]: 3}
        assert proxy.stdout.readline() == f"{up.addresses[FOUR][0]} 80\n"
        out.undo_edits()
