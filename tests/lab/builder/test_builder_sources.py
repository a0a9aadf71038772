"""Sources of others, and others who follow: caches, an upstream that is away, old versions, mirrors."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.builder.forge import POOL, Forge, simple

ADDRESS = "198.51.100.10"
URL = f"http://{ADDRESS}:8000"


class Upstream:
    """Files and a git repository of somebody else."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "text").write_text(f"text of {time.time()}\n")
        self.git("init", "--quiet", "--initial-branch=main", place / "mine")
        self.commit("first")

    @property
    def sum(self) -> str:
        return hashlib.sha256((self.place / "text").read_bytes()).hexdigest()

    def git(self, *words: object) -> str:
        who = ("-c", "user.name=up", "-c", "user.email=up@example.org")
        argv = ["git", *who, *(str(word) for word in words)]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, text: str) -> str:
        """Another revision of the repository, which is served as files are."""
        work = self.place / "mine"
        (work / "note").write_text(f"{text} {time.time()}\n")
        self.git("-C", work, "add", "note")
        self.git("-C", work, "commit", "--quiet", "--message", text)
        self.git("-C", work, "update-server-info")
        return self.git("-C", work, "rev-parse", "HEAD")

    def answers(self, code: int = 0) -> None:
        """Give this status to everybody; 0 is as usual."""
        path = self.place / "answer"
        path.write_text(str(code)) if code else path.unlink(missing_ok=True)

    def asked(self) -> int:
        path = self.place / "asked"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def upstream(forge: Forge, tmp_path: Path) -> Iterator[Upstream]:
    made = Upstream(tmp_path)
    forget(forge)
    with served(forge, tmp_path):
        yield made


def forget(forge: Forge) -> None:
    """Nothing of an upstream is known."""
    forge.succeed("forge", "sh", "-c", "rm -rf /var/cache/package-builder/*")


@contextmanager
def served(forge: Forge, place: Path) -> Iterator[None]:
    """It answers; before and after this, connections to it are refused."""
    program = Path(__file__).with_name("upstream.py").read_text()
    with forge.background("internet", "python3", "-c", program, ADDRESS, "8000", str(place)):
        forge.host.wait_until(lambda: forge.get("forge", f"{URL}/text") != "", "upstream answers", 20)
        yield


def test_an_upstream_that_is_not_there_fails_nobody(forge: Forge, tmp_path: Path) -> None:
    """It refuses connections: those who need a file or a repository of it come when it does, all others before."""
    version = str(int(time.time()))
    absent = Upstream(tmp_path)
    forget(forge)
    file = {"source": f"({URL}/text)", "sha256sums": f"({absent.sum})"}
    repository = {"source": f'("mine::git+{URL}/mine/.git")', "sha256sums": "(SKIP)"}
    try:
        for name, values in (("fromfile", file), ("floating", repository), ("alone", {})):
            forge.put(simple(name, version, **values))
        late = forge.queue("fromfile", "floating")
        forge.published("alone")
        forge.host.wait_until(lambda: all(forge.builds()[id]["delays"] for id in late), "they are delayed", 60)
        for row in (forge.builds()[id] for id in late):
            assert row["state"] in ("waiting", "running"), row
            assert ADDRESS in row["why"], row
        with served(forge, tmp_path):
            assert {row["state"] for row in forge.over(late).values()} == {"published"}
    finally:
        forge.remove("fromfile", "floating", "alone")


@pytest.mark.long
def test_an_upstream_that_is_away_delays_those_who_need_it_and_nobody_else(forge: Forge, upstream: Upstream) -> None:
    """429 with a pause: what is cached and what needs nothing is built meanwhile; the rest when upstream is back."""
    version = str(int(time.time()))
    file = {"source": f"({URL}/text)", "sha256sums": f"({upstream.sum})"}
    head = upstream.git("-C", upstream.place / "mine", "rev-parse", "HEAD")
    pinned = {"source": f'("mine::git+{URL}/mine/.git#commit={head}")', "sha256sums": "(SKIP)"}
    floating = {"source": f'("mine::git+{URL}/mine/.git")', "sha256sums": "(SKIP)"}
    cat = 'install -D "$srcdir/mine/note" "$pkgdir/usr/share/note"'
    names = ("fromfile", "pinned", "floating", "alone", "other")
    try:
        forge.put(simple("fromfile", version, 'install -D "$srcdir/text" "$pkgdir/usr/share/text"', **file))
        forge.put(simple("pinned", version, cat, **pinned))
        forge.published("fromfile", "pinned")
        seen = upstream.asked()
        upstream.answers(429)
        upstream.commit("second")
        for name, lines, values in (("fromfile", ":", file), ("pinned", cat, pinned), ("alone", ":", {})):
            forge.put(simple(name, f"{version}.2", lines, **values))
        forge.put(simple("floating", version, cat, **floating))
        (late,) = forge.queue("floating")
        forge.host.wait_until(lambda: forge.builds()[late]["delays"] > 0, "it is delayed", 60)
        forge.published("fromfile", "pinned", "alone")
        row = forge.builds()[late]
        assert row["state"] in ("waiting", "running")
        assert "198.51.100.10" in row["why"]
        forge.host.wait_until(
            lambda: "not before" in forge.builder("list") or forge.builds()[late]["state"] == "running", "it waits", 60
        )
        assert upstream.asked() - seen < 20, "it is asked seldom"
        upstream.answers()
        (row,) = forge.over([late]).values()
        assert row["state"] == "published"
        said = forge.builder("root", "pacman -Sy --noconfirm floating >/dev/null && cat /usr/share/note")
        assert "second" in said
        (row,) = forge.over(forge.queue("floating")).values()
        assert row["state"] == "unchanged", "the same revision"
        forge.put(simple("other", version, source=f"({URL}/nowhere)", sha256sums=f"({'0' * 64})"))
        (row,) = forge.over(forge.queue("other")).values()
        assert (row["state"], "404" in row["why"]) == ("failed", True)
    finally:
        upstream.answers()
        forge.remove(*names)


@pytest.mark.long
def test_old_versions_go_by_rule_and_a_mirror_follows(forge: Forge) -> None:
    """Two versions of each stay; rsync takes packages before the database that names them, and drops them after."""
    first = int(time.time())
    versions = [str(first + n) for n in range(3)]
    try:
        for version in versions:
            forge.put(simple("many", version))
            forge.published("many")
        kept = forge.succeed("forge", "sh", "-c", f"cd {POOL}; ls many-*.zst").split()
        assert kept == [f"many-{version}-1-any.pkg.tar.zst" for version in versions[1:]]
        assert forge.offered()["many"] == f"{versions[2]}-1"
        forge.succeed("follower", "systemctl", "start", "mirror-forge.service", timeout=120)
        sums = (
            "cd {}/x86_64 && find . -type f ! -path './.db/*' | sort | xargs sha256sum; sha256sum forge.db forge.db.sig"
        )
        mine = forge.succeed("forge", "sh", "-c", sums.format("/srv/http/repos/forge"))
        assert forge.succeed("follower", "sh", "-c", sums.format("/srv/http/forge")) == mine
        assert "many" in forge.get("follower", "http://127.0.0.1/forge/x86_64/")
    finally:
        forge.remove("many")


@pytest.mark.long
def test_timers_put_into_the_queue_what_their_schedule_names(forge: Forge) -> None:
    timers = forge.succeed("forge", "systemctl", "list-timers", "--all", "--no-legend")
    assert "package-queue-hourly.timer" in timers
    assert "package-queue-nightly.timer" in timers
    when = forge.succeed("forge", "systemctl", "show", "-P", "NextElapseUSecRealtime", "package-queue-nightly.timer")
    assert when.split()[2][:5] in ("02:00", "02:01"), "with up to a minute of delay, so that not all begin at once"
    asked = forge.succeed("forge", "systemctl", "show", "-P", "Unit", "package-queue-nightly.timer")
    assert asked == "package-queue-nightly.service"
    forge.put(simple("bigger", str(int(time.time()))))
    try:
        forge.succeed("forge", "systemctl", "start", "package-queue-nightly.service")
        (row,) = (row for row in forge.builds().values() if not row["ended"])
        assert (row["package"], row["priority"]) == ("bigger", "idle")
        weight = forge.succeed("forge", "systemctl", "show", "-P", "CPUWeight", f"build-{row['id']}.service")
        assert weight in ("20", "[not set]")  # not begun yet, or already over
        forge.over([row["id"]])
    finally:
        forge.remove("bigger")
