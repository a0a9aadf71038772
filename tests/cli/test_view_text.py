"""Sizes, times, tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyas.cli.view.text import WIDEST, Column, size, span, table, value, wrap


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [(0, "0"), (1023, "1023"), (1024, "1K"), (1536, "1.5K"), (2 << 30, "2G"), (512 << 20, "512M"), (25_500_000, "24M")],
)
def test_sizes(bytes_: int, text: str) -> None:
    assert size(bytes_) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (11100, "3 h 5 min"),
        (86400, "1 d"),
        (100000, "1 d 3 h"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_values_of_fields() -> None:
    assert value("limits.memory_max", 3 << 30) == "3G"
    assert value("stop_timeout", 10) == "10 s"
    assert value("cpu_quota", 200) == "200%"
    assert value("mode", 0o640) == "0640"
    assert value("after", ["a", "b"]) == "a, b"
    assert value("after", []) == "none"
    assert value("readonly", False) == "no"


@given(st.text(alphabet="ab /", max_size=80), st.integers(1, 30))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(st.lists(st.tuples(st.text("ab ", max_size=12), st.text("cd ", max_size=200)), min_size=1, max_size=5))
def test_tables_fit(rows: list[tuple[str, str]]) -> None:
    columns = (Column(), Column(flexible=True))
    text = table(columns, [list(row) for row in rows], 300)
    assert all(len(line) <= WIDEST for line in text.splitlines())
