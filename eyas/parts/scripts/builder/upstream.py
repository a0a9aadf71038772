"""Others whom the builder asks, and how: through a source cache where there is one, with the pauses that they ask for.

Where connections leave by a pool of addresses, and no cache does it for us, the host is told of refusals: it lets the
refused address rest, and the next connection comes from another one.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO

from .files import get_json, put_json
from .run import Delayed, Refused
from .settings import Settings

GONE = (401, 403, 404, 410)
"""Answers that another try will not change."""
REFUSALS = (403, 429)
PATIENCE = 30
ANOTHER = 4
"""So many addresses are tried where there is a pool of them."""
REPORT, POOLS = Path("/run/eyas-egress/report"), Path("/etc/eyas/egress-pools")

Ends = tuple[str, str]
"""Both ends of a connection, each as ADDRESS:PORT: ours, theirs."""


def through(settings: Settings, url: str) -> str:
    """How a URL is asked for: of the cache, if there is one."""
    scheme, _, rest = url.partition("://")
    if not settings.sources or scheme not in ("http", "https"):
        return url
    host, slash, path = rest.partition("/")
    return f"{settings.sources}/{scheme}/{host.rpartition('@')[2]}{slash}{path}"


def git_words(settings: Settings) -> list[str]:
    """Options of git(1) that lead all it asks for by http to the cache."""
    if not settings.sources:
        return []
    rules = [f"url.{settings.sources}/{scheme}/.insteadOf={scheme}://" for scheme in ("https", "http")]
    return [word for rule in rules for word in ("-c", rule)]


class Upstream:
    """Asking somebody else: what goes wrong there is a delay, for all who need something of that host."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.host = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        self.path = settings.cache / "hosts" / re.sub(r"[^\w.-]", "_", self.host)
        self.settings = settings

    def admit(self) -> None:
        """Raises Delayed while it has asked for a pause."""
        known = get_json(self.path)
        wait = float(known["until"]) - time.time() if known else 0
        if wait > 0:
            raise Delayed(f"{self.host} asked for a pause", wait)

    def pause(self, wait: float) -> float:
        """Nobody asks it until then."""
        wait = wait or self.settings.retry
        self.path.parent.mkdir(parents=True, exist_ok=True)
        put_json(self.path, {"until": time.time() + wait})
        return wait

    def refused(self, status: int, why: str, wait: float, ends: Ends | None, tries: int) -> None:
        """An answer that is none. Returns where another address may be tried; raises Delayed or Refused else."""
        told = status in REFUSALS and not self.settings.sources and report(self.host, status, wait, ends)
        if told and tries < ANOTHER:
            time.sleep(0.25 * tries)  # the host draws another one
            return
        if status in GONE and not (status == 403 and (told or wait)):
            raise Refused(f"cannot fetch {self.host}: {status} {why}")
        if status in (429, 503) or wait:
            wait = self.pause(wait)
        raise Delayed(f"{self.host} answers {status} {why}", wait)

    def away(self, why: object) -> Delayed:
        if self.settings.sources and "://" in self.settings.sources and isinstance(why, ConnectionError | TimeoutError):
            return Delayed(f"the source cache {self.settings.sources} is away: {why}")
        return Delayed(f"{self.host} is away: {why}")


@contextmanager
def fetched(settings: Settings, url: str) -> Iterator[IO[bytes]]:
    """What a URL holds. Raises Delayed when its host is away or wants a pause, Refused when it says no."""
    upstream = Upstream(settings, url)
    ask = urllib.request.Request(through(settings, url), headers={"User-Agent": "package-builder"})  # noqa: S310
    upstream.admit()
    for tries in range(1, ANOTHER + 1):
        seen: list[Ends] = []
        try:
            with opener(seen).open(ask, timeout=PATIENCE) as answer:
                yield answer
            return
        except urllib.error.HTTPError as error:
            wait = after(error.headers.get("Retry-After", ""))
            error.close()
            upstream.refused(error.code, error.reason, wait, seen[-1] if seen else None, tries)
        except OSError as error:
            raise upstream.away(getattr(error, "reason", error)) from error


def opener(seen: list[Ends]) -> urllib.request.OpenerDirector:
    """Opens URLs, and notes both ends of each connection that it makes."""

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            seen.append(ends(self.sock))

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            seen.append(ends(self.sock))

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    return urllib.request.build_opener(PlainHandler, SecureHandler)


def ends(made: socket.socket) -> Ends:
    ours, theirs = made.getsockname(), made.getpeername()
    return end(ours[0], ours[1]), end(theirs[0], theirs[1])


def end(address: str, port: object) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def after(text: str) -> float:
    """Retry-After: seconds, or a date (RFC 9110)."""
    if text.isdigit():
        return float(text)
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return 0


def pooled(host: str) -> bool:
    """Whether connections to there leave by a pool of addresses: the first line that fits says it."""
    try:
        lines = POOLS.read_text().splitlines()
    except OSError:
        return False
    how = [how for how, _, to in (line.partition(" ") for line in lines) if to in ("*", host.partition(":")[0])]
    return how[:1] == ["pool"]


def report(host: str, status: int, wait: float, ends: Ends | None) -> bool:
    """Tell the host of a refusal; False where connections leave by no pool."""
    if not pooled(host):
        return False
    said: dict[str, object] = {"destination": host, "status": status}
    if wait:
        said["retry_after"] = int(wait)
    if ends:
        said["source"], said["remote"] = ends
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
            made.sendto(json.dumps(said).encode(), str(REPORT))
    except OSError:
        return False
    return True


# ------------------------------------------------------------ what git was told


@dataclass(frozen=True)
class Answered:
    """The last answer over HTTP in a trace of git(1) (GIT_TRACE_CURL). ``status`` 0: there was none."""

    status: int
    wait: float
    ends: Ends | None


STATUS = re.compile(r"<= Recv header: HTTP/[\d.]+ (\d{3})")
WAIT = re.compile(r"<= Recv header: retry-after: ([^\r\n]+)", re.IGNORECASE)
MADE = re.compile(r"\((\S+) port (\d+)\) from (\S+) port (\d+)")


def answered(trace: str) -> Answered:
    status, wait, found = 0, 0.0, None
    for line in trace.splitlines():
        if match := STATUS.search(line):
            status, wait = int(match[1]), 0.0
        elif match := WAIT.search(line):
            wait = after(match[1].strip())
        elif match := MADE.search(line):
            found = end(match[3], match[4]), end(match[1], match[2])
    return Answered(status, wait, found)
