"""One row of the matrix: a request, and what is to come of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

ANY = re.compile("")
"""For a header that has to be there, whatever it says."""

Wanted = str | re.Pattern[str] | None
"""Of a header: its value, a pattern for it, or None when it must not be there."""


@dataclass(frozen=True, eq=False)  # each row is itself
class Row:
    """``pattern``: of V1 to V32. ``says``: the rule, in words. The rest is the request, then the answer.

    ``app:8448/x`` is short for https://app.example.org:8448/x, ``http://app/x`` for http://app.example.org/x. In all
    that is expected, ``{client}`` stands for the address of who asks.
    """

    pattern: str
    says: str
    url: str
    status: int = 200
    method: str = "GET"
    sent: Sequence[str] = ()
    """Headers of the request."""
    data: str | None = None
    source: str = ""
    """Who asks, where it is not the usual client: ``cdn`` is a server of the content-delivery network."""
    place: str = "internet"
    """Where it is asked: ``internet``, or in a container."""
    cert: bool = False
    """With the client's certificate."""
    http: Sequence[str] = ()
    """Versions of HTTP to ask by; else 1.1 for http, and for https what the front has."""

    families: Sequence[int] = (4, 6)
    address: str = ""
    """Whom to connect to, where it is not the public address."""
    trusted: bool = True
    """The certificate has to be good."""

    body: str | None = None
    """All of the answer's body, but for white space at its ends."""
    has: Sequence[str] = ()
    """What stands somewhere in the body."""
    lacks: Sequence[str] = ()
    """What does not."""
    type: str = ""
    """What stands in the header Content-Type."""
    to: str | re.Pattern[str] = ""
    """The header Location."""
    headers: Mapping[str, Wanted] = field(default_factory=dict)
    """Headers of the answer."""
    path: str | None = None
    """What the backend was asked for."""
    sees: Mapping[str, Wanted] = field(default_factory=dict)
    """Headers at the backend."""
    tells: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the backend tells (`fleet/backend`)."""

    @property
    def whole(self) -> str:
        """The URL in full."""
        match = re.fullmatch(r"(https?://)?([^/:]+)(.*)", self.url)
        assert match, self.url
        name = match[2] if "." in match[2] else f"{match[2]}.example.org"
        return f"{match[1] or 'https://'}{name}{match[3]}"

    @property
    def versions(self) -> Sequence[str]:
        parts = urlsplit(self.whole)
        if self.http:
            return self.http
        if parts.scheme == "http" or self.place != "internet":
            return ("1.1",)
        return ("2",) if self.source or self.cert or parts.port else ("2", "3")

    @property
    def cases(self) -> list[tuple[Row, int, str]]:
        return [(self, family, version) for family in self.families for version in self.versions]

    @property
    def wanted(self) -> dict[str, Wanted]:
        """All headers of the answer that are spoken of."""
        kind = {"content-type": re.compile(re.escape(self.type))} if self.type else {}
        return {**self.headers, **kind, **({"location": self.to} if self.to else {})}

    def faults(self, answer: Mapping[str, Any], version: str, client: str) -> list[str]:
        """Everything about an answer that is not as it is to be."""
        if "error" in answer:
            return [f"no answer: {answer['error']}"]
        found = []
        if answer["status"] != self.status:
            found.append(f"status {answer['status']}, not {self.status}")
        if answer["http"] != version:
            found.append(f"HTTP/{answer['http']}, not HTTP/{version}")
        body = answer["body"].strip()
        if self.body is not None and body != self.body.replace("{client}", client):
            found.append(f"the body is {body[:300]!r}, not {self.body!r}")
        found += [f"{text!r} is not in the body {body[:300]!r}" for text in self.has if text not in body]
        found += [f"{text!r} is in the body {body[:300]!r}" for text in self.lacks if text in body]
        given = {name: " | ".join(values) for name, values in answer["headers"].items()}
        found += differences("answer's", given, self.wanted, client)
        return found + self._at_backend(body, client)

    def _at_backend(self, body: str, client: str) -> list[str]:
        if self.path is None and not self.sees and not self.tells:
            return []
        try:
            told = json.loads(body)
        except ValueError:
            return [f"the backend has not answered: {body[:300]!r}"]
        found = [] if self.path in (None, told["path"]) else [f"asked for {told['path']}, not {self.path}"]
        found += differences("backend's", told["headers"], self.sees, client)
        return found + [
            f"{key} is {told[key]!r}, not {wanted!r}" for key, wanted in self.tells.items() if told[key] != wanted
        ]


def differences(whose: str, given: Mapping[str, str], wanted: Mapping[str, Wanted], client: str) -> list[str]:
    found = []
    for name, value in wanted.items():
        seen = given.get(name)
        if isinstance(value, re.Pattern):
            right = seen is not None and value.search(seen) is not None
        else:
            right = seen == (value.replace("{client}", client) if value else value)
        if not right:
            expected = value.pattern if isinstance(value, re.Pattern) else value
            found.append(f"{whose} {name} is {seen!r}, not {expected!r}")
    return found
