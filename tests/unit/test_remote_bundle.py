"""The agent as files: complete, small, standard library only, and started by any Python of a host."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from eyas.core.errors import Failed
from eyas.host.command import run
from eyas.remote import bundle
from eyas.remote.protocol import Lost
from eyas.remote.transport import Connection, LabWire, ensure

FORBIDDEN = ("model", "render", "plan", "image", "parts", "cli", "lab", "status")


@dataclass(frozen=True)
class Elsewhere:
    """A root directory that is not mounted at /: paths of the launcher are moved below it."""

    root: Path
    name: str = "elsewhere"

    def command(self, argv: Sequence[str]) -> list[str]:
        moved = [str(self.root) + word if word.startswith(bundle.FOLDER) else word for word in argv]
        return [sys.executable, *moved[1:]]


def test_the_bundle_holds_what_runs_on_a_host_and_no_more() -> None:
    names = bundle.files().keys()
    assert {"run.py", "eyas/__init__.py", "eyas/core/words.py", "eyas/remote/agent/serve.py"} <= names
    assert not [n for n in names if "/" in n and n.split("/")[1] in FORBIDDEN]
    assert "eyas/remote/transport.py" not in names


def test_the_digest_is_the_content() -> None:
    assert len(bundle.digest()) == 16
    assert bundle.launcher() == f"/usr/local/lib/eyas/agent/{bundle.digest()}/run.py"


def test_installing_is_atomic_and_prunes(tmp_path: Path) -> None:
    folder = tmp_path / bundle.FOLDER[1:]
    for name in ("a" * 16, "b" * 16, "c" * 16, "d" * 16):
        (folder / name).mkdir(parents=True)
    bundle.install(tmp_path)
    assert bundle.installed(tmp_path)
    assert (folder / "current").readlink() == Path(bundle.digest())
    assert len([p for p in folder.iterdir() if not p.is_symlink()]) == bundle.KEEP
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
    bundle.install(tmp_path)


def test_an_installed_agent_answers_and_compiles(tmp_path: Path) -> None:
    place = Elsewhere(tmp_path)
    ensure(place)
    folder = tmp_path / bundle.FOLDER[1:] / bundle.digest()
    assert list(folder.glob("eyas/core/__pycache__/words.*.pyc"))
    with Connection(place) as connection:
        answer = connection.request("hello")
    assert isinstance(answer, dict)
    assert answer["version"] == 1


def test_every_module_of_the_agent_imports_from_the_bundle_alone(tmp_path: Path) -> None:
    bundle.install(tmp_path)
    folder = tmp_path / bundle.FOLDER[1:] / bundle.digest()
    names = [n[:-3].replace("/", ".") for n in bundle.files() if n.startswith("eyas/") and n.endswith(".py")]
    # The program for certificates stands on packages of hosts that use it, and is imported by itself alone.
    modules = sorted({n.removesuffix(".__init__") for n in names if not n.startswith("eyas.host.acme.")})
    script = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        f"import importlib\nfor n in {modules!r}: importlib.import_module(n)\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('pydantic', 'typer', 'rich')]\nassert not bad, bad\n"
        f"assert all((getattr(m, '__file__', None) or {str(folder)!r}).startswith({str(folder)!r})"
        " for n, m in sys.modules.items() if n.split('.')[0] == 'eyas')\n"
    )
    run([sys.executable, "-I", "-S", "-c", script])


def test_what_only_a_run_needs_is_not_loaded_to_observe(tmp_path: Path) -> None:
    """An observation is on the way of every command; each of these modules costs a host milliseconds."""
    bundle.install(tmp_path)
    folder = tmp_path / bundle.FOLDER[1:] / bundle.digest()
    start = (folder / "run.py").read_text().partition("from eyas.remote")[0]
    script = (
        start.replace("__file__", repr(str(folder / "run.py")))
        + "import eyas.remote.agent.serve, eyas.kind, eyas.remote.agent.real\n"
        "costly = {'inspect', 'argparse', 'asyncio', 'logging', 'pathlib', 'tempfile', 'eyas.apply.run'}\n"
        "bad = costly & sys.modules.keys()\n"
        "assert not bad, bad\n"
    )
    run([sys.executable, "-I", "-S", "-c", script])


def test_a_host_that_cannot_be_entered_is_named(tmp_path: Path) -> None:
    bundle.install(tmp_path)
    wire = LabWire("immortalis", ("/bin/sh", "-c", "echo nobody home >&2; exit 3"), tmp_path)
    with pytest.raises(Lost, match=r"lab host immortalis.*nobody home"), Connection(wire) as connection:
        connection.observe()


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "usr").write_text("")
    with pytest.raises(Failed, match="cannot install the agent"):
        bundle.install(tmp_path)
