"""Names, by the host's name server on the bridge."""

from __future__ import annotations

from tests.lab.network.rig import PUBLIC, Net

HERE, HERE6, OUTSIDE = "10.0.7.1", "fd00:7::1", "198.51.100.52"


def test_containers_sites_and_the_world_have_names(net: Net) -> None:
    net.lab.set_names({"far.example.net": "198.51.100.77", "shop.example.org": list(PUBLIC.values())})
    for server in (HERE, HERE6):
        assert net.ask("other", server, "data") == ["10.0.7.20"]
        assert net.ask("other", server, "data", "AAAA") == ["fd00:7::20"]
        assert net.ask("other", server, "www.example.org") == [PUBLIC[4]]
        assert net.ask("other", server, "www.example.org", "AAAA") == [PUBLIC[6]]
        assert net.ask("other", server, "far.example.net") == ["198.51.100.77"]
        assert net.ask("other", server, "nobody.example.net") == ["no such name"]
        assert net.ask("other", server, "nobody") == ["no such name"]
    assert net.ask("other", HERE, "10.0.7.20", "PTR") == ["data"]
    assert net.ask("other", HERE, "fd00:7::20", "PTR") == ["data"]
    assert net.succeed("other", "getent", "ahostsv4", "far.example.net").split()[0] == "198.51.100.77"
    assert net.succeed("other", "cat", "/etc/resolv.conf").split() == ["nameserver", HERE, "nameserver", HERE6]
    # the site is asked for by the public address, from everywhere, by its name
    assert net.reached("data", "http://www.example.org:82/") == ["twin sees fd00:7::20"]
    assert net.ask("internet", PUBLIC[4], "data") == ["nothing"]


def test_one_that_nobody_trusts_asks_the_world(net: Net) -> None:
    net.lab.set_names({"far.example.net": "198.51.100.77", "shop.example.org": list(PUBLIC.values())})
    assert net.ask("guest", HERE, "data") == ["refused"]
    assert net.ask("guest", HERE6, "data") == ["refused"]
    assert net.ask("guest", OUTSIDE, "far.example.net") == ["198.51.100.77"]
    assert OUTSIDE in net.succeed("guest", "cat", "/etc/resolv.conf")
    assert net.succeed("guest", "getent", "ahostsv4", "far.example.net").split()[0] == "198.51.100.77"
    net.fail("guest", "getent", "hosts", "data")
    assert net.succeed("guest", "getent", "hosts", "guest").split()[0] in ("10.0.7.50", "fd00:7::50")
    assert net.reached("guest", "http://shop.example.org:82/") == ["twin sees fd00:7::50"]


def test_a_new_name_is_there_without_a_restart(net: Net) -> None:
    show = ("systemctl", "show", "--property=MainPID,NRestarts", "eyas-names.service")
    before = net.host.succeed(*show)
    net.edit('aliases=["www.example.org"]', 'aliases=["www.example.org", "new.example.org"]')
    net.apply()
    assert net.ask("other", HERE, "new.example.org") == [PUBLIC[4]]
    net.put_back()
    net.apply()
    assert net.ask("other", HERE, "new.example.org") == ["no such name"]
    assert net.host.succeed(*show) == before
