"""The arithmetic by which labs judge a distribution: known values, and that it can fail."""

from __future__ import annotations

import random

import pytest

from tests.lab.egress.rig import ALPHA, _upper, uneven

CELLS = [str(number) for number in range(64)]


@pytest.mark.parametrize(
    ("freedom", "statistic", "chance"),
    [(1, 3.841459, 0.05), (10, 18.307038, 0.05), (63, 63.0, 0.4763), (63, 103.442, 0.001), (63, 30.0, 0.99991)],
)
def test_known_values(freedom: int, statistic: float, chance: float) -> None:
    """Of tables of the chi-squared distribution."""
    assert _upper(freedom / 2, statistic / 2) == pytest.approx(chance, rel=2e-2)


def counted(draw: list[str]) -> dict[str, int]:
    return {each: draw.count(each) for each in set(draw)}


def test_an_even_choice_passes_and_others_do_not() -> None:
    chance = random.Random(20261128)
    even = [chance.choice(CELLS) for _ in range(500)]
    assert uneven(counted(even), CELLS) > ALPHA
    half = [chance.choice(CELLS[:32]) for _ in range(500)]
    assert uneven(counted(half), CELLS) < ALPHA
    skewed = [CELLS[0] if chance.random() < 0.1 else chance.choice(CELLS) for _ in range(500)]
    assert uneven(counted(skewed), CELLS) < ALPHA
