"""datagrams SOURCE TARGET: all UDP ports that answer, with a datagram or "port unreachable" (RFC 792, RFC 4443), as a
JSON list. What is not open gives no answer at all."""

import json
import select
import socket
import struct
import sys
import time

source, target = sys.argv[1:]
six = ":" in target
family, icmp = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
UNREACHABLE = (1, 4) if six else (3, 3)

asked = socket.socket(family, socket.SOCK_DGRAM)
asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
asked.bind((source, 0))
refused = socket.socket(family, socket.SOCK_RAW, icmp)
refused.bind((source, 0))
found = set()


def refusal(data):
    """The port that a message of ICMP says nobody listens on, 0 for another message."""
    inner = data if six else data[(data[0] & 15) * 4 :]
    if tuple(inner[:2]) != UNREACHABLE:
        return 0
    packet = inner[8:]
    udp = packet[40:] if six else packet[(packet[0] & 15) * 4 :]
    mine, theirs = struct.unpack("!HH", udp[:4])
    return theirs if mine == asked.getsockname()[1] else 0


def listen(seconds):
    end = time.monotonic() + seconds
    while True:
        ready = select.select([asked, refused], [], [], max(0, end - time.monotonic()))[0]
        if not ready:
            return
        if asked in ready:
            found.add(asked.recvfrom(2000)[1][1])
        if refused in ready:
            found.add(refusal(refused.recvfrom(2000)[0]))


for first in range(1, 65536, 128):
    for port in range(first, min(first + 128, 65536)):
        asked.sendto(b"who is there?\n", (target, port))
    listen(0.002)
listen(1.0)
print(json.dumps(sorted(found - {0})))
