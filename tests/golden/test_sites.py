"""Sites of every pattern, and the files that a front makes of them, word by word.

``EYAS_GOLDEN=update`` writes the expectations anew: read the difference before you keep it. That nginx takes them is
tried by `tests/lab/front`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyas.model import check, load, merged

HERE = Path(__file__).parent / "sites"


def confs() -> dict[str, str]:
    """What is in /etc/nginx, by path below it."""
    web = load(HERE).fleet.hosts[0].container("web-front")
    assert web is not None
    files = merged(web).files
    return {p.removeprefix("/etc/nginx/"): str(f.content) for p, f in files.items() if p.startswith("/etc/nginx/")}  # type: ignore[union-attr]


CONFS = confs()
SITES = sorted(name for name in CONFS if name.startswith("conf.d/site-"))


def test_each_pattern_has_its_site() -> None:
    assert {f"conf.d/site-v{number}.example.org.conf" for number in range(1, 33)} == set(SITES)


def test_nothing_is_wrong_with_them() -> None:
    assert [finding.text() for finding in check(load(HERE).fleet) if finding.severity == "error"] == []


@pytest.mark.parametrize("name", [*SITES, "conf.d/00-front.conf", "eyas/proxy-headers"])
def test_as_a_person_would_write_it(name: str) -> None:
    expected = HERE / "expected" / name.rpartition("/")[2]
    if os.environ.get("EYAS_GOLDEN") == "update":
        expected.write_text(CONFS[name])
    assert CONFS[name] == expected.read_text()


def test_a_line_above_changes_no_file(tmp_path: Path) -> None:
    """Or every site would be reloaded for it."""
    (tmp_path / "fleet.py").write_text("\n\n" + (HERE / "fleet.py").read_text())
    web = load(tmp_path).fleet.hosts[0].container("web-front")
    assert web is not None
    assert {p: f.content for p, f in merged(web).files.items() if p[11:] in CONFS} == {  # type: ignore[union-attr]
        f"/etc/nginx/{name}": text for name, text in CONFS.items()
    }
