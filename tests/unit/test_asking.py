"""Questions over the network, asked of real servers on the loopback; who listens, by the kernel's own tables."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from eyas.host import asking
from eyas.host.sockets import listening, of_host, plain
from eyas.host.vantage import database_of, variable_of


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on the loopback that does this with every connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    wire, _ = server.accept()
                except OSError:
                    return
                with wire, suppress(ConnectionError):
                    answer(wire)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_port_that_answers_and_one_that_does_not() -> None:
    with serving(lambda wire: None) as port:
        answer = asking.ask({"do": "connect", "address": "127.0.0.1", "port": port})
        assert (answer["ok"], answer["said"], answer["from"]) == (True, "accepts connections", "127.0.0.1")
    assert asking.ask({"do": "connect", "address": "127.0.0.1", "port": port})["said"] == "connection refused"
    answer = asking.ask({"do": "connect", "name": "nobody.invalid", "port": 1})
    assert answer["said"] == "cannot resolve nobody.invalid"


def test_a_site_gets_its_name_and_our_headers() -> None:
    heard: list[bytes] = []

    def answer(wire: socket.socket) -> None:
        heard.append(wire.recv(4096))
        wire.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\nX-Thing: yes\r\n\r\ngone")

    with serving(answer) as port:
        question = {"do": "http", "name": "www.example.org", "address": "127.0.0.1", "port": port, "path": "/x?y=1"}
        found = asking.ask({**question, "headers": {"User-Agent": "mark-1"}})
    assert (found["status"], found["body"], found["headers"]["x-thing"]) == (502, "gone", "yes")
    assert f"GET /x?y=1 HTTP/1.1\r\nHost: www.example.org:{port}\r\nUser-Agent: mark-1\r\n".encode() in heard[0]


def test_what_accepts_and_says_nothing_is_left_behind() -> None:
    with serving(lambda wire: time.sleep(3)) as port:
        began = time.monotonic()
        question = {"do": "http", "name": "x", "address": "127.0.0.1", "port": port, "timeout": 0.3}
        assert asking.ask(question)["said"] == "no answer within 0.3 s"
        assert time.monotonic() - began < 2
        many = asking.ask_all([{**question, "timeout": 3}, {"do": "resolve", "name": "localhost"}], seconds=0.5)
    assert many[0] == {"ok": False, "said": "was not answered in time"}
    assert many[1]["ok"]


def _error(**fields: str) -> bytes:
    body = b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields.items()) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (_error(S="FATAL", C="28000", M='role "x" does not exist'), (False, 'role "x" does not exist', "28000")),
        (b"R" + struct.pack("!II", 8, 0), (True, "lets it in", "")),
        (b"R" + struct.pack("!II", 23, 10) + b"SCRAM-SHA-256\0\0", (True, "asks for a password", "")),
        (b"HTTP/1.1 400 Bad Request\r\n", (False, "does not speak the protocol of PostgreSQL", "")),
    ],
)
def test_a_database(reply: bytes, expected: tuple[bool, str, str]) -> None:
    heard: list[bytes] = []

    def answer(wire: socket.socket) -> None:
        heard.append(wire.recv(4096))
        wire.sendall(reply)
        wire.recv(64)

    with serving(answer) as port:
        question = {"do": "postgres", "address": "127.0.0.1", "port": port, "user": "anna", "database": "wiki"}
        found = asking.ask({**question, "timeout": 2})
    assert (found["ok"], found["said"], found.get("code", "")) == expected
    assert b"user\0anna\0database\0wiki\0" in heard[0]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for two names, and its key."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is missing")
    folder = tmp_path_factory.mktemp("pair")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "20",
         "-keyout", "key", "-out", "crt", "-subj", "/CN=ours",
         "-addext", "subjectAltName=DNS:a.example,DNS:*.b.example"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "crt", folder / "key"


def test_what_a_certificate_says(pair: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)

    def answer(wire: socket.socket) -> None:
        with context.wrap_socket(wire, server_side=True) as secured:
            secured.recv(4096)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(answer) as port:
        found = asking.ask({"do": "http", "name": "a.example", "address": "127.0.0.1", "port": port, "tls": True})
    assert found["status"] == 200
    said = found["certificate"]
    assert (said["names"], said["issuer"], said["own"]) == (["a.example", "*.b.example"], "ours", True)
    assert abs(said["until"] - time.time() - 20 * 86400) < 3600
    assert asking.certificate(b"") == asking.certificate(b"\x30\x03\x02\x01\x01") == {}


def test_it_is_a_program_of_its_own() -> None:
    """As it is started in a network: isolated, without site packages, without our package."""
    task = {"questions": [{"do": "resolve", "name": "localhost"}], "seconds": 5}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", asking.__file__],
        input=json.dumps(task), capture_output=True, text=True, check=True, timeout=20, cwd="/",
    )  # fmt: skip
    assert "127.0.0.1" in json.loads(done.stdout)[0]["addresses"]


def test_our_own_listener_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.bind(("::", 0))
        rows = {(row["proto"], row["address"], row["port"]): row for row in of_host()}
        mine = rows["tcp", "127.0.0.1", server.getsockname()[1]]
        assert ("udp", "::", other.getsockname()[1]) in rows
    assert mine["process"] == Path(f"/proc/{os.getpid()}/comm").read_text().strip()


def test_tables_of_the_kernel() -> None:
    table = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 3205000A:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 3205000A:1538 3C05000A:8000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
"""
    rows = list(listening(table, "tcp"))
    if sys.byteorder == "little":
        assert rows == [("4711", {"proto": "tcp", "address": "10.0.5.50", "port": 5432})]
        assert plain("0000000000000000FFFF00000100007F") == "::ffff:127.0.0.1"
    assert len(rows) == 1


def test_settings_of_a_service() -> None:
    shown = 'MainPID=5\nEnvironment=A=1 "DATABASE=postgresql://old@db/old"\n\n'
    assert variable_of(shown, "DATABASE") == "postgresql://old@db/old"
    running = f"{shown}HOME=/\nDATABASE=postgresql://new@db/new\n"
    assert variable_of(running, "DATABASE") == "postgresql://new@db/new"
    assert variable_of(running, "NONE") == ""
    assert database_of("postgresql://anna:secret@db:5433/wiki?sslmode=disable") == {
        "name": "db", "port": 5433, "user": "anna", "database": "wiki",
    }  # fmt: skip
    assert database_of("mysql://x@y/z") == database_of("postgresql:///wiki") == database_of("") == {}
