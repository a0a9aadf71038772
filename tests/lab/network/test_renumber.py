"""A container gets other addresses."""

from __future__ import annotations

import time

from tests.lab.network.rig import PUBLIC, Net


def test_what_is_under_way_ends_well(net: Net) -> None:
    """Until it restarts it has the old ones, and who is being answered by them is answered."""
    urls = [f"http://{PUBLIC[4]}/?seconds=3", f"http://[{PUBLIC[6]}]/?seconds=3"]
    net.edit('served(\n    "shop", 10,', 'served(\n    "shop", 15,')
    with (
        net.background("internet", "curl", "-sS", "--max-time", "20", urls[0]) as four,
        net.background("internet", "curl", "-sS", "--max-time", "20", urls[1]) as six,
    ):
        time.sleep(0.5)  # they are being worked on
        said = net.apply()
        seen = [process.communicate(timeout=30)[0] for process in (four, six)]
    try:
        assert said.startswith("shop  restart ")
        assert seen == ["shop sees 198.51.100.10\n", "shop sees 2001:db8:ffff::10\n"]
        assert net.reached("internet", f"http://{PUBLIC[4]}/") == ["shop sees 198.51.100.10"]
        assert net.reached("shop", "http://10.0.7.20:8080/") == ["data sees 10.0.7.15"]
        # And nobody has the old address on the wire, once it does not need it any more.
        net.succeed("shop", "ip", "address", "add", "10.0.7.10/32", "dev", "host0")
        net.fail("host", "ping", "-c", "1", "-W", "1", "10.0.7.10")
        net.succeed("shop", "ip", "address", "del", "10.0.7.10/32", "dev", "host0")
    finally:
        net.put_back()
        net.apply()
    assert net.reached("internet", f"http://[{PUBLIC[6]}]/") == ["shop sees 2001:db8:ffff::10"]


def test_who_is_cut_off_is_told(net: Net) -> None:
    net.edit("uses=[data.port(8080)],", "uses=[data.port(8080)], drain=1,")
    net.edit('served(\n    "shop", 10,', 'served(\n    "shop", 15,')
    try:
        with net.background("internet", "curl", "-sS", "--max-time", "30", f"http://{PUBLIC[4]}/?seconds=20"):
            time.sleep(0.5)
            said = net.run("apply", "--yes")
        assert said.code == 0, said
        told = "shop: after 1 s, connections are cut in the middle of something: 198.51.100.10 to port 8080 (ESTAB)"
        assert told in said.err
    finally:
        net.put_back()
        net.apply()
