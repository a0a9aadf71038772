"""The process of a run is killed with SIGKILL at every step, on a real file system; another process puts it right."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from eyas.apply.journal import Runs
from eyas.core import paths
from eyas.host.command import run

CHILD = "tests.unit.apply_child"
TOP = Path(__file__).parents[2]

BEFORE = {"1": "old"}
AFTER = {"0": "new", "1": "new", "2": "new", "swept": "new"}


def child(root: Path, verb: str, fault: str = "") -> int:
    argv = [sys.executable, "-m", CHILD, str(root), verb]
    return run(argv, cwd=str(TOP), check=False, env={"EYAS_FAULT": fault}).code


def texts(root: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in (root / "t").iterdir()}


@pytest.mark.parametrize(
    ("point", "ends"),
    [
        *((f"kill:{n}", BEFORE) for n in range(3)),
        *((f"kill-after-do:{n}", BEFORE) for n in range(3)),
        ("kill:kept", AFTER),
        ("kill:sweep", AFTER),
    ],
)
def test_sigkill_leaves_all_or_nothing(tmp_path: Path, point: str, ends: dict[str, str]) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/1").write_text("old")
    assert child(tmp_path, "apply", point) == -signal.SIGKILL
    assert Runs(tmp_path / paths.RUNS[1:]).current() is not None
    if ends == BEFORE and point != "kill:0":  # recovery dies as well, after its first undo
        assert child(tmp_path, "recover", f"kill-undo:{int(point[-1])}") == -signal.SIGKILL
    assert child(tmp_path, "recover") == (4 if ends == BEFORE else 0)
    assert texts(tmp_path) == ends
    assert Runs(tmp_path / paths.RUNS[1:]).current() is None
    assert child(tmp_path, "apply") == 0
    assert texts(tmp_path) == AFTER
