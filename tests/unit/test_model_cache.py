"""The evaluation cache: what it notices, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyas.model import load
from eyas.model.cache import Dependency, Recorder, fresh, load_cached, program_key, store

FLEET = """
import os
from pathlib import Path
from eyas import Bridge, File, Fleet, Host, Uplink
import team

here = Path(__file__).parent
keys = [p.read_text() for p in sorted((here / "keys").glob("*.pub"))]
outside = open(r"{outside}").read()
try:
    local = (here / "local.txt").read_text()
except FileNotFoundError:
    local = ""
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"),
                   files={{"/etc/a": File.read("a.txt"), "/etc/b": local + outside + team.NAME}}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "fleet"
    (place / "keys").mkdir(parents=True)
    (tmp_path / "outside.txt").write_text("o")
    (place / "fleet.py").write_text(FLEET.format(outside=tmp_path / "outside.txt"))
    (place / "team.py").write_text("NAME = 'x'\n")
    (place / "a.txt").write_text("a")
    (place / "keys" / "ann.pub").write_text("k")
    time.sleep(0.03)  # older than what counts as just written
    return place


def dependencies(folder: Path) -> list[Dependency]:
    return load(folder).dependencies


def names(found: list[Dependency], folder: Path) -> set[str]:
    return {os.path.relpath(dependency[0], folder) for dependency in found}


def test_everything_that_is_read_is_noted(folder: Path) -> None:
    found = dependencies(folder)
    assert names(found, folder) == {
        ".", "fleet.py", "team.py", "a.txt", "keys", "keys/ann.pub", "../outside.txt", "local.txt",
    }  # fmt: skip
    assert fresh(found)
    assert all(dependency[2] > 0 for dependency in found if dependency[5]), "times were not trusted"


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "fleet.py").write_text((folder / "fleet.py").read_text() + "\n"),
        lambda folder: (folder / "team.py").write_text("NAME = 'y'\n"),  # the same length
        lambda folder: (folder / "a.txt").write_text("b"),
        lambda folder: (folder / "a.txt").unlink(),
        lambda folder: (folder / "local.txt").write_text("new"),
        lambda folder: (folder / "keys" / "bob.pub").write_text("k"),
        lambda folder: (folder / "keys" / "ann.pub").unlink(),
        lambda folder: (folder / "fleet").mkdir(),
        lambda folder: (folder.parent / "outside.txt").write_text("p"),
    ],
)
def test_a_change_is_noticed(folder: Path, edit: object) -> None:
    found = dependencies(folder)
    edit(folder)  # type: ignore[operator]
    assert not fresh(found)


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: os.utime(folder / "fleet.py"),
        lambda folder: (folder / "keys" / ".eyas").mkdir(),
        lambda folder: (folder / ".eyas").mkdir(),
        lambda folder: ((folder / "a").write_text("a"), (folder / "a").replace(folder / "a.txt")),
    ],
)
def test_what_changes_no_content_is_fine(folder: Path, edit: object) -> None:
    found = dependencies(folder)
    edit(folder)  # type: ignore[operator]
    assert fresh(found)


def test_a_change_in_the_same_moment_is_noticed(tmp_path: Path) -> None:
    """Times of files are coarse: two writes of one length in one tick of the clock look the same."""
    file = tmp_path / "x"
    file.write_text("one")
    soon = time.time_ns() + 60 * 10**9  # a machine that is slow right now does not make the moment pass
    os.utime(file, ns=(soon, soon))
    with Recorder() as seen:
        file.read_text()
    found = seen.dependencies()
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not fresh(found)


def test_a_file_that_changes_while_it_is_read_is_never_fresh(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("one")
    with Recorder() as seen:
        file.read_text()
        file.write_text("other")
    assert not fresh(seen.dependencies())


def test_kept_and_found_again(tmp_path: Path) -> None:
    file, cache = tmp_path / "x", tmp_path / ".eyas" / "cache" / "desired.json"
    file.write_text("one")
    time.sleep(0.03)
    with Recorder() as seen:
        file.read_text()
    store(cache, "key", seen.dependencies(), b"kept\nlines\n")
    assert load_cached(cache, "key") == b"kept\nlines\n"
    assert load_cached(cache, "other key") is None
    assert (cache.stat().st_mode & 0o777, cache.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    cache.write_bytes(cache.read_bytes()[:-3])
    assert load_cached(cache, "key") is None
    cache.write_bytes(b"nonsense")
    assert load_cached(cache, "key") is None


def test_new_times_of_old_content_are_kept(tmp_path: Path) -> None:
    file, cache = tmp_path / "x", tmp_path / "cache" / "c"
    file.write_text("one")
    with Recorder() as seen:
        file.read_text()
    store(cache, "key", seen.dependencies(), b"kept")
    os.utime(file, (1e9, 1e9))
    assert load_cached(cache, "key") == b"kept"
    assert b"1000000000000000000" in cache.read_bytes()


def test_the_environment_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = program_key()
    monkeypatch.setenv("EYAS_STATE", "/elsewhere")
    assert program_key() != before
    monkeypatch.delenv("EYAS_STATE")
    monkeypatch.setenv("OTHER", "1")
    assert program_key() == before


def test_verifying_thirty_files_is_cheap(tmp_path: Path) -> None:
    files = [tmp_path / str(n) for n in range(30)]
    for file in files:
        file.write_text("x" * 4000)
    time.sleep(0.03)
    with Recorder() as seen:
        for file in files:
            file.read_text()
    found = seen.dependencies()

    def once() -> float:
        start = time.perf_counter()
        assert fresh(found)
        return time.perf_counter() - start

    assert min(once() for _ in range(5)) < 0.002


def test_the_short_way_loads_no_models() -> None:
    program = "import sys, eyas.model.cache; print(sorted({'pydantic', 'eyas.model.base'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
