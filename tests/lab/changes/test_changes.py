"""Changes under a steady load, as `benchmarks/changes.py` measures them, for a short time: no request fails.

Seconds are judged by the benchmark, on a quiet machine; here nobody may be refused, and whoever waits is let in again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ROWS = ("limit", "forward", "stateful", "stateful-tcp", "stateless", "crash-stateless")
HELD = ("stateful", "stateful-tcp")
SECONDS, RATE = 5, 100


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The rows, each under load for a few seconds."""
    out = tmp_path_factory.mktemp("changes") / "rows.json"
    words = ["--quick", f"--seconds={SECONDS}", f"--rate={RATE}", f"--rows={','.join(ROWS)}", f"--out={out}"]
    given = os.environ.get("EYAS_CHANGES_DIR")  # a lab that is up, of whoever writes these tests
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.changes", *words, *([f"--lab={given}"] if given else [])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "EYAS_LAB_OWNER": str(os.getpid())},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    print(done.stdout)
    return dict(json.loads(out.read_text())["figures"])


@pytest.mark.parametrize("row", ROWS)
def test_nobody_is_refused(table: Mapping[str, Any], row: str) -> None:
    seen = table[row]
    assert seen["sent"] > SECONDS * RATE / 4, f"there was hardly a load: {seen}"
    assert seen["failed"] == 0, seen


@pytest.mark.parametrize("row", HELD)
def test_whoever_came_during_a_restart_waited(table: Mapping[str, Any], row: str) -> None:
    """So there was something to wait for."""
    assert 0 < table[row]["restart"] < 30
    assert table[row]["longest"] > table[row]["restart"] / 2
