"""The package builder's own decisions: what a PKGBUILD asks for, which build is next, which versions go."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eyas.core.errors import DefinitionError
from eyas.model import File
from eyas.parts import Schedule, package_builder
from eyas.parts.scripts.builder import build, dispatch, main, run, settings, sources
from eyas.parts.scripts.builder.publish import outdated, split
from eyas.parts.scripts.builder.queue import Job, Queue
from eyas.parts.scripts.builder.run import Delayed, Refused
from eyas.parts.scripts.builder.settings import Settings

SRCINFO = """
pkgbase = tool
	pkgver = 1.2
	pkgrel = 3
	epoch = 1
	arch = x86_64
	makedepends = cmake>=3
	depends = glibc
	depends_x86_64 = zlib: for speed
	source = tool-1.2.tar.gz::https://example.org/v1.2.tar.gz
	source = fix.patch
	source = git+https://example.org/more.git#commit=abc
	sha256sums = AA11
	sha256sums = SKIP
	sha256sums = SKIP

pkgname = tool
pkgname = tool-docs
"""


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    for name in ("one", "two", "three"):
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "PKGBUILD").write_text(f"pkgname={name}\n")
    names = ("packages", "data", "cache", "signing", "run", "tree")
    return Settings("forge", tmp_path / "repository", **{name: tmp_path / name for name in names}, retry=7)  # type: ignore[arg-type]


def test_what_a_pkgbuild_says() -> None:
    found = sources.info(SRCINFO, "x86_64")
    assert (found.base, found.version, found.names) == ("tool", "1:1.2-3", ("tool", "tool-docs"))
    assert found.needs == ("glibc", "zlib", "cmake")
    one, two, three = (sources.parse(row) for row in found.sources)
    assert (one.name, one.kind, one.sum) == ("tool-1.2.tar.gz", "sha256", "aa11")
    assert (two.url, two.sum) == ("fix.patch", "")
    assert (three.name, three.vcs, three.reference) == ("more", "git", ("commit", "abc"))
    with pytest.raises(Refused, match="only http"):
        sources.parse(("svn://example.org/x", "", ""))


def test_the_urgent_one_is_first_and_none_is_twice_in_the_queue(place: Settings) -> None:
    queue = Queue(place)
    first = queue.add("one", "idle")
    queue.add("two")
    queue.add("three", "urgent")
    assert [row.package for row in queue.waiting()] == ["three", "two", "one"]
    assert queue.add("one", "urgent").id == first.id
    assert [row.package for row in queue.waiting()] == ["one", "three", "two"]
    with pytest.raises(Refused, match="there is no"):
        queue.add("four")


def test_a_build_is_always_somewhere(place: Settings) -> None:
    queue = Queue(place)
    one = queue.add("one")
    assert queue.claim(one)
    assert not queue.claim(one)
    assert [row.id for row in queue.running()] == [one.id]
    queue.back(replace(one, why="again"))
    assert [row.why for row in queue.waiting()] == ["again"]
    queue.claim(one)
    queue.end(one, "published")
    assert not queue.running()
    assert not queue.waiting()
    assert [(row.id, row.state) for row in queue.done()] == [(one.id, "published")]


def test_builds_of_dead_units_go_back_and_end_when_they_always_die(
    place: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "units", set)
    monkeypatch.setattr(dispatch, "_start", lambda *_: None)
    queue = Queue(place)
    queue.claim(queue.add("one"))
    queue.claim(two := queue.add("two"))
    queue.note(replace(two, attempts=place.attempts))
    (place.run / "roots" / "gone").mkdir(parents=True)
    dispatch.turn(replace(place, jobs=0), queue)
    assert [row.package for row in queue.waiting()] == ["one"]
    assert [(row.package, row.state) for row in queue.done()] == [("two", "failed")]
    assert not list((place.run / "roots").iterdir())


def test_a_build_whose_program_is_killed_is_built_again(place: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """That says nothing about the package; but whoever always takes too much memory fails in the end."""

    def through(*_: object) -> tuple[Job, str]:
        run.must(["sh", "-c", "kill -KILL $$"])
        raise AssertionError

    monkeypatch.setattr(build, "_through", through)
    queue = Queue(place)
    one = queue.add("one")
    for attempt in range(1, place.attempts):
        queue.claim(one)
        assert build.perform(place, one.id)
        (one,) = queue.waiting()
        assert (one.attempts, one.why) == (attempt, "sh was killed")
    queue.claim(one)
    assert not build.perform(place, one.id)
    (over,) = queue.done()
    assert (over.state, over.why) == ("failed", "it has died 5 times, the last time because sh was killed")


def test_old_versions_go_but_never_what_the_database_names() -> None:
    files = [f"a-{n}-1-any.pkg.tar.zst" for n in (1, 2, 3, 10)]
    files += ["a-b-1-1-any.pkg.tar.zst", "a-1-1-any.pkg.tar.zst.sig", "forge.db"]

    def compare(one: str, other: str) -> int:
        return int(one.split("-")[0]) - int(other.split("-")[0])

    assert outdated(files, ["a-10-1-any.pkg.tar.zst"], 2, compare) == files[:2]
    assert outdated(files, ["a-1-1-any.pkg.tar.zst"], 2, compare) == files[1:2]
    assert split("a-b-1:1-1-any.pkg.tar.zst") == ("a-b", "1:1-1")
    with pytest.raises(Refused, match="no name of a package"):
        split("../a-1-1-any.pkg.tar.zst")


@pytest.fixture
def upstream() -> Iterator[tuple[str, dict[str, Any]]]:
    said: dict[str, Any] = {"code": 200, "asked": 0}

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said["asked"] += 1
            self.send_response(said["code"])
            self.send_header("Retry-After", "90")
            self.end_headers()
            self.wfile.write(b"text\n")

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/text", said
        server.shutdown()


def test_a_source_is_asked_for_once_and_an_upstream_that_is_away_is_a_delay(
    place: Settings, upstream: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    url, said = upstream
    to = tmp_path / "to"
    to.mkdir()
    row = (url, "sha256", hashlib.sha256(b"text\n").hexdigest())
    said["code"] = 429
    with pytest.raises(Delayed) as late:
        sources.gather(place, [row], to, to)
    assert late.value.seconds == 90
    said["code"] = 200
    with pytest.raises(Delayed, match="asked for a pause"):
        sources.gather(place, [row], to, to)
    assert said["asked"] == 1
    for path in (place.cache / "hosts").iterdir():
        path.unlink()
    for _ in range(2):
        sources.gather(place, [row], to, to)
    assert (to / "text").read_text() == "text\n"
    assert said["asked"] == 2
    with pytest.raises(Refused, match="its sha256 is"):
        sources.gather(place, [(url, "sha256", "0" * 64)], to, to)
    said["code"] = 404
    with pytest.raises(Refused, match="404"):
        sources.gather(place, [(url, "", "")], to, to)
    with pytest.raises(Delayed, match="is away"):
        sources.gather(place, [("http://127.0.0.1:9/x", "", "")], to, to)


def test_the_part_tells_the_program_what_it_reads(tmp_path: Path) -> None:
    folder = tmp_path / "packages"
    (folder / "hello").mkdir(parents=True)
    (folder / "hello/PKGBUILD").write_text("pkgname=hello\n")
    where = {"data": "/d", "cache": "/c", "signing": "/s"}
    part = package_builder(
        "forge", "/srv/repository", str(folder), **where, root="1G",
        schedules={"hourly": "hourly", "nightly": Schedule("02:00", ["he*"], "idle")},
    )  # fmt: skip
    assert {"package-queue-hourly.timer", "package-queue-nightly.service"} <= {*part.units}
    config = part.files["/etc/eyas/builder.json"]
    assert isinstance(config, File)
    (tmp_path / "builder.json").write_text(str(config.content))
    read = settings.read(tmp_path / "builder.json")
    assert (read.root, read.schedules["nightly"]) == (1 << 30, (("he*",), "idle"))
    assert {*json.loads(str(config.content))} <= {*Settings.__dataclass_fields__}
    for name in ("Nightly", "a b"):
        with pytest.raises(DefinitionError):
            package_builder("forge", "/srv", str(folder), **where, schedules={name: "hourly"})
    with pytest.raises(DefinitionError):
        package_builder("forge", "/srv", str(tmp_path / "nowhere"), **where)


def test_the_command_line_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as wrong:
        main.main(["quue"])
    assert wrong.value.code == 2
    with pytest.raises(SystemExit) as wrong:
        main.main(["queue"])
    assert wrong.value.code == 2
    assert "which packages?" in capsys.readouterr().err
    assert main.main(["list"]) == 1
    assert "cannot read /etc/eyas/builder.json" in capsys.readouterr().err
