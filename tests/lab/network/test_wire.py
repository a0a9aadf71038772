"""Tricks on the wire: frames to neighbours, and addresses of others, in frames, in ARP and in neighbour discovery."""

from __future__ import annotations

import struct
import time

import pytest

from tests.lab.network.rig import FRAMES, Net

WORD = "open sesame"
HOST, OTHER, DATA = (bytes.fromhex(f"02e70a0007{last:02x}") for last in (1, 30, 20))
ALL = b"\xff" * 6


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 65535) + (total >> 16)
    return ~(total + (total >> 16)) & 65535


def address(last: int) -> bytes:
    return bytes([10, 0, 7, last])


def address6(last: int) -> bytes:
    return bytes.fromhex("fd000007") + bytes(10) + bytes([0, int(str(last), 16)])


def udp(source: int, target: int) -> bytes:
    data = WORD.encode() + b"!"
    head = struct.pack("!BBHHHBBH", 69, 0, 28 + len(data), 7, 0, 64, 17, 0) + address(source) + address(target)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return head + struct.pack("!HHHH", 9, 9, 8 + len(data), 0) + data


def arp(operation: int, hardware: bytes, sender: int, target: int) -> bytes:
    return struct.pack("!HHBBH", 1, 2048, 6, 4, operation) + hardware + address(sender) + bytes(6) + address(target)


def advert(source: int, about: int, hardware: bytes) -> bytes:
    """A neighbour advertisement that overrides (RFC 4861, section 4.4)."""
    body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + address6(about) + b"\x02\x01" + hardware
    pseudo = address6(source) + address6(1) + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + address6(source) + address6(1) + body


def frame(target: bytes, source: bytes, kind: int, body: bytes) -> str:
    return (target + source + struct.pack("!H", kind) + body).hex()


def send(net: Net, *frames: str, place: str = "other") -> None:
    net.succeed(place, "python3", "-c", FRAMES, "host0", "send", *frames)


def heard(net: Net, place: str, link: str, *frames: str) -> int:
    """How many of these frames of "other" arrive at a place."""
    with net.background(place, "python3", "-c", FRAMES, link, "hear", "1.2", WORD) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        send(net, *frames)
        return int(process.stdout.readline())


TO_DATA = frame(DATA, OTHER, 0x0800, udp(30, 20))
TO_ALL = frame(ALL, OTHER, 0x0800, udp(30, 20))
TAGGED = frame(DATA, OTHER, 0x8100, struct.pack("!HH", 7, 0x0800) + udp(30, 20))
HONEST = frame(HOST, OTHER, 0x0800, udp(30, 1))
AS_DATA = frame(HOST, OTHER, 0x0800, udp(20, 1))
BY_DATA = frame(HOST, DATA, 0x0800, udp(30, 1))
AS_HOST = frame(HOST, HOST, 0x0800, udp(30, 1))


@pytest.mark.parametrize("redirected", [1, 0], ids=["br_netfilter", "plain"])
def test_a_frame_reaches_nobody_but_the_host(net: Net, redirected: int) -> None:
    net.host.succeed("sysctl", "-w", f"net.bridge.bridge-nf-call-iptables={redirected}")
    try:
        assert heard(net, "data", "host0", TO_DATA, TO_ALL, TAGGED) == 0
        assert heard(net, "host", "br0", HONEST, AS_DATA, BY_DATA, AS_HOST, TO_ALL) == 1
    finally:
        net.host.succeed("sysctl", "-w", "net.bridge.bridge-nf-call-iptables=1")


def known(net: Net) -> list[str]:
    """Where the host believes the database to be: by address, and by port."""
    neighbours = net.host.succeed("ip", "neigh", "show", "dev", "br0").splitlines()
    ports = net.host.succeed("bridge", "fdb", "show", "br", "br0").splitlines()
    found = [
        line.split(" lladdr ")[-1].split()[0] for line in neighbours if line.split()[0] in ("10.0.7.20", "fd00:7::20")
    ]
    return sorted({*found, *(line.split()[2] for line in ports if line.startswith("02:e7:0a:00:07:14 "))})


THEFT = (
    frame(ALL, OTHER, 0x0806, arp(1, OTHER, 20, 1)),
    frame(HOST, OTHER, 0x0806, arp(2, OTHER, 20, 1)),
    frame(HOST, OTHER, 0x0806, arp(2, DATA, 30, 1)),
    frame(HOST, OTHER, 0x86DD, advert(30, 20, OTHER)),
    frame(HOST, OTHER, 0x86DD, advert(20, 20, OTHER)),
    frame(HOST, DATA, 0x0806, arp(1, DATA, 20, 1)),
)


def test_nobody_takes_an_address_of_another(net: Net) -> None:
    """And without the table they would: so the test sees what it looks for."""
    right = ["02:e7:0a:00:07:14", "vb-data"]
    asked = [f"http://{address}:8080/" for address in ("10.0.7.20", "[fd00:7::20]")]
    net.reached("host", *asked)
    assert known(net) == right
    send(net, *THEFT)
    assert known(net) == right
    net.host.succeed("nft", "delete", "table", "bridge", "eyas")
    net.host.succeed("sysctl", "-w", "net.bridge.bridge-nf-call-iptables=0")  # or the other table would see them
    try:
        assert heard(net, "data", "host0", TO_DATA, TO_ALL) == 2
        send(net, *THEFT)
        assert known(net) != right
    finally:
        net.host.succeed("sysctl", "-w", "net.bridge.bridge-nf-call-iptables=1")
        net.apply()
        net.host.succeed("ip", "neigh", "flush", "dev", "br0")
    deadline = time.monotonic() + 20
    while net.reached("host", *asked) != ["data sees 10.0.7.1", "data sees fd00:7::1"]:
        assert time.monotonic() < deadline
    assert known(net) == right


def test_an_address_that_a_container_gives_itself_leads_nowhere(net: Net) -> None:
    net.succeed("other", "ip", "address", "add", "10.0.7.77/32", "dev", "host0")
    try:
        said = net.fail("other", "curl", "-sS", "--max-time", "2", "--interface", "10.0.7.77", "http://198.51.100.10/")
        assert "timed out" in said.lower()
    finally:
        net.succeed("other", "ip", "address", "del", "10.0.7.77/32", "dev", "host0")
