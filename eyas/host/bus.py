"""Asking systemd over its own socket: as much of D-Bus as it takes to read properties, all questions at once, and to
have jobs done.

systemctl(1) "show" reads every property of a unit, also when few are wanted, and one of them, whether files have
changed since they were read, makes systemd walk through all folders that a unit can have drop-ins in: 4 ms for each
unit. Here a question and its answer take some 50 µs. Sources: D-Bus specification ("Message Protocol"),
org.freedesktop.systemd1(5), sd_bus_path_encode(3).
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM
from _socket import socket as plain_socket  # what socket wraps in enums takes as long as all the questions
from struct import error as struct_error
from struct import pack, unpack_from
from time import monotonic

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

SOCKET = "/run/systemd/private"  # systemd's own, for root alone: needs no bus daemon, and nobody is between
TIMEOUT = 60.0  # seconds for one answer: systemd may be reading all its units just then
MANAGER = "/org/freedesktop/systemd1"
INTERFACE = "org.freedesktop.systemd1"

LONGEST = 1 << 24  # bytes of a message: who is asked may be a container's own, and is not believed in all

_CALL, _RETURN, _ERROR, _SIGNAL = 1, 2, 3, 4  # types of messages
# fields of a header
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
_FIXED = {"y": ("B", 1), "b": ("I", 4), "n": ("h", 2), "q": ("H", 2), "i": ("i", 4), "u": ("I", 4), "x": ("q", 8),
          "t": ("Q", 8), "d": ("d", 8), "h": ("I", 4)}  # fmt: skip
_ALIGNED = {**{code: size for code, (_, size) in _FIXED.items()}, "s": 4, "o": 4, "a": 4, "(": 8, "{": 8}


class Bus:
    """One connection. `get`, `call` and `list_units` put a question in line and give its number; `answers` sends them
    all and waits. ``path``: where to, or a socket that somebody has connected as root.

    Raises OSError when systemd is not there or does not answer, ValueError for what is not D-Bus.
    """

    def __init__(self, path: str | plain_socket = SOCKET) -> None:
        self._socket = plain_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC) if isinstance(path, str) else path
        self._socket.settimeout(TIMEOUT)
        self._unread = b""
        self._unsent: list[bytes] = []
        self._serial = 0
        self._asked: set[int] = set()
        self.refused: dict[int, tuple[str, str]] = {}
        """Why a question has no answer, by its number: the error's name, and in words."""
        self.ended: dict[str, str] = {}
        """Results of jobs that ended while we listened, by their paths."""
        try:
            if isinstance(path, str):
                self._socket.connect(path)
            uid = str(os.geteuid() if isinstance(path, str) else 0).encode().hex()
            self._socket.sendall(f"\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n".encode())
            if not self._line().startswith(b"OK "):
                raise ConnectionError("systemd does not accept us")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def get(self, path: str, interface: str, name: str) -> int:
        """Ask for one property."""
        body = _string(f"{INTERFACE}.{interface}")
        body += _padding(body, 4) + _string(name)
        return self._ask(path, "org.freedesktop.DBus.Properties", "Get", "ss", body)

    def list_units(self, patterns: Sequence[str]) -> int:
        """Ask for the loaded units whose names match."""
        items = b""
        for pattern in patterns:
            items += _padding(items, 4) + _string(pattern)
        body = pack("<I", 0) + pack("<I", len(items)) + items  # no states: any
        return self._ask(MANAGER, f"{INTERFACE}.Manager", "ListUnitsByPatterns", "asas", body)

    def call(self, member: str, *texts: str) -> int:
        """Call a method of the manager's, which takes texts."""
        body = b""
        for text in texts:
            body += _padding(body, 4) + _string(text)
        return self._ask(MANAGER, f"{INTERFACE}.Manager", member, "s" * len(texts), body)

    def send(self) -> None:
        """Send what is in line. systemd reads on while its answers wait, so any number may go at once."""
        unsent, self._unsent = self._unsent, []
        self._socket.sendall(b"".join(unsent))

    def answers(self) -> dict[int, Any]:
        """The answer to each question by its number; None where systemd has none (no such property or unit)."""
        self.send()
        found: dict[int, Any] = {}
        until = monotonic() + TIMEOUT
        while self._asked:
            if monotonic() > until:  # who only talks of other things does not answer
                raise TimeoutError("systemd does not answer")
            serial, value = self._message()
            if serial in self._asked:
                self._asked.remove(serial)
                found[serial] = value
        return found

    def listen(self, seconds: float) -> None:
        """Take in one message, which nobody asked for; TimeoutError when none comes."""
        self._socket.settimeout(max(0.001, seconds))
        try:
            self._message()
        finally:
            self._socket.settimeout(TIMEOUT)

    def is_open(self) -> bool:
        """Whether the other end is there still. What it has told meanwhile is taken in."""
        self._socket.settimeout(0)
        try:
            while (data := self._socket.recv(1 << 18)) and len(self._unread) < LONGEST:
                self._unread += data
            return False
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(TIMEOUT)

    def _ask(self, path: str, interface: str, member: str, signature: str, body: bytes) -> int:
        self._serial += 1
        fields = b""
        for code, kind, text in (
            (_PATH, "o", path), (_INTERFACE, "s", interface), (_MEMBER, "s", member), (_DESTINATION, "s", INTERFACE),
        ):  # fmt: skip
            fields += _padding(fields, 8) + bytes((code, 1)) + kind.encode() + b"\0" + _string(text)
        if signature:
            fields += _padding(fields, 8) + bytes((_SIGNATURE, 1)) + b"g\0"
            fields += bytes((len(signature),)) + signature.encode() + b"\0"
        head = pack("<cBBBIII", b"l", _CALL, 0, 1, len(body), self._serial, len(fields)) + fields
        self._unsent.append(head + _padding(head, 8) + body)
        self._asked.add(self._serial)
        return self._serial

    def _message(self) -> tuple[int, Any]:
        """The next message: the number of the question that it answers (0 for a signal), and its value."""
        head = self._exactly(16)
        order = "<" if head[:1] == b"l" else ">"
        kind, length = head[1], unpack_from(order + "I", head, 4)[0]
        size = unpack_from(order + "I", head, 12)[0]
        if size + length > LONGEST:
            raise ValueError(f"a message of {size + length} bytes")
        rest = self._exactly(-(-size // 8) * 8 + length)
        try:
            return self._read(kind, _Reader(head + rest, order), -(-size // 8) * 8)
        except (LookupError, struct_error, RecursionError, TypeError) as problem:
            raise ValueError(f"not D-Bus: {problem}") from None

    def _read(self, kind: int, reader: _Reader, size: int) -> tuple[int, Any]:
        reader.at = 12
        fields = dict(reader.value("a(yv)"))
        reader.at = 16 + size
        signature = fields.get(_SIGNATURE, "")
        if kind == _SIGNAL and fields.get(_MEMBER) == "JobRemoved":
            _number, job, _unit, result = (reader.value(one) for one in signature)
            self.ended[job] = result
        if kind not in (_RETURN, _ERROR):
            return 0, None
        value = reader.value(signature) if signature else None
        if kind == _ERROR:
            self.refused[fields[_REPLY_SERIAL]] = str(fields.get(_ERROR_NAME)), str(value or "no reason given")
            return fields[_REPLY_SERIAL], None
        return fields[_REPLY_SERIAL], value

    def _line(self) -> bytes:
        while b"\r\n" not in self._unread:
            self._receive()
        line, _, self._unread = self._unread.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._receive()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _receive(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("systemd has closed the connection")
        self._unread += data


class _Reader:
    """Values out of a message, which are aligned from its beginning."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data = data
        self.order = order
        self.at = 0

    def value(self, signature: str) -> Any:
        """The value of one complete type; of several, the first."""
        return self._value(signature, 0)[0]

    def _value(self, signature: str, place: int) -> tuple[Any, int]:
        """A value, and the place in the signature behind its type."""
        code = signature[place]
        if code in _FIXED:
            letter, size = _FIXED[code]
            return self._number(letter, size), place + 1
        if code in "so":
            return self._text(self._number("I", 4)), place + 1
        if code == "g":
            return self._text(self._number("B", 1)), place + 1
        if code == "v":
            return self._value(self._text(self._number("B", 1)), 0)[0], place + 1
        if code == "a":
            return self._array(signature, place + 1)
        if code in "({":
            return self._struct(signature, place + 1)
        raise ValueError(f"not a type of D-Bus: {code}")

    def _number(self, letter: str, size: int) -> Any:
        self.at = -(-self.at // size) * size
        number = unpack_from(self.order + letter, self.data, self.at)[0]
        self.at += size
        return number

    def _text(self, length: int) -> str:
        text = self.data[self.at : self.at + length].decode()
        self.at += length + 1
        return text

    def _array(self, signature: str, place: int) -> tuple[list[Any], int]:
        length = self._number("I", 4)
        size = _ALIGNED.get(signature[place], 1)
        self.at = -(-self.at // size) * size
        end = self.at + length
        found = []
        while (at := self.at) < end:
            found.append(self._value(signature, place)[0])
            if self.at == at:
                raise ValueError("a list of nothing")
        return found, _behind(signature, place)

    def _struct(self, signature: str, place: int) -> tuple[tuple[Any, ...], int]:
        self.at = -(-self.at // 8) * 8
        found = []
        while signature[place] not in ")}":
            value, place = self._value(signature, place)
            found.append(value)
        return tuple(found), place + 1


def _behind(signature: str, place: int) -> int:
    """The place behind the complete type that begins here."""
    while signature[place] == "a":
        place += 1
    depth = 0
    while True:
        depth += (signature[place] in "({") - (signature[place] in ")}")
        place += 1
        if depth == 0:
            return place


def _string(text: str) -> bytes:
    data = text.encode()
    return pack("<I", len(data)) + data + b"\0"


def _padding(data: bytes, size: int) -> bytes:
    return b"\0" * (-len(data) % size)


def unit_path(name: str) -> str:
    """The path of a unit's object."""
    safe = "".join(chr(c) if chr(c).isalnum() and c < 128 else f"_{c:02x}" for c in name.encode())
    if safe[:1].isdigit():
        safe = f"_{ord(safe[0]):02x}{safe[1:]}"
    return f"{MANAGER}/unit/{safe}"
