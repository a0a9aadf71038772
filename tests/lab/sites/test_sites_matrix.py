"""The matrix: every row of `matrix.py`, over both families and by each version of HTTP."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.lab.sites.matrix import MATRIX
from tests.lab.sites.rig import Answer, Case, Sites
from tests.lab.sites.row import Row

CASES: list[Case] = [case for row in MATRIX for case in row.cases]


@pytest.fixture(scope="module")
def answers(fleet: Sites) -> Mapping[Case, Answer]:
    return fleet.answers(CASES)


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row.pattern}-{row.says}".replace(" ", "-"))
def test_request(fleet: Sites, answers: Mapping[Case, Answer], row: Row) -> None:
    faults = {
        f"IPv{family}, HTTP/{version}": found
        for _, family, version in row.cases
        if (found := row.faults(answers[row, family, version], version, fleet.who(row, family)))
    }
    assert not faults, f"{row.method} {row.whole} {' '.join(row.sent)}: {faults}"


def test_no_pattern_is_left_out() -> None:
    assert {row.pattern for row in MATRIX} == {f"V{number}" for number in range(1, 33)}
