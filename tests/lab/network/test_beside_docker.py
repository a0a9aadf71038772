"""Docker on the same host: its tables as its daemon makes them by iptables-nft, before ours are loaded and after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.network.rig import CLIENT, PUBLIC, Net

LINKS = """
ip netns add docked
ip link add docker0 type bridge
ip addr add 172.17.0.1/16 dev docker0
ip link set docker0 up
ip link add veth7 type veth peer name eth0 netns docked
ip link set veth7 master docker0 up
ip -n docked link set lo up
ip -n docked addr add 172.17.0.2/16 dev eth0
ip -n docked link set eth0 up
ip -n docked route add default via 172.17.0.1
"""
# What dockerd 26 sets for its bridge and one published port (-p 8090:80), where forwarding was switched on before it.
RULES = """
*nat
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp --dport 8090 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:DOCKER -
:DOCKER-USER -
:DOCKER-ISOLATION-STAGE-1 -
:DOCKER-ISOLATION-STAGE-2 -
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
"""
PAGE = """
import http.server as h
class Page(h.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"docked sees {self.client_address[0]}".encode())
server = h.HTTPServer(("", 80), Page)
print("ready", flush=True)
server.serve_forever()
"""
TABLES = (("ip", "nat"), ("ip", "filter"))


def foreign(net: Net) -> list[str]:
    return [net.host.succeed("nft", "list", "table", *table) for table in TABLES]


def begin(net: Net) -> None:
    net.host.succeed("iptables-nft-restore", "--noflush", input=RULES)


@pytest.fixture
def docked(nets: Net) -> Iterator[Net]:
    nets.undo_edits()
    nets.host.succeed("sh", "-ec", LINKS)
    try:
        with nets.background("host", "ip", "netns", "exec", "docked", "python3", "-c", PAGE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield nets
    finally:
        nets.host.succeed("sh", "-c", "ip link del veth7; ip link del docker0; ip netns del docked; true")
        for table in TABLES:
            nets.host.execute("nft", "delete", "table", *table)


@pytest.mark.parametrize("order", ["docker, eyas", "eyas, docker"])
def test_both_work(docked: Net, order: str) -> None:
    begin(docked)
    if order == "docker, eyas":
        before = foreign(docked)
        docked.host.succeed("systemctl", "restart", "eyas-firewall.service")
        docked.edit('served("data", 20)', 'served("data", 20, Forward(84, to=8080))')
        docked.apply()
        assert foreign(docked) == before
    assert docked.plan()["changes"] == []
    assert docked.scan(4)[:2] == [80, 82]
    assert 8090 in docked.scan(4)
    url = f"http://{PUBLIC[4]}:8090/"
    assert docked.reached("internet", url, f"http://{PUBLIC[4]}/") == [
        f"docked sees {CLIENT[4]}",
        f"shop sees {CLIENT[4]}",
    ]
    inside = ("ip", "netns", "exec", "docked", "curl", "-sS", "--max-time", "3")
    assert (
        docked.host.succeed(*inside, f"http://{PUBLIC[4]}/") == "shop sees 10.0.7.1"
    )  # by a forward; Docker gives it the host's address
    assert docked.host.execute(*inside, "http://10.0.7.20:8080/").code == 7  # no other way in
    assert docked.reached("shop", url, "http://10.0.7.20:8080/") == ["docked sees 10.0.7.10", "data sees 10.0.7.10"]
    assert docked.reached("guest", "http://172.17.0.2/", "http://10.0.7.20:8080/") == ["refused", "refused"]
