"""Linters are tests: one gate for everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .repository import ROOT

TOOLS = {
    "style": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "layers": ["lint-imports"],
}


@pytest.mark.parametrize("name", TOOLS)
def test_tool(name: str) -> None:
    program, *words = TOOLS[name]
    path = Path(sys.executable).with_name(program)
    done = subprocess.run([str(path), *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
