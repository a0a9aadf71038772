"""docs/impact.md has one heading a rule, each rule a test on a running host, each field of a container a rule."""

from __future__ import annotations

import re

from eyas.kind.container import compare
from tests.lab.impact.cases import CASES, FIELDS

from .repository import ROOT

PAGE = (ROOT / "docs/impact.md").read_text()
HEADINGS = re.findall(r"^## (.*)$", PAGE, re.M)
ELSEWHERE = {
    "tree": "tests/lab/fleet/test_fleet_edits.py::test_a_package_of_one_container",
    "packages": "tests/lab/fleet/test_fleet_edits.py::test_a_package_of_one_container",
    "stateless": "tests/lab/beside/test_beside.py::test_stateless_no_more_and_again",
    "beside": "tests/lab/beside/test_beside.py::test_stateless_no_more_and_again",
    "twice": "tests/lab/beside/test_beside.py::test_stateless_no_more_and_again",
    "noise": "tests/lab/writes/test_writes.py",
}
"""Fields that tests of other folders change: an image takes long to build, what runs twice has a lab of its own."""
NEVER = {"name", "machine_id", "layer"}
"""Fields that no edit changes in a container that stays: its names, and what is said by its files."""


def exists(test: str) -> bool:
    """Whether there is a test ``path::name``."""
    path, _, name = test.partition("::")
    return (ROOT / path).is_file() and (not name or f"\ndef {name}(" in (ROOT / path).read_text())


def named_below(heading: str) -> list[str]:
    """The tests that a rule names: lines ``<!-- test: path::name -->`` below its heading."""
    body = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"<!-- test: (\S+) -->", body)


def test_every_rule_has_a_test() -> None:
    cases = {case.rule for case in CASES}
    untested = [heading for heading in HEADINGS if heading not in cases and not named_below(heading)]
    assert not untested, "add a case to tests/lab/impact/cases.py, or name a test: <!-- test: path::name -->"
    named = [test for heading in HEADINGS for test in named_below(heading)]
    assert not [test for test in named if not exists(test)]
    assert not [test for test in named if not test.startswith("tests/lab/")], "what happened is seen on a running host"


def test_every_case_is_of_a_rule() -> None:
    assert not {case.rule for case in CASES} - set(HEADINGS)


def test_a_rule_says_in_its_heading_what_it_costs() -> None:
    """But for drift, which costs what is mended, and for what comes in place of a container that goes."""
    cases = [
        case for case in CASES if case.who and ":" in case.rule and case.rule.split(":")[0] not in ("Drift", "Replace")
    ]
    wrong = [case for case in cases if case.impact.replace("_", " ") not in case.rule.partition(":")[0].lower()]
    assert not [(case.rule, case.who, case.impact) for case in wrong]


def test_every_field_is_changed_by_a_test() -> None:
    assert set(compare.SPEC) - FIELDS - set(ELSEWHERE) - NEVER == set()
    assert not [test for test in ELSEWHERE.values() if not exists(test)]
