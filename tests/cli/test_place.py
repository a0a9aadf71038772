"""Where a command acts, and what is noted for the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyas.cli.place import CACHE, NAMES, choose, find_fleet, machine, names_text, noted
from eyas.core.errors import UsageError


def test_the_nearest_directory_with_definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fleet.py").touch()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_fleet(None) == str(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot use a: it has no fleet\.py"):
        find_fleet("a")


def test_names_survive_being_noted(tmp_path: Path) -> None:
    assert noted(str(tmp_path)) == {"hosts": [], "containers": []}
    path = tmp_path / CACHE / NAMES
    path.parent.mkdir(parents=True)
    path.write_text(names_text({"h2": ["b", "a"], "h1": ["a"]}))
    assert noted(str(tmp_path)) == {"hosts": ["h1", "h2"], "containers": ["a", "b"]}


def test_this_machine_is_the_host_of_its_name() -> None:
    assert choose(["other", machine()], None, False) == machine()
    assert choose([machine()], machine(), False) == machine()


@pytest.mark.parametrize(
    ("hosts", "given", "lab", "said"),
    [
        (["a", "b"], None, False, "cannot tell which host of the definitions this machine is"),
        (["a", "b"], None, True, "cannot tell which host of the lab is meant"),
        (["a", "b"], "c", True, "cannot find the host c in the definitions"),
        (["a", "b"], "a", False, "cannot act on a: this machine is "),
        ([], None, False, "cannot tell which host"),
    ],
)
def test_what_is_not_clear_is_refused(hosts: list[str], given: str | None, lab: bool, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(hosts, given, lab)
    assert caught.value.message.startswith(said)
    assert caught.value.hint


def test_the_only_host_of_a_lab_needs_no_name() -> None:
    assert choose(["a"], None, True) == "a"
    assert choose(["a", "b"], "b", True) == "b"
