"""Rules are replaced while connections begin, as many as there can be."""

from __future__ import annotations

import json

from eyas.lab.upstream import Upstream
from tests.lab.egress.rig import DUAL, Egress

FIXED, COUNT = "2001:db8:ffff::10", 100_000
SINK = """
import collections, json, select, socket, sys
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as wire:
    wire.bind(("::", 9))
    print("ready", flush=True)
    found = collections.Counter()
    while sys.stdin not in (ready := select.select([sys.stdin, wire], [], [], 60)[0]) and ready:
        found[wire.recvfrom(99)[1][0]] += 1
    print(json.dumps(found), flush=True)
"""
SPRAY = """
import socket, struct, sys
count, *places = sys.argv[1:]
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP) as wire:
    wire.setsockopt(socket.IPPROTO_IPV6, 7, 6)  # IPV6_CHECKSUM: where it is in a head of UDP
    for number in range(int(count)):
        head = struct.pack("!HHHH", 1024 + number // len(places) % 60000, 9, 8, 0)
        wire.sendto(head, (places[number % len(places)], 0))
"""
SWAP = """
import select, subprocess, sys
text = open("/etc/eyas/egress.nft").read().partition("delete ")[2]
again, count = "flush " + text, 0
while not select.select([sys.stdin], [], [], 0)[0]:
    subprocess.run(["nft", "-f", "-"], input=again, text=True, check=True)
    count += 1
print(count, flush=True)
"""


def test_nothing_leaves_from_elsewhere_while_rules_are_replaced(out: Egress, up: Upstream) -> None:
    """Not the packet that is under way just then, either: its sender has to send it again."""
    (there,) = (address for address in up.addresses[DUAL] if ":" in address)
    pool = out.pool("forge/sources")
    with (
        out.background("internet", "python3", "-c", SINK) as sink,
        out.background("host", "python3", "-c", SWAP) as swap,
    ):
        assert sink.stdout is not None
        assert sink.stdout.readline() == "ready\n"
        out.succeed("forge", "python3", "-c", SPRAY, str(COUNT), there, FIXED)
        swaps = int(swap.communicate("", timeout=60)[0])
        found = json.loads(sink.communicate("", timeout=60)[0])
    print(f"{swaps} times other rules, {sum(found.values())} of {COUNT} packets came: {len(found)} sources")
    assert swaps > 3
    assert found.pop("2001:db8:5:1::77") > 100
    assert sum(found.values()) > 100
    assert {*found} <= {*pool}, found
