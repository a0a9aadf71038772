"""ask SERVER NAME KIND: what a name server answers, as a JSON list; "refused" or "nothing" where it does not."""

import ipaddress
import json
import socket
import struct
import sys

server, name, kind = sys.argv[1:]
number = {"A": 1, "PTR": 12, "AAAA": 28}[kind]
if kind == "PTR":
    name = ipaddress.ip_address(name).reverse_pointer
query = struct.pack("!HHHHHH", 7, 256, 1, 0, 0, 0)
query += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
query += struct.pack("!HH", number, 1)


def text(data, at):
    labels = []
    while data[at]:
        if data[at] >= 192:
            at = (data[at] & 63) << 8 | data[at + 1]
            continue
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels)


with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as wire:
    wire.settimeout(3)
    wire.connect((server, 53))
    try:
        wire.send(query)
        data = wire.recv(4096)
    except TimeoutError:
        print(json.dumps(["nothing"]))
        raise SystemExit from None
    except OSError:
        print(json.dumps(["refused"]))
        raise SystemExit from None
found = []
at = len(query)
for _ in range(struct.unpack("!H", data[6:8])[0]):
    at += 2  # a pointer to the question
    got, _, _, size = struct.unpack("!HHIH", data[at : at + 10])
    at += 10
    row = data[at : at + size]
    found.append(text(data, at) if got == 12 else str(ipaddress.ip_address(row)))
    at += size
print(json.dumps(sorted(found) or ["no such name" if data[3] & 15 == 3 else "none"]))
