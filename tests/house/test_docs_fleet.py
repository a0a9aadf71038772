"""eyas-fleet(5) says what the code does: its tables are those of the classes, its examples are accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eyas import parts
from eyas.model import MODELS, check, load
from eyas.model.schema import refresh

PAGE = Path(__file__).parents[2] / "docs" / "eyas-fleet.5.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
HEAD = "from eyas import *\nbase = Image.debian()\n"
TAIL = """
things = [thing for thing in globals().values() if isinstance(thing, Container)]
fleet = Fleet(Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"), things, open=[Open(22)]))
"""


def test_tables_are_fresh() -> None:
    text = PAGE.read_text()
    assert refresh(text) == text, "run: python -m eyas.model.schema docs/eyas-fleet.5.md"


def test_every_class_has_its_table() -> None:
    described = re.findall(r"<!-- begin generated: (\w+) -->", PAGE.read_text())
    assert described == ["grants", *(cls.__name__ for cls in MODELS)]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_are_accepted(example: str, tmp_path: Path) -> None:
    whole = "fleet = " in example
    (tmp_path / "fleet.py").write_text(example if whole else HEAD + example + TAIL)
    assert [finding.text() for finding in check(load(tmp_path).fleet)] == []


def test_the_library_is_listed() -> None:
    page = PAGE.read_text()
    listed = page[page.index("| part | what it brings |") : page.index("## CERTIFICATES")]
    names = re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in listed.splitlines() if line.startswith("|")))
    assert sorted(names) == sorted(parts.__all__)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
