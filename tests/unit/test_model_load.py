"""Loading: the user's file is a program, and whatever it does, the outcome is a fleet or findings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import base as machinery
from eyas.model import check, load

HEAD = "from eyas import *\nbase = Image.debian()\n"
TAIL = (
    "fleet = Fleet(Host('alpha', Uplink('eth0', '203.0.113.10/26'), Bridge('br0', '10.0.5.1/24'), [{}], "
    "open=[Open(22)]))\n"
)


def write(folder: Path, body: str, containers: str = "web") -> Path:
    (folder / "fleet.py").write_text(HEAD + body + TAIL.format(containers))
    return folder


def findings(folder: Path) -> list[Diagnostic]:
    with pytest.raises(DefinitionError) as caught:
        load(folder)
    return list(caught.value.diagnostics)


def test_a_directory_or_its_file(tmp_path: Path) -> None:
    write(tmp_path, "web = Container('web', '10.0.5.10', base)\n")
    for path in (tmp_path, tmp_path / "fleet.py"):
        loaded = load(path)
        assert loaded.fleet.hosts[0].containers[0].name == "web"
        assert loaded.directory == tmp_path
        assert [Path(name).name for name, _ in loaded.sources] == ["fleet.py"]


def test_a_way_with_detours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write(tmp_path / "one", "import team\nweb = Container(team.NAME, '10.0.5.10', base)\n")
    (tmp_path / "one" / "team.py").write_text("NAME = 'web'\n")
    monkeypatch.chdir(tmp_path / "two")
    loaded = load(Path("../one"))
    assert [Path(name).name for name, _ in loaded.sources] == ["fleet.py", "team.py"]
    assert loaded.fleet.hosts[0].origin == "fleet.py:5"


def test_no_file(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path)
    assert "there is no such file" in finding.message
    (finding,) = findings(tmp_path / "nowhere")
    assert finding.hint.startswith("there is no directory") or "no such file" in finding.message


def test_a_second_load_reads_the_modules_anew(tmp_path: Path) -> None:
    """Also within the second in which compiled files cannot tell them apart."""
    write(tmp_path, "import pieces, deep.inner\nweb = Container(pieces.NAME + deep.inner.NAME, '10.0.5.10', base)\n")
    (tmp_path / "deep").mkdir()
    for name in "abcd":
        (tmp_path / "pieces.py").write_text(f"NAME = '{name}'\n")
        (tmp_path / "deep" / "inner.py").write_text(f"NAME = '{name}'\n")
        assert load(tmp_path).fleet.hosts[0].containers[0].name == name * 2
    assert not list(tmp_path.rglob("__pycache__"))
    assert "pieces" not in sys.modules
    assert "fleet" not in sys.modules


def test_two_fleets_with_modules_of_one_name(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "import json, team\nweb = Container(team.NAME, '10.0.5.10', base)\n")
        (tmp_path / name / "team.py").write_text(f"NAME = '{name}'\n")
    assert [load(tmp_path / name).fleet.hosts[0].containers[0].name for name in ("one", "two")] == ["one", "two"]


def test_what_it_leaves_as_it_was(tmp_path: Path) -> None:
    before = (list(sys.path), list(sys.meta_path), sys.dont_write_bytecode)
    findings(write(tmp_path, "1 / 0\n"))
    assert (list(sys.path), list(sys.meta_path), sys.dont_write_bytecode) == before
    assert machinery.collector is None


def test_prints_do_not_spoil_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(write(tmp_path, "print('hello')\nweb = Container('web', '10.0.5.10', base)\n"))
    assert capsys.readouterr() == ("", "hello\n")


def test_an_interrupt_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(write(tmp_path, "raise KeyboardInterrupt\n"))


@pytest.mark.parametrize(
    "use",
    [
        "wiki = Container('wiki', '10.0.5.11', base, after=[web])",
        "wiki = Container('wiki', '10.0.5.11', base, parts=[System(sites=[Site('a.example.org', to=web.port(80))])])",
        "wiki = Container('wiki', '10.0.5.11', base, description=f'beside {web.name}')",
        "wiki = web.with_(name='wiki')",
        "wiki = Container('wiki', web.address, base)",
        "wiki = Container('wiki', '10.0.5.11', base, files={'/etc/web': str(web.port(80))})",
        "wiki = Container('wiki', '10.0.5.11', base, after=['web'])",
        "wiki = Container('wiki', '10.0.5.11', base, description='beside ' + web.name)",
        "wiki = Container('wiki', '10.0.5.11', base, users=[*web.users])",
        "wiki = Container('wiki', '10.0.5.' + str(len(web.binds)), base)",
    ],
)
def test_what_follows_from_an_error_is_no_news(tmp_path: Path, use: str) -> None:
    body = f"web = Container('web', '10.0.5.999', base)\n{use}\n"
    found = findings(write(tmp_path, body, "web, wiki"))
    assert [(finding.field, finding.line) for finding in found] == [("Container.address", 3)], found


def test_an_error_does_not_hide_another(tmp_path: Path) -> None:
    body = "web = Container('web', '10.0.5.10', base, limits=Limits(memory='x'))\nundefined()\n"
    assert [finding.line for finding in findings(write(tmp_path, body))] == [3, 4]


def test_the_rest_of_a_refused_object_is_checked(tmp_path: Path) -> None:
    body = "web = Container('web', '10.0.6.10', base, stop_timeout='soon')\n"
    assert [f.field for f in findings(write(tmp_path, body))] == ["Container.stop_timeout", "Container.address"]


def test_a_warning_is_no_error(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, "web = Container('web', '10.0.5.10', base, limits=Limits(memory='1G'))\n"))
    assert [finding.severity for finding in check(loaded.fleet)] == ["warning"]
