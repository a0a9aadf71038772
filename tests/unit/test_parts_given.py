"""Arguments of parts: read as fields of definitions are, and refused at the line of whoever wrote them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyas.core.errors import DefinitionError
from eyas.model import Image
from eyas.parts import ci_runner, docker, front, mirror, package_builder, podman, ram_disk, repository, source_cache
from eyas.parts.given import calendar, given

BASE = Image.debian("trixie")
Call = Callable[[], Any]


def refused(call: Call) -> str:
    """Field, what is said, and the hint; the finding is at a line of this file, where the call is."""
    with pytest.raises(DefinitionError) as caught:
        call()
    (finding,) = caught.value.diagnostics
    assert Path(finding.file).name == Path(__file__).name
    assert finding.line in (call.__code__.co_firstlineno, call.__code__.co_firstlineno + 1)
    return finding.text().partition("error: ")[2]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: docker("/d", keep="1 week"), "docker.keep: cannot use '1 week': a duration is"),
        (lambda: docker("/d", prune="some day"), "docker.prune: cannot use 'some day': it is no time that comes again"),
        (lambda: docker("/d", settings={"a": {1}}), "docker.settings: cannot use {'a': {1}}: daemon.json has no place"),
        (lambda: podman("/d", prune="25:00"), "podman.prune: cannot use '25:00': hours are between 0 and 23, not 25"),
        (lambda: podman("/d", settings={"engine": {"a": None}}), "podman.settings: cannot use {'engine': {'a': None}}"),
        (lambda: podman("/d", settings={"engine": 4}), "podman.settings: cannot use {'engine': 4}"),  # type: ignore[dict-item]
        (lambda: ram_disk("build", "1G"), "ram_disk.path: cannot use 'build': a path is absolute"),
        (lambda: ram_disk("/build", "much"), "ram_disk.size: cannot use 'much': a size is"),
        (lambda: mirror("m", "rsync://a/b/", "/m", when="often"), "mirror.when: cannot use 'often'"),
        (lambda: repository(modules={"m": "/m"}, connections=0), "repository.connections: cannot use 0"),
        (lambda: source_cache("/s", space="all"), "source_cache.space: cannot use 'all'"),
        (lambda: front(linger="a bit"), "front.linger: cannot use 'a bit'"),
        (lambda: ci_runner("r", "10.0.5.9", BASE, spool="/ci", at_once=0), "ci_runner.at_once: cannot use 0: allowed"),
        (lambda: ci_runner("r", "10.0.5.9", BASE, spool="/ci", memory="x"), "ci_runner.memory: cannot use 'x'"),
        (lambda: given("x.y", True, calendar), "x.y: cannot use True: it is no time that comes again"),
    ],
)
def test_refused_at_the_line_of_the_call(call: Call, said: str) -> None:
    assert refused(call).startswith(said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"jobs": 0}, "package_builder.jobs: cannot use 0: allowed is a whole number above 0"),
        ({"keep": "all"}, "package_builder.keep: cannot use 'all'"),
        ({"root": "big"}, "package_builder.root: cannot use 'big': a size is"),
        ({"schedules": {"n": "at night"}}, "package_builder.schedules: cannot use 'at night'"),
        ({"network": ["helo"]}, "package_builder.network: cannot find the package helo: no folder is called so"),
        ({"directory": "srv/r"}, "package_builder.directory: cannot use 'srv/r'"),
        ({"repository": "../r"}, "package_builder.repository: cannot call a repository '../r'"),
    ],
)
def test_a_builder_that_would_build_nothing(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello/PKGBUILD").write_text("pkgname=hello\n")
    whole = {"repository": "r", "directory": "/srv/r", "data": "/d", "cache": "/c", "signing": "/s", **more}
    assert refused(lambda: package_builder(**whole, packages=str(tmp_path))).startswith(said)


GOOD = (
    "hourly", "Weekly", "semiannually", "daily UTC", "02:00", "2:00", "*:0/15", "Mon", "mon,tue", "Mon..Fri 6:30",
    "Sat,Sun 8:00:00", "*-*-* 02:00", "*-*-01", "11-29", "*-*~03", "Mon *-5~07/1", "00:00:00.5", "*:*:0/10",
    "Thu,Fri 2012-*-1,5 11:12:13", "Mon 02:00 Europe/Berlin", "02:00 UTC", "12..14:10,20,30", "*-*-1..7 03:00",
    "00/6:00", "Mon..Mon", "mon..SUN", "Thu,Sat-Sun", "10..10:00", "*:*:1.5..7", "*:*:7..7.99/3", "2026..2030-*-*",
    "*-31..31",
)  # fmt: skip
BAD = (
    "", "some day", "at two", "25:00", "12:60", "13-40", "*-0-1", "* *", "tuesdayish", "UTC", "hourly 02:00",
    "daily daily",
    "Sat..Thu", "Sun..Mon 10:00", "Fri-Mon", "Thu,Sat..Mon", "Mon..Wed..Fri", "*-*-20..10", "12..3-1", "10..8:00",
    "*:20..10/5",
    "*:*:7..7", "*:*:7..7.5", "2030..2026-*-*", "*-*~10..5",
    "10:", ":30", "1/0:00", "3:00 Mon", "every hour", "1h", "nightly", "24:00",
)  # fmt: skip


def test_times_that_come_again() -> None:
    for text in GOOD:
        assert given("x", text, calendar) == text
    for text in BAD:
        with pytest.raises(DefinitionError):
            given("x", text, calendar)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_says_the_same_of_times() -> None:
    said = {
        text: subprocess.run(["systemd-analyze", "calendar", "--", text], capture_output=True, check=False).returncode
        for text in (*GOOD, *BAD)
    }
    assert {text for text, code in said.items() if code == 0} == {*GOOD}
