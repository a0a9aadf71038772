"""Holding, without a kernel: what a door is in the packet filter, packets as they come, sockets as they are told."""

import json
import socket
import struct
import subprocess

import pytest

from eyas.core.system import Door
from eyas.host import conntrack, held, neighbours, netlink
from eyas.host.connections import busy_in, open_ports
from eyas.host.diag import Socket, read
from eyas.host.firewall import listing_digest
from eyas.host.handover import MOST, Handover, pieces
from eyas.host.netlink import attribute, message
from eyas.host.nflog import payloads
from eyas.host.packet import Flow, checksum, flow, whole
from eyas.host.tun import settings
from eyas.render.firewall import Rule, Wires, ruleset

WIRES = Wires("eth0", "br0", ("203.0.113.112",), ("2001:db8:5:1::2",), "10.0.5.0/24", "fd00:5::/64")
RULES = ruleset(
    [
        Rule("tcp", 443, "10.0.5.10", "fd00:5::10", 443, True, "front"),
        Rule("udp", 443, "10.0.5.10", "fd00:5::10", 443, True, "front"),
        Rule("tcp", 222, "10.0.5.10", "fd00:5::10", 22, False, "front"),
        Rule("tcp", 5432, "10.0.5.20", None, 5432, True, "postgres"),
    ],
    WIRES,
)
FRONT = Door("front", ("10.0.5.10", "fd00:5::10"))


def syn(source: str, port: int, target: str, to: int, options: bytes = b"") -> bytes:
    """A first packet, without checksums, as one that has not left this machine."""
    tcp = struct.pack("!HHIIBBHHH", port, to, 7, 0, (20 + len(options)) << 2, 2, 65535, 0, 0) + options
    if ":" in target:
        import ipaddress

        ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
        return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + ends + tcp
    ends = b"".join(bytes(int(part) for part in address.split(".")) for address in (source, target))
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + ends + tcp


def test_a_door_is_its_addresses_and_the_forwards_to_it() -> None:
    assert held.hold(FRONT, RULES).elements == {
        ("held4", "10.0.5.10"),
        ("held6", "fd00:5::10"),
        ("held_forward", "tcp . 443"),
        ("held_forward", "udp . 443"),
        ("held_forward", "tcp . 222"),
        ("held_reflected", "tcp . 443"),
        ("held_reflected", "udp . 443"),
        ("spared4", "10.0.5.10 . tcp . 443"),
        ("spared4", "10.0.5.10 . udp . 443"),
        ("spared6", "fd00:5::10 . tcp . 443"),
        ("spared6", "fd00:5::10 . udp . 443"),
    }


def test_a_door_of_some_ports_is_less() -> None:
    ssh = Door("front", ("10.0.5.10", "fd00:5::10"), (("tcp", 22),))
    assert held.hold(ssh, RULES).elements == {
        ("held4_port", "10.0.5.10 . tcp . 22"),
        ("held6_port", "fd00:5::10 . tcp . 22"),
        ("held_forward", "tcp . 222"),
    }


def test_a_door_is_found_where_the_rule_set_names_who_is_current() -> None:
    """Addresses of containers with two generations are variables."""
    found = held.forwards(RULES.replace(": 10.0.5.10 .", ": $now4_front ."), "front")
    assert held.Forwarded("tcp", 222, 22, reflected=False) in found
    assert len(found) == 3


def test_a_transaction_sets_the_time_anew() -> None:
    assert held.put({("held4", "10.0.5.10"): 30.5}).splitlines() == [
        "add element inet eyas held4 { 10.0.5.10 timeout 1000ms }",
        "delete element inet eyas held4 { 10.0.5.10 }",
        "add element inet eyas held4 { 10.0.5.10 timeout 30500ms }",
    ]
    assert held.drop([("held4", "10.0.5.10")]).splitlines()[1:] == ["delete element inet eyas held4 { 10.0.5.10 }"]


LISTING = """{"nftables": [{"metainfo": {"version": "1"}}, {"table": {"family": "inet", "name": "eyas", "handle": 1}},
{"set": {"family": "inet", "name": "held4", "table": "eyas", "type": "ipv4_addr", "handle": 4, "flags": ["timeout"]%s}},
{"set": {"family": "inet", "name": "held4_port", "table": "eyas", "handle": 5, "flags": ["timeout"]%s}}]}"""
ELEMENTS = (
    ', "elem": [{"elem": {"val": "10.0.5.10", "timeout": 30, "expires": 29}}]',
    ', "elem": [{"elem": {"val": {"concat": ["10.0.5.20", "tcp", 80]}, "timeout": 30, "expires": 5}}]',
)


def test_what_is_held_is_no_drift_and_is_carried_over() -> None:
    held_, free = LISTING % ELEMENTS, LISTING % ("", "")
    assert listing_digest(held_) == listing_digest(free)
    assert held.carried(free, RULES) == ""
    assert held.carried(held_, RULES).splitlines() == [
        "add element inet eyas held4 { 10.0.5.10 timeout 30000ms }",
        "add element inet eyas held4_port { 10.0.5.20 . tcp . 80 timeout 6000ms }",
    ]
    assert held.carried(held_, "table inet eyas {\n}\n") == ""


def test_packets_find_their_door() -> None:
    front, postgres = held.hold(FRONT, RULES), held.hold(Door("postgres", ("10.0.5.20",)), RULES)
    world = Flow("tcp", "198.51.100.1", 5000, "203.0.113.112", 443)
    assert front.takes(world, [postgres])
    assert not postgres.takes(world, [front])
    # a neighbour at the same port is somebody else
    neighbour = Flow("tcp", "10.0.5.30", 5000, "10.0.5.20", 443)
    assert not front.takes(neighbour, [postgres])
    assert postgres.takes(neighbour, [front])
    assert not front.takes(Flow("udp", "198.51.100.1", 5000, "203.0.113.112", 222), [])
    # held by another door as well: it is not its time yet
    web = held.hold(Door("front", FRONT.addresses, (("tcp", 443),)), RULES)
    assert not web.takes(world, [front])


def test_packets_are_understood_and_made_whole() -> None:
    options = bytes.fromhex("020405b40402080a0000000100000000")
    for source, target in (("198.51.100.1", "203.0.113.112"), ("2001:db8::1", "2001:db8:5:1::2")):
        packet = syn(source, 5000, target, 443, options)
        assert flow(packet) == Flow("tcp", source, 5000, target, 443)
        made = whole(packet)
        six = ":" in target
        at = 40 if six else 20
        pseudo = (made[8:40] if six else made[12:20]) + struct.pack("!II", len(made) - at, 6)
        assert checksum(pseudo + made[at:]) == 0  # as its receiver looks at it
        assert six or checksum(made[:20]) == 0
        assert whole(made) == made
    assert flow(b"") is None
    assert flow(packet[:50]) is None
    assert flow(syn("10.0.0.1", 1, "10.0.0.2", 2)[:6] + b"\x20\x00" + syn("10.0.0.1", 1, "10.0.0.2", 2)[8:]) is None


def test_checksum_of_the_rfc() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D  # RFC 1071, section 3


def logged(attributes: bytes) -> bytes:
    return message(4 << 8, 0, struct.pack("!BBH", 0, 0, 5297) + attributes)


def test_logged_packets_are_read() -> None:
    first, second = syn("10.0.5.30", 5000, "10.0.5.10", 80), syn("10.0.5.30", 5001, "10.0.5.10", 80, b"\1" * 3 + b"\0")
    data = logged(attribute(1, b"\x08\0\1\0") + attribute(9, first))
    data += logged(attribute(9, second))
    data += logged(attribute(9, first[:30]))  # longer than what is told
    data += struct.pack("=IHHII", 20, 3, 0, 0, 0) + bytes(4)  # done
    assert list(payloads(data)) == [first, second]
    assert list(payloads(data[:70])) == []


def test_what_is_kept_is_bounded_and_goes_in_pieces() -> None:
    class Told:
        def packets(self) -> list[bytes]:
            return [syn("10.0.5.30", n % 60000, "10.0.5.10", 80 + n // 60000) for n in range(MOST + 100)] * 2

    handover = Handover()
    handover._listener = Told()  # type: ignore[assignment]
    packets = handover.take(lambda _flow: True)
    assert len(packets) == MOST
    assert handover.take(lambda _flow: False) == []
    parts = list(pieces(packets))
    assert len(parts[0]) == 1
    assert len(parts) < 50
    assert b"".join(b"".join(part) for part in parts) == b"".join(packets)


def test_those_who_waited_for_long_come_in_one_after_the_other() -> None:
    packets = [bytes([number]) for number in range(200)]
    parts = list(pieces(packets, 0.5))
    assert len(parts) > 90
    assert b"".join(b"".join(part) for part in parts) == b"".join(packets)
    few = list(pieces(packets[:3], 0.012))
    assert [len(part) for part in few] == [1, 1, 1]


def test_the_link_takes_packets_of_anybody() -> None:
    assert ("ipv4/conf/{}/rp_filter", "0") in settings("0")
    assert ("ipv4/conf/{}/rp_filter", "2") in settings("1")


def told(state: str, here: str, port: int, there: str = "", **more: int) -> Socket:
    return Socket(state, here, port, there, **more)


ANSWERED = {"sent": 90, "received": 80, "last_sent": 5000, "last_received": 5000}
SOCKETS = [
    told("LISTEN", "0.0.0.0", 8080, "0.0.0.0", unsent=128),
    told("LISTEN", "::", 22, "::", unsent=128),
    told("ESTAB", "10.0.5.10", 8080, "198.51.100.1", **ANSWERED),
    told("ESTAB", "10.0.5.10", 8080, "198.51.100.2", **(ANSWERED | {"last_sent": 9000})),
    told("ESTAB", "10.0.5.10", 8080, "198.51.100.3", received=80, last_sent=5000, last_received=5000),
    told("ESTAB", "10.0.5.10", 8080, "198.51.100.4", **(ANSWERED | {"last_sent": 0})),
    told("ESTAB", "10.0.5.10", 8080, "198.51.100.5", unsent=9, **ANSWERED),
    told("ESTAB", "10.0.5.10", 22, "10.0.5.1", **(ANSWERED | {"last_sent": 500, "last_received": 500})),
    told("SYN-RECV", "fd00:5::10", 22, "fd00:5::20"),
    told("SYN-RECV", "fd00:5::10", 22, "fd00:5::21", tries=2),
    told("ESTAB", "127.0.0.1", 8080, "127.0.0.1", unsent=5),
    told("LAST-ACK", "10.0.5.10", 8080, "198.51.100.6", unsent=1, sent=503, received=61, last_sent=9000),
    told("FIN-WAIT-1", "10.0.5.10", 8080, "198.51.100.7", unsent=70, **ANSWERED),
    told("FIN-WAIT-1", "10.0.5.10", 8080, "198.51.100.8", unsent=70, tries=4, **ANSWERED),
    told("CLOSE-WAIT", "10.0.5.10", 8080, "198.51.100.10", unread=20, **ANSWERED),
    told("ESTAB", "10.0.5.10", 40000, "198.51.100.9", unsent=5, **(ANSWERED | {"last_received": 5})),
]


def test_connections_in_the_middle_of_something() -> None:
    """.2 and .3 wait for an answer; .4 was answered just now; .5 and .7 are being sent to; .10 has asked and will send
    no more; ::20 is at the door. .6 has all, only that it knows of the end was not heard; .8 is gone."""
    assert busy_in(SOCKETS, None) == (
        *(f"198.51.100.{number} to port 8080 (ESTAB)" for number in (2, 3, 4, 5)),
        "fd00:5::20 to port 22 (SYN-RECV)",
        "198.51.100.7 to port 8080 (FIN-WAIT-1)",
        "198.51.100.10 to port 8080 (CLOSE-WAIT)",
    )
    assert len(busy_in(SOCKETS, {8080})) == 6
    assert len(busy_in(SOCKETS, {22})) == 1
    assert len(busy_in(SOCKETS, {40000})) == 0
    assert len(busy_in([], None)) == 0


def test_listening_is_for_others() -> None:
    found = [
        ("tcp", told("LISTEN", "0.0.0.0", 8080)),
        ("tcp", told("LISTEN", "127.0.0.1", 8081)),
        ("udp", told("UNCONN", "::", 5300)),
        ("udp", told("UNCONN", "::", 54321)),
        ("udp", told("UNCONN", "::1", 53)),
    ]
    assert [(proto, socket.port) for proto, socket in open_ports(found)] == [("tcp", 8080), ("udp", 5300)]


def answer(family: int, state: int, here: str, port: int, *, info: bytes = b"") -> bytes:
    """A socket as the kernel tells it (linux/inet_diag.h)."""
    addresses = socket.inet_pton(family, here).ljust(16, b"\0") + bytes(16)
    body = struct.pack("=BBBB", family, state, 1, 2) + struct.pack("!HH", port, 4000) + addresses + bytes(12)
    body += struct.pack("=5I", 9, 3, 4, 0, 77)
    body += struct.pack("=HH", 5, 8) + b"\0" * 4  # an attribute that we do not know
    return body + struct.pack("=HH", 4 + len(info), 2) + info


def test_sockets_as_the_kernel_tells_them() -> None:
    info = struct.pack("=44xI4xI72xQ64xQ", 11, 22, 33, 44)
    row = read(answer(socket.AF_INET, 1, "10.0.5.10", 80, info=info))
    assert row == Socket("ESTAB", "10.0.5.10", 80, "0.0.0.0", 3, 4, 2, 44, 33, 11, 22, "77")
    mapped = read(answer(socket.AF_INET6, 10, "::ffff:10.0.5.10", 80, info=info[:60]))
    assert (mapped.state, mapped.here, mapped.sent, mapped.last_sent) == ("LISTEN", "10.0.5.10", 0, 11)
    assert read(answer(socket.AF_INET6, 8, "fd00::1", 80)).here == "fd00::1"


def test_a_connection_as_the_kernel_is_asked_for_it() -> None:
    """The same bytes as those that it tells of one (linux/netfilter/nfnetlink_conntrack.h)."""
    asked = conntrack.tuple_of(Flow("udp", "2001:db8::1", 5000, "2001:db8:5:1::2", 443))
    outer = netlink.attributes(netlink.attributes(asked)[1])
    place, what = netlink.attributes(outer[1]), netlink.attributes(outer[2])
    assert {kind: socket.inet_ntop(socket.AF_INET6, value) for kind, value in place.items()} == {
        3: "2001:db8::1",
        4: "2001:db8:5:1::2",
    }
    assert what == {1: b"\x11", 2: struct.pack("!H", 5000), 3: struct.pack("!H", 443)}
    assert set(
        netlink.attributes(
            netlink.attributes(netlink.attributes(conntrack.tuple_of(Flow("tcp", "10.0.5.1", 1, "10.0.5.2", 2)))[1])[1]
        )
    ) == {1, 2}


def test_the_kernel_says_which_addresses_this_machine_has() -> None:
    rows = json.loads(subprocess.run(["ip", "-j", "address", "show"], capture_output=True, check=True).stdout)
    assert neighbours.own() == {each["local"] for row in rows for each in row["addr_info"]}
    assert neighbours.proxied("lo") == set()
    with pytest.raises(OSError, match=r"No such device|no interface"):
        neighbours.proxied("nowhere0")


def test_what_the_kernel_refuses_is_an_error_and_what_is_gone_is_none() -> None:
    def said(code: int) -> bytes:
        return netlink.HEADER.pack(20, netlink.ERROR, 0, 1, 0) + struct.pack("=i", -code)

    class Kernel:
        def __init__(self, code: int) -> None:
            self.code = code

        def send(self, _data: bytes) -> None: ...

        def recv(self, _most: int) -> bytes:
            return said(self.code)

    assert [*netlink.answers(Kernel(0), 1, 0, b"")] == [*netlink.answers(Kernel(2), 1, 0, b"")] == []  # type: ignore[arg-type]
    with pytest.raises(PermissionError):
        [*netlink.answers(Kernel(1), 1, 0, b"")]  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        [*netlink.answers(Kernel(2), 1, 0, b"", strict=True)]  # type: ignore[arg-type]


def test_messages_of_one_datagram_are_told_apart_and_what_is_cut_short_is_none() -> None:
    data = message(20, 0, b"12345") + bytes(3) + message(netlink.DONE, 0, bytes(4))
    assert [*netlink.messages(data)] == [(20, b"12345"), (netlink.DONE, bytes(4))]
    assert [*netlink.messages(data[:15])] == []
    assert [*netlink.messages(struct.pack("=IHHII", 3, 20, 0, 0, 0))] == []
