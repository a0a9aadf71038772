"""Fixtures of a folder end with its last test (`tests.lab.folders`): pytest itself is asked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]

CONFTEST = """
import pytest
from pathlib import Path

def say(text):
    with open({log!r}, "a") as file:
        file.write(text + "\\n")

@pytest.fixture(scope="package")
def lab():
    say("{name}: up")
    yield "{name}"
    say("{name}: down")
    {end}

@pytest.fixture(scope="package")
def upstream(lab):
    say(f"{{lab}}: upstream up")
    yield
    say(f"{{lab}}: upstream down")

@pytest.fixture
def each(lab):
    yield
    say("{name}: test over")
"""
TESTS = """
def test_{name}_one(each): pass
def test_{name}_two(upstream): pass
def test_{name}_three(lab): pass
"""
BROKEN = """
import pytest

@pytest.fixture(scope="package")
def broken(lab):
    raise RuntimeError("does not come up")

def test_broken(broken): pass
"""
WHOLE = ["up", "test over", "upstream up", "upstream down", "down"]


def made(folder: Path, names: tuple[str, ...], *options: str, end: str = "pass") -> tuple[list[str], str, int]:
    """A run of folders with these names: what their fixtures said, what pytest said, its exit code."""
    log, place = folder / "log", folder / "tests/lab"
    for name in names:
        (place / name).mkdir(parents=True)
        (place / name / "conftest.py").write_text(CONFTEST.format(name=name, log=str(log), end=end))
        (place / name / f"test_{name}.py").write_text(TESTS.format(name=name))
    shutil.copy(HERE / "tests/conftest.py", folder / "tests")  # where it stands decides what pytest asks it
    return again(folder, *options)


def again(folder: Path, *options: str) -> tuple[list[str], str, int]:
    log = folder / "log"
    log.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "pytest", "-q", f"--rootdir={folder}", "-p", "no:cacheprovider", *options, "tests"]
    said = subprocess.run(argv, cwd=folder, env={"PYTHONPATH": str(HERE)}, capture_output=True, text=True, check=False)
    return log.read_text().splitlines() if log.exists() else [], said.stdout + said.stderr, said.returncode


def of(name: str) -> list[str]:
    return [f"{name}: {what}" for what in WHOLE]


def test_a_folder_is_over_before_the_next_one_begins(tmp_path: Path) -> None:
    said, out, code = made(tmp_path, ("calendar", "one", "two"), "-n", "0")
    assert code == 0, out
    assert said == of("calendar") + of("one") + of("two")


@pytest.mark.parametrize("workers", ["2", "3"])
def test_with_several_workers(tmp_path: Path, workers: str) -> None:
    """Each folder has its own worker, which ends it before it takes the next."""
    said, out, code = made(tmp_path, ("one", "two", "three", "four"), "-n", workers)
    assert code == 0, out
    for name in ("one", "two", "three", "four"):
        assert [line for line in said if line.startswith(f"{name}:")] == of(name)
    up = 0
    for line in said:
        up += line.endswith(": up") - line.endswith(": down")
        assert up <= int(workers), said


def test_an_end_that_fails_is_said(tmp_path: Path) -> None:
    said, out, code = made(tmp_path, ("one", "two"), "-n", "0", end="raise RuntimeError('does not go down')")
    assert code == 1
    assert "RuntimeError: does not go down" in out
    assert "ERROR tests/lab/one/test_one.py::test_one_three" in out
    assert "6 passed, 2 errors" in out
    assert said == of("one") + of("two"), "once each"


def test_one_that_does_not_come_up_ends_what_it_stands_on(tmp_path: Path) -> None:
    made(tmp_path, ("one", "two"), "-n", "0")
    (tmp_path / "tests/lab/one/test_one.py").write_text(BROKEN)
    said, out, code = again(tmp_path, "-n", "0")
    assert code == 1
    assert "does not come up" in out
    assert said == ["one: up", "one: down", *of("two")]
