"""Pages say what the code does."""

from __future__ import annotations

import re

from eyas.cli.manual import filled
from eyas.cli.verbs import VERBS
from eyas.kind.container import compare

from .repository import ROOT, tracked

DOCS = ROOT / "docs"


def test_the_manual_lists_what_the_command_line_takes() -> None:
    page = (DOCS / "eyas.1.md").read_text()
    assert filled(page) == page, "run: make docs"
    assert page.count("<!-- begin generated: ") == 2


def test_every_verb_is_in_the_manual_once() -> None:
    page = (DOCS / "eyas.1.md").read_text()
    assert [verb.name for verb in VERBS if page.count(f"\n### {verb.name}\n") != 1] == []


def test_impacts_are_told_as_they_are() -> None:
    told: dict[str, set[str]] = {}
    for heading, body in re.findall(r"^## (\w+)(.*?)(?=^## |\Z)", (DOCS / "impact.md").read_text(), re.S | re.M):
        told.setdefault(heading, set()).update(re.findall(r"`(\w+)`", body))
    assert set(compare.RESTART) <= told["Restart"]
    assert set(compare.LIVE) <= told["Live"]
    assert set(compare.SHOWN) <= told["None"]
    assert not told["Live"] & set(compare.RESTART)
    assert not told["Restart"] & set(compare.LIVE)


def test_the_change_log_has_a_place_for_what_comes() -> None:
    page = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## Unreleased\n\n- ", page, re.M)


def test_the_readme_has_two_commands_to_set_up() -> None:
    page = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"sudo make {target}" in page
        assert re.search(rf"^{target}:", makefile, re.M)


def test_links_lead_somewhere() -> None:
    broken = []
    for path in tracked():
        if path.suffix == ".md":
            for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
                if "://" not in target and not (path.parent / target).exists():
                    broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert not broken


def test_the_picture_names_folders_that_exist() -> None:
    page = (DOCS / "architecture.md").read_text()
    missing = [name for name in re.findall(r"`(eyas/[a-z_/]+(?:\.py)?)`?", page) if not (ROOT / name).exists()]
    assert not missing
