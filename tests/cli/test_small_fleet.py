"""The command line from a clean directory to a running container, on a lab host: what people type, what they see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "small"

pytestmark = [
    pytest.mark.lab,
    pytest.mark.build,
    pytest.mark.skipif(os.geteuid() != 0, reason="labs need root"),
]


ENV = {**os.environ, "EYAS_LAB": "1", "EYAS_LAB_OWNER": str(os.getpid())}


class Fleet:
    """A fleet's directory, and eyas in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def eyas(self, *words: str, code: int = 0, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "eyas", *words], cwd=self.folder, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=timeout, env=ENV,
        )  # fmt: skip
        assert done.returncode == code, f"eyas {' '.join(words)} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def settled(self) -> bool:
        """Whether an apply finds nothing to do. Some kernel settings are one for all labs of a machine, so that another
        lab's apply may come between."""
        wanted = "small: no changes. The host is what the definitions say.\n"
        return any(self.eyas("apply").stdout == wanted for _ in range(6))

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.eyas(*words, "--json", code=code).stdout)
        assert value["version"] == (2 if words[0] == "writes" else 1)
        return value

    def edit(self, old: str, new: str) -> None:
        path = self.folder / "fleet.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def invocation(self) -> str:
        unit = "systemd-nspawn@web.service"
        return self.eyas(
            "lab", "exec", "small", "--", "systemctl", "show", "--value", "-p", "InvocationID", unit
        ).stdout


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("cli") / "small"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".eyas"))
    made = Fleet(folder)
    made.eyas("lab", "up")
    made.eyas("apply", "--yes")
    yield made
    made.eyas("lab", "down")
    assert str(folder) not in made.eyas("lab", "list").stdout


def test_it_is_up_and_nothing_is_left_to_do(fleet: Fleet) -> None:
    assert fleet.settled()
    status = fleet.json("status")
    assert [(row["name"], row["state"], row["health"]) for row in status["containers"]] == [
        ("web", "running", "healthy")
    ]
    assert status["containers"][0]["os"].startswith("Debian")
    assert fleet.eyas("lab", "exec", "internet", "--", "curl", "-sS", "http://203.0.113.10/").stdout == "hello\n"


def test_nothing_to_do_loads_neither_definitions_nor_typer(fleet: Fleet) -> None:
    code = (
        "import sys\nfrom eyas.__main__ import main\ncode = main(['apply'])\n"
        "print(*sys.modules, file=sys.stderr)\nsys.exit(code)"
    )
    assert fleet.settled()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=fleet.folder, capture_output=True, text=True, check=True, env=ENV
    )
    loaded = set(done.stderr.split())
    assert not {"typer", "rich", "pydantic", "fleet", "eyas.render", "eyas.cli.evaluate", "subprocess"} & loaded


def test_a_command_inside_and_its_exit_status(fleet: Fleet) -> None:
    assert fleet.eyas("exec", "web", "--", "sh", "-c", "hostname; exit 7", code=7).stdout == "web\n"


def test_a_live_change_asks_nobody_and_disturbs_nobody(fleet: Fleet) -> None:
    before = fleet.invocation()
    fleet.edit("forwards=[Forward(80)]", "forwards=[Forward(80)], limits=Limits(tasks=500)")
    fleet.edit("import Bridge, Container, Fleet, Forward, Host, Image, Open, Uplink",
               "import Bridge, Container, Fleet, Forward, Host, Image, Limits, Open, Uplink")  # fmt: skip
    fleet.eyas("plan", "--exit-code", code=3)
    told = fleet.eyas("apply").stdout
    assert "tasks none -> 500" in told
    assert "Changed without a restart (invocation unchanged): web." in told
    assert fleet.invocation() == before


def test_a_restart_needs_a_yes(fleet: Fleet) -> None:
    before = fleet.invocation()
    fleet.edit("limits=", 'root=Root(size="1G"), limits=')
    fleet.edit("Limits, Open, Uplink", "Limits, Open, Root, Uplink")
    refused = fleet.eyas("apply", code=2)
    assert "cannot ask whether web may restart: no terminal to ask on" in refused.stderr
    assert fleet.invocation() == before
    fleet.eyas("apply", "--yes")
    assert fleet.invocation() != before


def test_what_was_written_and_would_be_lost(fleet: Fleet) -> None:
    fleet.eyas("exec", "web", "--", "sh", "-c", "echo lost >/srv/here; rm /usr/share/doc/bash/copyright; mkdir /opt/x")
    found = {item["path"]: item["what"] for item in fleet.json("writes", "web")["written"]}
    assert found["/srv/here"] == "new"
    assert "/opt/x" not in found  # nobody misses an empty folder
    assert "/etc/passwd" not in found


def test_drift_is_shown_and_mended(fleet: Fleet) -> None:
    fleet.eyas("lab", "exec", "small", "--", "machinectl", "stop", "web")
    fleet.eyas("lab", "exec", "small", "--", "systemctl", "stop", "systemd-nspawn@web.service")
    status = fleet.json("status", "--exit-code", code=3)
    assert status["containers"][0]["state"] == "stopped"
    assert status["containers"][0]["drift"] == ["does not run"]
    fleet.eyas("apply", "--yes")
    mended = fleet.json("status")["containers"][0]
    assert (mended["health"], mended["drift"]) == ("healthy", [])


def test_the_journal_outlives_the_container(fleet: Fleet) -> None:
    fleet.eyas("exec", "web", "--", "logger", "a-word-to-find")
    fleet.eyas("lab", "exec", "small", "--", "systemctl", "stop", "systemd-nspawn@web.service")
    try:
        assert "a-word-to-find" in fleet.eyas("logs", "web", "-n", "1000").stdout
    finally:
        fleet.eyas("apply", "--yes")


def test_history_and_why(fleet: Fleet) -> None:
    runs = fleet.json("history")["runs"]
    assert runs[0]["result"] == "kept"
    assert "created" in fleet.eyas("history", runs[-1]["run"]).stdout or len(runs) > 1
    said = fleet.json("why", "web")
    assert said["reasons"][0]["origin"].startswith("fleet.py:")
    assert said["run"]["result"] == "kept"


def test_gc_leaves_what_runs(fleet: Fleet) -> None:
    before = fleet.invocation()
    fleet.eyas("lab", "exec", "small", "--", "mkdir", "-p", "/var/lib/eyas/layers/0ld/root")
    removed = fleet.json("gc")["removed"]
    assert "/var/lib/eyas/layers/0ld" in removed
    assert fleet.settled()
    assert fleet.invocation() == before


def test_a_removed_container_is_taken_back(fleet: Fleet) -> None:
    text = (fleet.folder / "fleet.py").read_text()
    fleet.edit("containers=[web]", "containers=[]")
    try:
        told = fleet.eyas("apply", "--yes").stdout
        assert "remove" in told
        machines = fleet.eyas("lab", "exec", "small", "--", "machinectl", "list", "--no-legend").stdout
        assert "web" not in machines
    finally:
        (fleet.folder / "fleet.py").write_text(text)
        fleet.eyas("apply", "--yes")
    assert fleet.json("status")["containers"][0]["health"] == "healthy"
