"""What a cache of sources is told, and how a builder asks it or, without one, others."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eyas.model import Backend, Container, File, Image
from eyas.parts import package_builder, source_cache
from eyas.parts.scripts.builder import upstream
from eyas.parts.scripts.builder.run import Delayed, Refused
from eyas.parts.scripts.builder.settings import Settings
from eyas.parts.scripts.builder.upstream import after, answered, fetched, git_words, through
from eyas.parts.sources import cache_url

CACHE = Container("cache", "10.0.5.20", Image.debian("trixie"), parts=[source_cache("/srv/sources")])
SETTINGS = Settings("forge", Path("/srv"), sources="http://10.0.5.20:3128")

TRACE = """\
== Info: Established connection to git.example.org (2001:db8:77::9 port 443) from fd00:5::20 port 43210
=> Send header: GET /a/info/refs?service=git-upload-pack HTTP/2
<= Recv header: HTTP/2 401
<= Recv header: retry-after: 9
<= Recv header: HTTP/2 429
<= Recv header: Retry-After: 30
"""


def config(path: str = "/etc/nginx/conf.d/source-cache.conf", **options: object) -> str:
    file = source_cache("/srv/sources", **options).files[path]  # type: ignore[arg-type]
    assert isinstance(file, File)
    return str(file.content)


def test_the_program_is_told_what_was_declared() -> None:
    text = config(ceiling=5, fresh="2h", git=30, pause="5m", tries=2, destinations=["GitHub.com", "*.example.org"])
    told = (
        'ceiling = 5, fresh = 7200, git = 30, pause = 300, tries = 2, destinations = { "github.com", "*.example.org" }'
    )
    assert f"source_cache.set({{ {told} }})" in text
    assert "max_size=21474836480 inactive=2592000s" in config()


def test_a_cache_is_named_by_container_name_port_or_url() -> None:
    port = Backend("cache", 3128)
    assert cache_url(CACHE) == cache_url("cache") == cache_url(port) == ("http://@{cache.address}:3128", [port])
    assert cache_url(Backend("cache", 99))[0] == "http://@{cache.address}:99"
    assert cache_url("http://127.0.0.1:3128/") == ("http://127.0.0.1:3128", [])


def test_a_builder_may_use_the_cache_that_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/PKGBUILD").write_text("pkgname=one\n")
    part = package_builder("forge", "/srv", str(tmp_path), data="/d", cache="/c", signing="/s", sources=CACHE)
    assert [*part.uses] == [Backend("cache", 3128)]
    told = part.files["/etc/eyas/builder.json"]
    assert isinstance(told, File)
    assert json.loads(str(told.content))["sources"] == "http://@{cache.address}:3128"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://example.org/a?b=c", "http://10.0.5.20:3128/https/example.org/a?b=c"),
        ("http://me:secret@example.org:81/a@b", "http://10.0.5.20:3128/http/example.org:81/a@b"),
        ("ftp://example.org/a", "ftp://example.org/a"),
    ],
)
def test_what_is_on_http_is_asked_of_the_cache(url: str, asked: str) -> None:
    assert through(SETTINGS, url) == asked
    assert through(replace(SETTINGS, sources=""), url) == url


def test_git_is_led_there_too() -> None:
    assert "url.http://10.0.5.20:3128/https/.insteadOf=https://" in git_words(SETTINGS)
    assert git_words(replace(SETTINGS, sources="")) == []


def test_when_to_come_back_is_read_from_gits_trace() -> None:
    found = answered(TRACE)
    assert (found.status, found.wait) == (429, 30)
    assert found.ends == ("[fd00:5::20]:43210", "[2001:db8:77::9]:443")
    assert answered("") == upstream.Answered(0, 0, None)
    assert answered(TRACE.rsplit("<=", 2)[0]).wait == 9
    assert after("soon") == 0


class Limited:
    """Someone who refuses so many requests, and a host that hears of refusals."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.status, self.refuse, self.asked = 429, 0, 0
        self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.heard.bind(str(place / "report"))
        self.heard.setblocking(False)
        monkeypatch.setattr(upstream, "REPORT", place / "report")
        monkeypatch.setattr(upstream, "POOLS", place / "pools")
        monkeypatch.setattr(upstream.time, "sleep", lambda _: None)  # type: ignore[attr-defined]
        (place / "pools").write_text("other elsewhere.example.org\npool *\n")
        self.pools = place / "pools"
        limited = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                limited.asked += 1
                refused = limited.asked <= limited.refuse
                self.send_response(limited.status if refused else 200)
                self.send_header("Retry-After", "40")
                self.end_headers()
                self.wfile.write(b"text")

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/a"
        self.settings = Settings("forge", place, cache=place)

    def fetch(self) -> bytes:
        with fetched(self.settings, self.url) as answer:
            return answer.read()

    def reports(self) -> list[dict[str, object]]:
        found = []
        while True:
            try:
                found.append(json.loads(self.heard.recv(4096)))
            except BlockingIOError:
                return found


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Limited]:
    made = Limited(tmp_path, monkeypatch)
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.heard.close()


def test_a_refused_address_is_told_with_its_connection_and_another_is_tried(limited: Limited) -> None:
    limited.refuse = 2
    assert limited.fetch() == b"text"
    one, other = limited.reports()
    assert (one["destination"], one["status"], one["retry_after"]) == (limited.url.split("/")[2], 429, 40)
    assert str(one["source"]).startswith("127.0.0.1:")
    assert one["source"] != other["source"]
    assert one["remote"] == limited.url.split("/")[2]


@pytest.mark.parametrize("status", [429, 403])
def test_who_refuses_every_address_is_left_alone(limited: Limited, status: int) -> None:
    limited.status, limited.refuse = status, 99
    with pytest.raises(Delayed, match=f"answers {status}"):
        limited.fetch()
    assert len(limited.reports()) == limited.asked == upstream.ANOTHER
    with pytest.raises(Delayed, match="asked for a pause"):
        limited.fetch()
    assert limited.asked == upstream.ANOTHER


def test_without_a_pool_for_that_place_one_refusal_is_enough(limited: Limited) -> None:
    limited.refuse = 99
    limited.pools.write_text("other 127.0.0.1\npool *\n")
    with pytest.raises(Delayed, match="answers 429"):
        limited.fetch()
    assert (limited.asked, limited.reports()) == (1, [])


def test_what_is_not_there_is_refused_whoever_asks(limited: Limited) -> None:
    limited.status, limited.refuse = 404, 99
    with pytest.raises(Refused, match="404"):
        limited.fetch()
    assert (limited.asked, limited.reports()) == (1, [])
