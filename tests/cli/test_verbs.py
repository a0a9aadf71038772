"""Verbs that need no host, on the example fleets."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from eyas.__main__ import main
from eyas.cli import check, update, why
from eyas.cli.context import Context
from eyas.cli.evaluate import read
from eyas.cli.why import find
from eyas.core.errors import UsageError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def garuda(tmp_path: Path) -> Path:
    folder = tmp_path / "garuda"
    shutil.copytree(EXAMPLES / "garuda", folder, ignore=shutil.ignore_patterns(".eyas"))
    return folder


def context(folder: Path) -> tuple[Context, io.StringIO]:
    out = io.StringIO()
    return Context(str(folder), out=out, err=io.StringIO()), out


def test_check_counts(garuda: Path) -> None:
    where, out = context(garuda)
    assert check.run(where) == 0
    assert out.getvalue().startswith("1 host, 10 containers, 10 images: ")


def test_check_as_json(garuda: Path) -> None:
    (garuda / "fleet.py").write_text((garuda / "fleet.py").read_text().replace('"10.0.5.1/24"', '"10.0.5.1"'))
    where, out = context(garuda)
    assert check.run(where, json=True) == 2
    said = json.loads(out.getvalue())
    assert said["version"] == 1
    assert said["findings"][0]["file"] == "fleet.py"
    assert said["findings"][0]["line"] > 100


@pytest.mark.parametrize(
    ("thing", "what"),
    [
        ("postgres", "container postgres, 10.0.5.50, of host immortalis"),
        ("443", "forward of 443/tcp to web-front, port 443"),
        ("443/udp", "forward of 443/udp to web-front, port 443"),
        ("mesh.example.org", "site mesh.example.org, answered by meshcentral, in web-front"),
        ("vm.overcommit_memory", "kernel setting vm.overcommit_memory of host immortalis"),
        ("/data_1/containers/postgres/data", "data of postgres: "),
        ("web-front:/etc/nginx/nginx.conf", "file /etc/nginx/nginx.conf in web-front"),
        (
            "postgres:/var/lib/postgresql/17",
            "/var/lib/postgresql/17 in postgres is /data_1/containers/postgres/data/17",
        ),
        ("immortalis", "host immortalis"),
    ],
)
def test_why(garuda: Path, thing: str, what: str) -> None:
    reasons = list(find(read(str(garuda)), thing))
    assert any(reason.what.startswith(what) for reason in reasons), reasons
    assert all(":" in reason.origin for reason in reasons)


def test_why_tells_containers_of_one_function_apart(garuda: Path) -> None:
    definitions = read(str(garuda))
    lines = {next(iter(find(definitions, name))).origin for name in ("postgres", "forum", "mastodon")}
    assert len(lines) == 3


def test_why_of_nothing(garuda: Path) -> None:
    where, _ = context(garuda)
    with pytest.raises(UsageError, match="cannot find nonesuch in the definitions"):
        why.run(where, thing="nonesuch")


def test_update_of_an_image_that_is_not_there(garuda: Path) -> None:
    where, _ = context(garuda)
    with pytest.raises(UsageError, match="cannot update nonesuch: no image has this name"):
        update.run(where, images=("nonesuch",))


def test_completion_needs_no_definitions(garuda: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from eyas.cli.complete import completer

    class Command:
        params: dict[str, str]

        def find_root(self) -> Command:
            return self

    command = Command()
    command.params = {"directory": str(garuda)}
    complete = completer("containers")
    assert complete(command, "m") == []
    read(str(garuda))
    (garuda / "fleet.py").write_text("1 / 0")
    assert complete(command, "m") == ["mastodon", "meshcentral"]
    assert completer("lab")(command, "i") == ["immortalis", "internet"]


def test_a_container_that_is_not_there(garuda: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read(str(garuda))
    assert main(["-C", str(garuda), "--lab", "exec", "postgre", "--", "true"]) == 2
    assert capsys.readouterr().err == (
        "eyas: cannot find a container called 'postgre' in the definitions\nhint: did you mean postgres?\n"
    )


def test_here_is_another_machine(garuda: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(garuda), "plan"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("eyas: cannot tell which host of the definitions this machine is: it is called ")
    assert "--lab" in said
