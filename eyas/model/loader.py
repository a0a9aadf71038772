"""Evaluate ``fleet.py``. Everything that can go wrong in it becomes a finding at the user's own line."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import base, origin
from eyas.model.base import Collector, Unknown
from eyas.model.cache import Dependency, Recorder
from eyas.model.explain import explain
from eyas.model.machines import Fleet

FILE = "fleet.py"


@dataclass(frozen=True)
class Loaded:
    """A fleet, and what it was made from: ``sources`` are the files below its directory with their SHA-256,
    ``dependencies`` everything that was read (for the evaluation cache)."""

    fleet: Fleet
    sources: tuple[tuple[str, str], ...]
    directory: Path
    dependencies: list[Dependency] = field(default_factory=list)


def load(path: Path) -> Loaded:
    """The fleet that ``fleet.py`` in this directory (or this file) declares.

    Raises DefinitionError with all findings: errors of the language, exceptions, refused values; when there are any,
    also what ``check`` finds in the rest.
    """
    file = Path(os.path.abspath(path / FILE if path.is_dir() else path))  # noqa: PTH100  (without "..", links kept)
    directory = file.parent
    if not file.is_file():
        raise DefinitionError([_missing(file)])
    with _evaluation(directory) as (collector, recorder):
        module = _run(file, collector)
        fleet = _fleet(module, file, collector) if module is not None else None
        if collector.findings or fleet is None:
            raise DefinitionError(_all(collector, fleet))
    dependencies = recorder.dependencies()
    inside = str(directory) + "/"
    sources = tuple(
        (path, digest) for path, kind, *_, digest in dependencies if kind == "file" and path.startswith(inside)
    )
    return Loaded(fleet, sources, directory, dependencies)


def _missing(file: Path) -> Diagnostic:
    there = file.parent.is_dir()
    hint = f"write {FILE}, or name the directory that holds it" if there else f"there is no directory {file.parent}"
    return Diagnostic(str(file), 0, "", "cannot load the fleet: there is no such file", hint)


@contextlib.contextmanager
def _evaluation(directory: Path) -> Iterator[tuple[Collector, Recorder]]:
    """The circumstances of a load, put back afterwards: what definitions print goes to standard error."""
    finder, collector, recorder = Definitions(str(directory)), Collector(), Recorder(str(directory))
    root, before = origin.set_root(str(directory)), base.collect(collector)
    written = sys.dont_write_bytecode
    _purge(directory)
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(directory))
    sys.dont_write_bytecode = True
    try:
        with contextlib.redirect_stdout(sys.stderr), recorder:
            yield collector, recorder
    finally:
        sys.dont_write_bytecode = written
        sys.path.remove(str(directory))
        sys.meta_path.remove(finder)
        base.collect(before)
        origin.set_root(root)
        _purge(directory)


class Fresh(SourceFileLoader):
    """Reads the source each time: compiled files tell changes apart by the second only."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class Definitions:
    """Finds the modules of the fleet directory, before anything installed of the same name."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for entry in (self.directory,) if path is None else path:
            if entry == self.directory or entry.startswith(self.directory + "/"):
                spec = FileFinder(entry, (Fresh, [".py"])).find_spec(fullname, target)
                if spec is not None and spec.loader is not None:
                    return spec
        return None


def _purge(directory: Path) -> None:
    """Forget the modules of this directory, so that the next load reads them anew."""
    inside = str(directory) + "/"
    for name, module in list(sys.modules.items()):
        places = [getattr(module, "__file__", None) or "", *(getattr(module, "__path__", None) or [])]
        if name == "fleet" or any(str(place).startswith(inside) for place in places):
            del sys.modules[name]
    importlib.invalidate_caches()


def _run(file: Path, collector: Collector) -> ModuleType | None:
    """The evaluated module; None when it ended with an exception, which is among the findings then."""
    module = ModuleType("fleet")
    module.__file__ = str(file)
    sys.modules["fleet"] = module
    try:
        code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102  (definitions are a program of the user's)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        collector.findings += explain(error, file, follow_up=collector.tainted)
        return None
    return module


def _fleet(module: ModuleType, file: Path, collector: Collector) -> Fleet | None:
    fleet = getattr(module, "fleet", None)
    if isinstance(fleet, Fleet):
        return fleet
    if not isinstance(fleet, Unknown):
        collector.findings.append(_no_fleet(module, file, fleet))
    return None


def _no_fleet(module: ModuleType, file: Path, fleet: object) -> Diagnostic:
    shown = origin.show(str(file))
    lines = file.read_text(errors="replace").splitlines()
    if fleet is None:
        others = [(name, value) for name, value in vars(module).items() if isinstance(value, Fleet)]
        hint = f'call "{others[0][0]}" fleet' if others else "end the file with fleet = Fleet(Host(...))"
        line = origin.split(others[0][1].origin)[1] if others else max(len(lines), 1)
        return Diagnostic(shown, line, "fleet", f"cannot find the fleet: {shown} does not define it", hint)
    kind = type(fleet).__name__
    line = next((n for n, text in enumerate(lines, 1) if text.replace(" ", "").startswith("fleet=")), 1)
    hint = "write fleet = Fleet(Host(...))" if kind != "Host" else "write fleet = Fleet(host)"
    return Diagnostic(shown, line, "fleet", f"cannot use a {kind} as the fleet: allowed is Fleet", hint)


def _all(collector: Collector, fleet: Fleet | None) -> list[Diagnostic]:
    """Every finding once, in the order of the files; with those of ``check`` on what could be made."""
    from eyas.model.rules import check

    findings = list(collector.findings)
    if fleet is not None:
        findings += check(fleet, unknown=collector.unknown, advice=False)
    return sorted(dict.fromkeys(findings), key=lambda d: (d.file != FILE, d.file, d.line))
