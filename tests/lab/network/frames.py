"""Put frames on a link, or count those that come with a word in them.

frames LINK send HEX... | frames LINK hear SECONDS WORD
"""

import select
import socket
import sys
import time

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
    wire.bind((sys.argv[1], 0))
    if sys.argv[2] == "send":
        for frame in sys.argv[3:]:
            wire.send(bytes.fromhex(frame))
        sys.exit()
    print("ready", flush=True)
    end, count = time.monotonic() + float(sys.argv[3]), 0
    while select.select([wire], [], [], max(0, end - time.monotonic()))[0]:
        data, where = wire.recvfrom(2000)
        count += where[2] != socket.PACKET_OUTGOING and sys.argv[4].encode() in data
    print(count)
