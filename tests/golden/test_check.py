"""Broken definitions and everything that ``eyas check`` says about them.

Each folder of ``check/`` holds a ``fleet.py`` and the findings in ``expected.txt``; folders of ``check-good/`` have
none to be found. ``EYAS_GOLDEN=update`` writes the expectations anew: read the difference before you keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import check, load

HERE = Path(__file__).parent
BROKEN = sorted(path.parent for path in (HERE / "check").glob("*/fleet.py"))
GOOD = sorted(path.parent for path in (HERE / "check-good").glob("*/fleet.py"))
EXAMPLES = sorted(path.parent for path in (HERE.parents[1] / "examples").glob("*/fleet.py"))


def findings(folder: Path) -> list[Diagnostic]:
    try:
        return check(load(folder).fleet)
    except DefinitionError as error:
        return list(error.diagnostics)


@pytest.mark.parametrize("folder", BROKEN, ids=lambda path: path.name)
def test_broken(folder: Path) -> None:
    found = findings(folder)
    text = "".join(finding.text() + "\n" for finding in found)
    expected = folder / "expected.txt"
    if os.environ.get("EYAS_GOLDEN") == "update":
        expected.write_text(text)
    assert found, "a broken definition was accepted"
    assert text == expected.read_text()
    assert all(finding.line > 0 and not finding.file.startswith("/") for finding in found), "a finding without a place"


@pytest.mark.parametrize("folder", GOOD, ids=lambda path: path.name)
def test_good(folder: Path) -> None:
    assert [finding.text() for finding in findings(folder)] == []


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_examples(folder: Path) -> None:
    assert [finding.text() for finding in findings(folder)] == []


def test_there_are_many_cases() -> None:
    assert len(BROKEN) >= 35
    assert len(GOOD) >= 3
