"""Containers on the wire: reached by the host's ports from everywhere, reaching out, knowing each other by name."""

from __future__ import annotations

import pytest

from tests.lab.containers.cells import CLIENT, GATEWAY, INSIDE, PUBLIC, Cells, bracket

FAMILIES = pytest.mark.parametrize("family", [4, 6])
SEES = {
    "internet": lambda family: CLIENT[family],
    "host": lambda family: PUBLIC[family],
    "beta": lambda family: INSIDE["beta"][family],
    "alpha": lambda family: GATEWAY[family],
}
"""Whom a server behind a forward sees, by where the client is: clients keep their address, but for one
that asks for itself: it would refuse its own."""


@FAMILIES
@pytest.mark.parametrize("place", SEES)
def test_forwards_are_reached_by_the_public_address_from_everywhere(cells: Cells, place: str, family: int) -> None:
    public, sees = PUBLIC[family], SEES[place](family)
    for port in (8080, 9080):  # the second leads to another port in the container
        assert cells.get(place, f"http://{bracket(public)}:{port}/") == f"alpha sees {sees}"
    for port in (5300, 5353):
        if place == "host":
            assert cells.ask(place, public, port, "ho").endswith("saying ho")
        else:
            assert cells.ask(place, public, port, "ho") == f"alpha sees {sees} saying ho"


@FAMILIES
def test_a_forward_without_reflection_is_for_the_outside_only(cells: Cells, family: int) -> None:
    url = f"http://{bracket(PUBLIC[family])}:7080/"
    assert cells.get("internet", url) == f"alpha sees {CLIENT[family]}"
    for place in ("host", "beta"):
        cells.refused(place, url)


@FAMILIES
def test_what_is_not_forwarded_is_not_reached_from_outside(cells: Cells, family: int) -> None:
    cells.refused("internet", f"http://{bracket(PUBLIC[family])}:8082/")
    inside = {4: "10.0.7.10", 6: "fd00:7::10"}[family]
    network = {4: "10.0.7.0/24", 6: "fd00:7::/64"}[family]
    cells.internet.succeed("ip", f"-{family}", "route", "add", network, "via", PUBLIC[family])
    try:
        cells.refused("internet", f"http://{bracket(inside)}:8080/")
    finally:
        cells.internet.succeed("ip", f"-{family}", "route", "del", network)


SERVER = """
import http.server, socket
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].removeprefix("::ffff:").encode())
class Server(http.server.HTTPServer):
    address_family = socket.AF_INET6
server = Server(("::", 8888), Page)
print("ready", flush=True)
server.serve_forever()
"""


def test_containers_reach_the_world_by_the_hosts_address(cells: Cells) -> None:
    with cells.background("internet", "python3", "-c", SERVER) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        for name in ("alpha", "dock"):
            for family in (4, 6):
                assert cells.get(name, f"http://{bracket(CLIENT[family])}:8888/") == PUBLIC[family]


def test_a_changed_forward_leaves_connections_and_foreign_tables_alone(cells: Cells) -> None:
    host = cells.host
    rules = "table inet admin { set seen { type ipv4_addr; elements = { 192.0.2.7 }; }; }"
    host.succeed("nft", "-f", "-", input=rules)
    containers = {name: cells.invocation(name) for name in ("alpha", "beta")}
    talk = "exec 3<>/dev/tcp/$0/8081; while read -r line; do echo $line >&3; read -r answer <&3; echo $answer; done"
    with (
        cells.background("internet", "bash", "-c", talk, PUBLIC[4]) as four,
        cells.background("internet", "bash", "-c", talk, PUBLIC[6]) as six,
    ):

        def say(word: str) -> None:
            for family, client in ((4, four), (6, six)):
                assert client.stdin is not None
                assert client.stdout is not None
                client.stdin.write(f"{word}\n")
                client.stdin.flush()
                assert client.stdout.readline() == f"alpha sees {CLIENT[family]} saying {word}\n"

        say("before")
        cells.edit("Forward(8080), ", "Forward(8080), Forward(8085, to=8080), ")
        assert "untouched" in cells.apply()
        say("between")
        assert cells.internet.get(f"http://{PUBLIC[4]}:8085/") == f"alpha sees {CLIENT[4]}"
        cells.undo_edits()
        say("after")
    cells.refused("internet", f"http://{PUBLIC[4]}:8085/")
    assert "192.0.2.7" in host.succeed("nft", "list", "table", "inet", "admin")
    host.succeed("nft", "delete", "table", "inet", "admin")
    assert {name: cells.invocation(name) for name in containers} == containers


GAMMA = """
gamma = Container(
    "gamma", "10.0.7.60", base, parts=[ssh(), team(people), answers, System(clients=[Client("alpha", 8080)])],
    binds=[Bind("/srv/gamma", persistent=True)],
)
fleet = Fleet("""


def test_containers_know_each_other_by_name_also_those_that_come_later(cells: Cells) -> None:
    """A container is added, found, removed; the others run on, its data and its journal stay."""
    for name, address in (("beta", "10.0.7.20"), ("dock", "10.0.7.30"), ("cells", "10.0.7.1")):
        assert cells.succeed("alpha", "getent", "ahostsv4", name).split()[0] == address
    assert cells.get("beta", "http://alpha:8080/").startswith("alpha sees ")
    cells.fail("alpha", "getent", "hosts", "gamma")
    before = cells.invocation("alpha")
    cells.edit("\nfleet = Fleet(", GAMMA)
    cells.edit("containers=[alpha, ", "containers=[gamma, alpha, ")
    cells.apply()
    assert cells.get("alpha", "http://gamma:8080/").startswith("gamma sees ")
    cells.succeed("gamma", "sh", "-c", "echo kept > /srv/gamma/data; logger -t tale once upon a time")
    plan = cells.directory / "fleet.py"
    plan.write_text(plan.read_text().replace("containers=[gamma, ", "containers=["))
    cells.apply()
    cells.fail("alpha", "getent", "hosts", "gamma")
    assert cells.invocation("alpha") == before
    assert cells.traces("gamma") == []
    assert cells.host.succeed("cat", "/srv/gamma/data") == "kept"
    assert "once upon a time" in cells.eyas("logs", "gamma", "--lines", "500")
    assert "cannot find a container called 'delta'" in cells.run("logs", "delta").err


def test_people_log_in_through_a_forward_and_know_the_host_key_again(cells: Cells) -> None:
    """OpenSSH, from the internet, with a key; after a restart the host key is the same one."""
    known = cells.directory / "known_hosts"
    options = [f"-i{cells.directory}/kim", f"-oUserKnownHostsFile={known}", "-oBatchMode=yes", "-p2222"]

    def log_in(family: int, checking: str, *command: str) -> str:
        argv = ("ssh", *options, f"-oStrictHostKeyChecking={checking}", f"kim@{PUBLIC[family]}", *command)
        return cells.internet.succeed(*argv, timeout=60)

    assert log_in(4, "accept-new", "hostname; id -u; echo $SSH_CLIENT").splitlines()[:2] == ["alpha", "1001"]
    assert log_in(6, "accept-new", "echo $SSH_CLIENT").split()[0] == CLIENT[6]
    assert log_in(4, "yes", "sudo id -u") == "0"
    cells.switch("restart", "alpha")
    assert log_in(4, "yes", "hostname") == "alpha"
    assert log_in(6, "yes", "hostname") == "alpha"
