"""Framed JSON between the operator's end and the agent on a host; the same bytes over a pipe, a lab wire or ssh.

A frame is four bytes of length (unsigned, big end first) and that many bytes of JSON (UTF-8, one object).

    operator                                   agent
    {"v": 1, "do": "observe", ...}      ->
                                        <-     {"event": {...}}     none or more
                                        <-     {"result": ...}      or {"error": {...}}: exactly one, ends the answer

Requests are answered in order, one at a time; the end of the operator's stream ends the agent, but never a run that
has begun. Standard library only: the agent imports this module.
"""

from __future__ import annotations

import json

from eyas.core import errors
from eyas.core.events import Event

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from eyas.core.words import Json

VERSION = 1
LIMIT = 256 * 1024 * 1024  # bytes of one frame; more than this is a stream that is not ours


class Lost(errors.Failed):
    """The other end went away in the middle of a talk."""


class Foreign(errors.Failed):
    """What arrived is not a frame: something else writes to this stream (a login banner, a shell's message)."""


def frame(message: Mapping[str, Json]) -> bytes:
    """A message as the bytes that travel."""
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return len(body).to_bytes(4, "big") + body


def send(stream: IO[bytes], message: Mapping[str, Json]) -> None:
    """Write one frame and flush. Raises Lost when the reader is gone."""
    try:
        stream.write(frame(message))
        stream.flush()
    except (BrokenPipeError, ConnectionResetError, ValueError) as error:
        raise Lost(f"cannot send to the other end: {error}") from error


def receive(stream: IO[bytes]) -> dict[str, Json] | None:
    """Read one frame; None at the end of the stream. Raises Lost or Foreign."""
    head = _exactly(stream, 4)
    if not head:
        return None
    if len(head) < 4:
        raise Foreign(_foreign(head))
    size = int.from_bytes(head, "big")
    if size > LIMIT:
        raise Foreign(_foreign(head + (stream.read(400) or b"")))
    body = _exactly(stream, size)
    if len(body) < size:
        raise Lost(f"cannot read an answer: the stream ended after {len(body)} of {size} bytes")
    try:
        message = json.loads(body)
    except ValueError as error:
        raise Foreign(f"cannot read an answer: {error}") from error
    if not isinstance(message, dict):
        raise Foreign("cannot read an answer: not an object")
    return message


def _exactly(stream: IO[bytes], size: int) -> bytes:
    """Up to ``size`` bytes; fewer only at the end of the stream (a raw pipe may give them in pieces)."""
    data = stream.read(size) or b""
    if len(data) in (0, size):
        return data
    pieces = [data]
    have = len(data)
    while have < size:
        piece = stream.read(size - have)
        if not piece:
            break
        pieces.append(piece)
        have += len(piece)
    return b"".join(pieces)


def _foreign(raw: bytes) -> str:
    said = raw.decode(errors="replace").strip()
    return f"cannot understand the host's end, it said: {said[:200]}"


# What travels inside frames


def event_to_json(event: Event) -> dict[str, Json]:
    return {
        "topic": event.topic,
        "name": event.name,
        "text": event.text,
        "done": event.done,
        "total": event.total,
        "level": event.level,
    }


def event_from_json(data: Mapping[str, Json]) -> Event:
    done, total = data.get("done", 0), data.get("total", 0)
    return Event(
        str(data.get("topic", "")),
        str(data.get("name", "")),
        str(data.get("text", "")),
        done if isinstance(done, int) else 0,
        total if isinstance(total, int) else 0,
        str(data.get("level", "info")),
    )


_KINDS: dict[str, type[errors.EyasError]] = {
    "UsageError": errors.UsageError,
    "Failed": errors.Failed,
    "Undone": errors.Undone,
    "Stuck": errors.Stuck,
    "Lost": Lost,
}


def error_to_json(error: errors.EyasError) -> dict[str, Json]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


def error_from_json(data: Mapping[str, Json]) -> errors.EyasError:
    """The error that the agent raised, as the same type where it is one of ours, with its exit code kept."""
    kind = _KINDS.get(str(data.get("kind", "")), errors.Failed)
    error = kind(str(data.get("message", "")), str(data.get("hint", "")))
    code = data.get("exit_code")
    if isinstance(code, int) and code != error.exit_code:
        error.exit_code = code
    return error
