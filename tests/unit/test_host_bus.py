"""The little D-Bus that asks systemd: bytes as the specification has them, and a systemd that goes away.

Against a real systemd it is held by tests/lab/test_lab_units.py.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from eyas.host.bus import Bus, _Reader, unit_path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("systemd-nspawn@web.service", "systemd_2dnspawn_40web_2eservice"),
        ("-.mount", "_2d_2emount"),
        ("1st.timer", "_31st_2etimer"),
        ("a_b.socket", "a_5fb_2esocket"),
        ("é.service", "_c3_a9_2eservice"),
    ],
)
def test_the_path_of_a_unit(name: str, path: str) -> None:
    assert unit_path(name) == f"/org/freedesktop/systemd1/unit/{path}"


@pytest.mark.parametrize(
    ("signature", "data", "value"),
    [
        ("s", pack("<I", 3) + b"abc\0", "abc"),
        ("y", b"\x07", 7),
        ("ay", pack("<I", 2) + b"\x01\xff", [1, 255]),
        ("as", pack("<I", 14) + pack("<I", 1) + b"a\0\0\0" + pack("<I", 1) + b"b\0", ["a", "b"]),
        ("as", pack("<I", 0), []),
        ("at", pack("<I", 8) + b"\0\0\0\0" + pack("<Q", 2**64 - 1), [2**64 - 1]),
        ("v", b"\x01b\0\0" + pack("<I", 1), 1),
        ("(uo)", pack("<I", 5) + pack("<I", 1) + b"/\0", (5, "/")),
        ("a(us)", pack("<II", 10, 0) + pack("<II", 1, 1) + b"x\0", [(1, "x")]),
        ("a{sv}", pack("<II", 16, 0) + pack("<I", 1) + b"k\0" + b"\x01u\0\0\0\0" + pack("<I", 9), [("k", 9)]),
    ],
)
def test_values(signature: str, data: bytes, value: Any) -> None:
    reader = _Reader(data, "<")
    assert reader.value(signature) == value
    assert reader.at == len(data)


def test_a_type_that_is_none() -> None:
    with pytest.raises(ValueError, match="not a type"):
        _Reader(b"", "<").value("!")


# A systemd that says what it is told to


class Server:
    """Answers each question with the next of ``replies``: the value of a string, or None for an error."""

    def __init__(self, path: Path, replies: list[str | None], greeting: bytes = b"OK 0123456789abcdef\r\n") -> None:
        self.replies = replies
        self.greeting = greeting
        self.asked: list[bytes] = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        with connection, connection.makefile("rb") as stream:
            assert stream.readline().startswith(b"\0AUTH EXTERNAL ")
            assert stream.readline() == b"BEGIN\r\n"
            connection.sendall(self.greeting)
            questions = []
            for _ in self.replies:
                head = stream.read(16)
                length, serial, fields = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8, 12))
                self.asked.append(stream.read(-(-fields // 8) * 8 + length))
                questions.append(serial)
            # The last first, with a signal between: numbers tell what belongs together, not the order.
            for serial, reply in reversed([*zip(questions, self.replies, strict=True)]):
                connection.sendall(message(4, 0, None) + message(3 if reply is None else 2, serial, reply))

    def close(self) -> None:
        self.thread.join(timeout=10)
        self.socket.close()


def message(kind: int, serial: int, text: str | None) -> bytes:
    fields = b"\x05\x01u\0" + pack("<I", serial)
    body = b""
    if text is not None:
        fields += b"\x08\x01g\0\x01v\0"
        body = b"\x01s\0\0" + pack("<I", len(text)) + text.encode() + b"\0"
    head = b"l" + bytes((kind, 1, 1)) + pack("<III", len(body), 1, len(fields)) + fields
    return head + b"\0" * (-len(head) % 8) + body


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "private"


def test_answers_belong_to_their_questions(place: Path) -> None:
    server = Server(place, ["active", None, "dead"])
    bus = Bus(str(place))
    numbers = [bus.get("/a", "Unit", name) for name in ("ActiveState", "Nothing", "SubState")]
    answers = bus.answers()
    bus.close()
    server.close()
    assert [answers[number] for number in numbers] == ["active", None, "dead"]
    assert b"ActiveState\0" in server.asked[0]
    assert b"org.freedesktop.systemd1.Unit\0" in server.asked[0]


def test_it_goes_away_in_the_middle(place: Path) -> None:
    server = Server(place, [])
    bus = Bus(str(place))
    bus.get("/a", "Unit", "Id")
    with pytest.raises(OSError, match=r"closed|pipe|reset"):
        bus.answers()
    bus.close()
    server.close()


def test_it_does_not_accept_us(place: Path) -> None:
    server = Server(place, [], b"REJECTED EXTERNAL\r\n")
    with pytest.raises(OSError, match="does not accept"):
        Bus(str(place))
    server.close()


def test_nobody_is_there(place: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Bus(str(place))


def test_errors_and_jobs_are_told(place: Path) -> None:
    """Of a refused call its name and words; of jobs their results, whoever asked for them."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    ended = signal("JobRemoved", "uoss", 7, "/job/7", "x.service", "done") + signal("UnitNew", "so", "x.service", "/x")

    def serve() -> None:
        with theirs, theirs.makefile("rb") as stream:
            stream.readline(), stream.readline()
            theirs.sendall(b"OK 0\r\n")
            head = stream.read(16)
            length, number, fields = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8, 12))
            stream.read(-(-fields // 8) * 8 + length)
            theirs.sendall(ended + refusal(number, "org.freedesktop.systemd1.NoSuchUnit", "no such unit"))

    thread = threading.Thread(target=serve)
    thread.start()
    bus = Bus(ours)
    number = bus.call("RestartUnit", "x.service", "replace")
    assert bus.answers() == {number: None}
    assert bus.refused == {number: ("org.freedesktop.systemd1.NoSuchUnit", "no such unit")}
    assert bus.ended == {"/job/7": "done"}
    thread.join()
    assert not bus.is_open()
    bus.close()


@pytest.mark.parametrize("signature", ["", "a", "(", "a()", "v" * 300, "(" * 5000, "\xff"])
def test_what_makes_no_sense_is_no_answer(signature: str) -> None:
    """A container's own systemd may say anything."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with theirs:
        theirs.sendall(b"OK 0\r\n")
        bus = Bus(ours)
        bus.get("/a", "Unit", "ActiveState")
        body = b"\xff" * 64
        variant = signature.encode("latin-1")[:255]
        fields = b"\x05\x01u\0" + pack("<I", 1) + b"\x08\x01g\0" + bytes((len(variant),)) + variant + b"\0"
        head = b"l" + bytes((2, 1, 1)) + pack("<III", len(body), 1, len(fields)) + fields
        theirs.sendall(head + b"\0" * (-len(head) % 8) + body)
        theirs.shutdown(socket.SHUT_WR)
        with suppress(OSError, ValueError):
            assert set(bus.answers()) == {1}
        bus.close()


def signal(member: str, signature: str, *values: int | str) -> bytes:
    fields = b"\x03\x01s\0" + text(member)
    fields += b"\0" * (-len(fields) % 8) + b"\x08\x01g\0" + bytes((len(signature),)) + signature.encode() + b"\0"
    body = b""
    for value in values:
        body += b"\0" * (-len(body) % 4) + (pack("<I", value) if isinstance(value, int) else text(value))
    return framed(4, fields, body)


def refusal(number: int, name: str, words: str) -> bytes:
    fields = b"\x05\x01u\0" + pack("<I", number) + b"\x04\x01s\0" + text(name)
    fields += b"\0" * (-len(fields) % 8) + b"\x08\x01g\0\x01s\0"
    return framed(3, fields, text(words))


def text(value: str) -> bytes:
    return pack("<I", len(value)) + value.encode() + b"\0"


def framed(kind: int, fields: bytes, body: bytes) -> bytes:
    head = b"l" + bytes((kind, 1, 1)) + pack("<III", len(body), 1, len(fields)) + fields
    return head + b"\0" * (-len(head) % 8) + body
