"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

from eyas.cli.verbs import VERBS

from .repository import ROOT, imports, modules, place, tracked

LONGEST = 400  # lines of a module
DOORS = {
    "subprocess": ("host", "parts/scripts"),
    "socket": ("host", "lab", "parts/scripts"),
    "eyas.host.real": ("host", "cli", "remote", "lab", "move"),
}
"""What only some folders may import: processes are started by one runner, a real machine is made by few. Programs of
containers (eyas/parts/scripts) are texts for eyas, not modules that it runs."""


def _folder(path: Path) -> str:
    parts = path.relative_to(ROOT / "eyas").parts
    if parts[:2] == ("parts", "scripts"):
        return "parts/scripts"
    return parts[0] if len(parts) > 1 else ""


def test_no_module_is_too_long() -> None:
    sizes = {place(path, len(path.read_text().splitlines())): path for path, _ in modules()}
    assert not [name for name in sizes if int(name.rpartition(":")[2]) > LONGEST]


def test_only_some_open_the_doors() -> None:
    broken = [
        f"{place(path, line)} imports {name}"
        for path, tree in modules()
        for name, line in imports(tree)
        if name in DOORS and _folder(path) not in DOORS[name]
    ]
    assert not broken


def test_nobody_below_the_command_line_prints_or_exits() -> None:
    broken = []
    for path, tree in modules():
        if (
            _folder(path) in ("cli", "", "parts/scripts")
            or "agent" in path.parts
            or path.name in ("agent.py", "keeper.py")
        ):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit", "exit"):
                broken.append(f"{place(path, node.lineno)} {ast.unparse(node.func)}")
    assert not broken


def test_no_shell_strings() -> None:
    broken = [
        place(path, node.lineno)
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell" and ast.unparse(node.value) == "True"
    ]
    assert not broken


REFUSALS = ("Failed", "UsageError", "CommandFailed")


def _opening(node: ast.expr) -> str | None:
    """What a message begins with, None when it is computed."""
    if isinstance(node, ast.BinOp):
        return _opening(node.left)
    if isinstance(node, ast.JoinedStr):
        return _opening(node.values[0]) if node.values else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_errors_say_what_cannot_be_done() -> None:
    broken = []
    for path, tree in modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call) or not node.exc.args:
                continue
            if ast.unparse(node.exc.func).rsplit(".", 1)[-1] in REFUSALS:
                said = _opening(node.exc.args[0])
                if said is not None and not said.startswith("cannot "):
                    broken.append(f"{place(path, node.lineno)} {said!r}")
    assert not broken


def test_each_verb_takes_what_its_row_says() -> None:
    for verb in VERBS:
        run = importlib.import_module(f"eyas.cli.{verb.module}").run
        taken = [name for name in inspect.signature(run).parameters if name != "context"]
        assert sorted(taken) == sorted(verb.defaults()), verb.name


def test_every_module_says_what_it_is_for() -> None:
    silent = [place(path, 1) for path, tree in modules() if tree.body and not ast.get_docstring(tree)]
    assert not silent


BANNED = ("/work" + "/", "pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian.org")


def test_no_file_names_this_place_or_a_registry() -> None:
    broken = []
    for path in tracked():
        if path.suffix in (".png", ".gz", ".tar") or path.name == "uv.lock":
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        broken += [f"{path.relative_to(ROOT)}: {word}" for word in BANNED if word in text]
    assert not broken


def test_no_two_files_of_tests_have_one_name() -> None:
    """Outside of packages pytest knows a file by its name alone, and collects nothing at all when it meets it twice."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    names = [path.name for path in files]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []
