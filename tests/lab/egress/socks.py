"""A proxy for tests: SOCKS 5 without a password (RFC 1928), and HTTP's CONNECT (RFC 9110, 9.3.6), by IPv4. What it is
asked for is printed.

    python3 socks.py LISTEN PORT LEAVE

It leaves from the address LEAVE.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading


def main(listen: str, port: int, leave: str) -> None:
    with socket.create_server((listen, port)) as server:
        print("ready", flush=True)
        while True:
            client, _ = server.accept()
            threading.Thread(target=serve, args=(client, leave), daemon=True).start()


def serve(client: socket.socket, leave: str) -> None:
    with client, contextlib.suppress(OSError):
        first, count = _read(client, 2)
        if first != 5:
            _connect(client, bytes([first, count]), leave)
            return
        _read(client, count)
        client.sendall(b"\x05\x00")
        _, command, _, kind = _read(client, 4)
        if (command, kind) != (1, 1):
            client.sendall(b"\x05\x07\x00\x01" + bytes(6))
            return
        address = socket.inet_ntoa(_read(client, 4))
        port = struct.unpack("!H", _read(client, 2))[0]
        _lead(client, address, port, leave, b"\x05\x00\x00\x01" + bytes(6))


def _connect(client: socket.socket, said: bytes, leave: str) -> None:
    while not said.endswith(b"\r\n\r\n"):
        said += _read(client, 1)
    address, _, port = said.split()[1].decode().rpartition(":")
    _lead(client, address, int(port), leave, b"HTTP/1.1 200 go on\r\n\r\n")


def _lead(client: socket.socket, address: str, port: int, leave: str, good: bytes) -> None:
    print(f"{address} {port}", flush=True)
    with socket.create_connection((address, port), source_address=(leave, 0)) as there:
        client.sendall(good)
        back = threading.Thread(target=_pass_on, args=(there, client), daemon=True)
        back.start()
        _pass_on(client, there)
        back.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


def _read(wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = wire.recv(count - len(data))
        if not piece:
            raise OSError("it ended")
        data += piece
    return data


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
