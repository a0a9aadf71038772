"""Questions that are asked over the network, from wherever this runs: does a port answer, what does a site say, would
a database let somebody in.

A program of its own (the standard library, no other module of ours), so that it can be started in the network of a
container, on a host, or beside it in a lab's internet: questions as JSON on stdin, answers as JSON on stdout, all
asked at once. Every answer has ``ok`` (an answer came) and ``said``, in words that complete a sentence.

    {"do": "connect",  "name" or "address", "port"}
    {"do": "http",     "name", "address", "port", "tls", "path", "headers"}    adds status, headers, body, certificate
    {"do": "postgres", "name" or "address", "port", "user", "database"}        adds code (SQLSTATE)
    {"do": "resolve",  "name"}                                                 adds addresses
    {"do": "scan",     "address", "ports"}                                     adds open, the ports that answer
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    Question: TypeAlias = Mapping[str, Any]
    Answer: TypeAlias = dict[str, Any]

AT_ONCE = 24  # threads
TIMEOUT = 5.0  # seconds for a question that does not say
GROUP = 2000  # ports that are asked at once
FILES = 16384  # that a process may have open for that, sockets being files
BODY = 16384  # bytes of an answer that are looked at


def ask_all(questions: Sequence[Question], seconds: float = 60.0) -> list[Answer]:
    """Ask all questions, many at a time; one that is not answered within ``seconds`` of all gets words instead."""
    from concurrent.futures import ThreadPoolExecutor

    until = time.monotonic() + seconds
    pool = ThreadPoolExecutor(min(AT_ONCE, max(1, len(questions))))
    asked = [pool.submit(ask, question) for question in questions]
    answers = []
    for future in asked:
        try:
            answers.append(future.result(max(0.0, until - time.monotonic())))
        except TimeoutError:
            answers.append({"ok": False, "said": "was not answered in time"})
    pool.shutdown(wait=False, cancel_futures=True)
    return answers


def ask(question: Question) -> Answer:
    """Ask one question."""
    began = time.monotonic()
    try:
        if question.get("do") == "resolve":
            return {"ok": True, "said": "", "addresses": resolved(str(question["name"]))}
        if question.get("do") == "scan":
            return {
                "ok": True,
                "said": "",
                "open": scan(str(question["address"]), question["ports"], _patience(question)),
            }
        with _connected(question) as wire:
            own, own_port = wire.getsockname()[:2]
            answer = {"from": own, "from_port": own_port, **ASKS[str(question["do"])](wire, question)}
    except Exception as error:  # any: it is what the answer tells
        answer = {"ok": False, "said": words_of(error, question)}
    answer["seconds"] = round(time.monotonic() - began, 3)
    return answer


def words_of(error: Exception, question: Question) -> str:
    """Why there is no answer."""
    if isinstance(error, socket.gaierror):
        return f"cannot resolve {question.get('name')}"
    if isinstance(error, TimeoutError):
        return f"no answer within {_patience(question):g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    if isinstance(error, OSError) and error.strerror and not hasattr(error, "reason"):
        return error.strerror.lower()
    said = getattr(error, "reason", None) or str(error) or type(error).__name__
    return " ".join(str(said).split())[:200]


def resolved(name: str) -> list[str]:
    """Addresses of a name, as programs here get them."""
    rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def scan(address: str, ports: Sequence[int], patience: float) -> list[int]:
    """Those of the ports that accept connections: all asked at once, in groups, each group for ``patience`` seconds."""
    import select

    found = []
    for begin in range(0, len(ports), GROUP):
        wires, poll = {}, select.poll()
        for port in ports[begin : begin + GROUP]:
            wire = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            wire.setblocking(False)
            wire.connect_ex((address, int(port)))
            wires[wire.fileno()] = wire, int(port)
            poll.register(wire, select.POLLOUT)
        until = time.monotonic() + patience
        while wires and (left := until - time.monotonic()) > 0:
            for number, _ in poll.poll(left * 1000):
                wire, port = wires.pop(number)
                poll.unregister(number)
                if wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.append(port)
                wire.close()
        for wire, _ in wires.values():
            wire.close()
    return sorted(found)


def _more_files() -> None:
    """Have as many files as we may."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _patience(question: Question) -> float:
    return float(question.get("timeout") or TIMEOUT)


def _connected(question: Question) -> socket.socket:
    """A connection to the address, or to the first of the name's that answers."""
    patience = _patience(question)
    addresses = [str(question["address"])] if question.get("address") else resolved(str(question["name"]))
    family = question.get("family")
    addresses = [address for address in addresses if not family or (":" in address) == (family == 6)]
    last: OSError = OSError(0, f"{question.get('name')} has no IPv{family or 4} address")
    for address in addresses:
        try:
            wire = socket.create_connection((address, int(question["port"])), timeout=patience / len(addresses))
            wire.settimeout(patience)
            return wire
        except OSError as error:
            last = error
    raise last


# ---- the ways to ask


def _connect(_wire: socket.socket, _question: Question) -> Answer:
    return {"ok": True, "said": "accepts connections"}


def _http(wire: socket.socket, question: Question) -> Answer:
    from http.client import HTTPResponse

    name, port, tls = str(question["name"]), int(question["port"]), bool(question.get("tls"))
    found: Answer = {}
    if tls:
        wire = _secured(wire, name)
        found["certificate"] = certificate(wire.getpeercert(True) or b"")
    host = name if port in (80, 443) else f"{name}:{port}"
    headers = {"Host": host, "User-Agent": "eyas-verify", "Accept": "*/*", "Connection": "close"}
    headers |= question.get("headers") or {}
    lines = [f"GET {question.get('path') or '/'} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items())]
    wire.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    with wire, HTTPResponse(wire) as response:
        response.begin()
        body = response.read(BODY)
        status, reason = response.status, response.reason
        found |= {"headers": {key.lower(): value for key, value in response.getheaders()}}
    return {**found, "ok": True, "said": f"{status} {reason}".strip(), "status": status, "body": body.decode("latin-1")}


def _secured(wire: socket.socket, name: str) -> ssl.SSLSocket:
    """TLS whose certificate is looked at, not believed: what it says is judged elsewhere."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(wire, server_hostname=name)


def _postgres(wire: socket.socket, question: Question) -> Answer:
    """Begin a session as PostgreSQL's protocol has it (message formats, StartupMessage), and end it when let in."""
    words = ["user", question["user"], "database", question["database"], "application_name", "eyas-verify", ""]
    body = struct.pack("!I", 196608) + b"".join(str(word).encode() + b"\0" for word in words)
    wire.sendall(struct.pack("!I", len(body) + 4) + body)
    kind = _exactly(wire, 1)
    if kind not in (b"E", b"R"):
        return {"ok": False, "said": "does not speak the protocol of PostgreSQL", "code": ""}
    data = _exactly(wire, max(0, min(struct.unpack("!I", _exactly(wire, 4))[0] - 4, BODY)))
    if kind == b"E":
        fields = {chr(field[0]): field[1:].decode(errors="replace") for field in data.split(b"\0") if field}
        return {"ok": False, "said": fields.get("M", "refused"), "code": fields.get("C", "")}
    way = struct.unpack("!I", data[:4])[0]
    wire.sendall(b"X" + struct.pack("!I", 4))
    return {"ok": True, "said": "lets it in" if way == 0 else "asks for a password", "code": ""}


def _exactly(wire: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = wire.recv(size - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


ASKS = {"connect": _connect, "http": _http, "postgres": _postgres}


# ---- certificates (RFC 5280), as far as they say for whom and until when


def certificate(data: bytes) -> Answer:
    """``names``, ``until`` (seconds since the epoch), ``issuer`` (its common name, or ''), ``own`` (signed by itself);
    empty for what is no certificate."""
    try:
        whole = _content(data)
        fields = list(_elements(_content(whole)))
        if fields[0][0] == 0xA0:  # a version, which old ones leave out
            del fields[0]
        issuer, validity, subject = fields[2][1], list(_elements(fields[3][1])), fields[4][1]
        return {
            "names": _names(data),
            "until": _time(*validity[1]),
            "issuer": _common(issuer),
            "own": issuer == subject,
        }
    except (IndexError, ValueError):
        return {}


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a DER value one after the other: tag and content."""
    place = 0
    while place < len(data):
        tag, start, place = _element(data, place)
        yield tag, data[start:place]


def _element(data: bytes, place: int) -> tuple[int, int, int]:
    """Tag, and where the content begins and ends."""
    tag, length, start = data[place], data[place + 1], place + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    return tag, start, start + length


def _time(tag: int, text: bytes) -> float:
    """UTCTime and GeneralizedTime."""
    import calendar

    digits = text.decode("ascii").rstrip("Z")
    if tag == 0x17:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return float(calendar.timegm(time.strptime(digits, "%Y%m%d%H%M%S")))


def _names(data: bytes) -> list[str]:
    """The DNS names of the extension subjectAltName."""
    place = data.find(b"\x06\x03\x55\x1d\x11")
    if place < 0:
        return []
    place += 5
    tag, start, end = _element(data, place)
    if tag == 1:  # critical or not
        tag, start, end = _element(data, end)
    return [text.decode("ascii", "replace") for kind, text in _elements(_content(data[start:end])) if kind == 0x82]


def _content(element: bytes) -> bytes:
    _, start, end = _element(element, 0)
    return element[start:end]


def _common(name: bytes) -> str:
    """The common name in a distinguished one."""
    place = name.find(b"\x06\x03\x55\x04\x03")
    if place < 0:
        return ""
    _, start, end = _element(name, place + 5)
    return name[start:end].decode(errors="replace")


def main() -> None:
    """Questions on stdin, answers on stdout."""
    task = json.load(sys.stdin)
    _more_files()
    json.dump(ask_all(task["questions"], float(task.get("seconds") or 60.0)), sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    os._exit(0)  # a question that nobody answers keeps a thread waiting
