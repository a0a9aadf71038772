"""An exception out of the user's file, as a finding at the user's innermost line, with the likely slip."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path
from types import FrameType, TracebackType

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import origin
from eyas.model.base import Unknown
from eyas.model.values import nearest


def explain(error: BaseException, file: Path, *, follow_up: bool) -> list[Diagnostic]:
    """Findings for an exception; none when it only follows from one that is reported already."""
    if isinstance(error, DefinitionError):
        return list(error.diagnostics)
    if follow_up and Unknown.__name__ in str(error):
        return []
    if isinstance(error, SyntaxError):
        return [_syntax(error, file)]
    frame, line = _innermost(error.__traceback__, file)
    shown = origin.show(frame.f_code.co_filename) if frame is not None else origin.show(str(file))
    message, hint = _words(error, frame)
    return [Diagnostic(shown, line, "", message, hint)]


def _syntax(error: SyntaxError, file: Path) -> Diagnostic:
    text = (error.text or "").strip()
    hint = f"the line reads: {text}" if text else ""
    shown = origin.show(error.filename or str(file))
    return Diagnostic(shown, error.lineno or 1, "", f"cannot read this line: {error.msg}", hint)


def _innermost(tb: TracebackType | None, file: Path) -> tuple[FrameType | None, int]:
    """The deepest line of a file below the fleet directory."""
    inside, found = str(file.parent) + "/", (None, 1)
    deepest: tuple[FrameType | None, int] = found
    while tb is not None:
        if tb.tb_frame.f_code.co_filename.startswith(inside):
            deepest = (tb.tb_frame, tb.tb_lineno)
        tb = tb.tb_next
    return deepest


def _words(error: BaseException, frame: FrameType | None) -> tuple[str, str]:
    """Message and hint."""
    if isinstance(error, SystemExit):
        return "cannot evaluate this line: it ends the program", "definitions declare; raise an exception to refuse"
    if isinstance(error, RecursionError):
        return (
            "cannot evaluate this line: the calls never end (recursion)",
            "a function calls itself, without a way out",
        )
    if isinstance(error, OSError) and error.filename is not None:
        name = origin.show(str(error.filename))
        return f"cannot read {name}: {(error.strerror or str(error)).lower()}", _like(Path(str(error.filename)))
    return f"cannot evaluate this line: {type(error).__name__}: {_text(error)}", _hint(error, frame)


def _text(error: BaseException) -> str:
    """What an exception says, without paths of this machine, and complete."""
    if isinstance(error, AttributeError) and str(error) == error.name:
        return f"{getattr(error.obj, '__name__', type(error.obj).__name__)} has no {error.name!r}"
    return re.sub(r" \((/[^)]*|unknown location)\)$", "", str(error)) if isinstance(error, ImportError) else str(error)


def _like(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no directory {origin.show(str(path.parent))}"
    near = nearest(path.name, sorted(entry.name for entry in path.parent.iterdir()))
    return f'did you mean "{near}"?' if near else "a relative path starts at the file that names it"


def _hint(error: BaseException, frame: FrameType | None) -> str:
    known: list[str] = []
    wanted = ""
    if isinstance(error, NameError) and frame is not None:
        wanted = error.name or ""
        known = [*frame.f_locals, *frame.f_globals, *dir(builtins)]
        import eyas

        if wanted in eyas.__all__:
            return f"add it to the line: from eyas import {wanted}"
    elif isinstance(error, AttributeError) and error.name:
        wanted, known = error.name, [name for name in dir(error.obj) if not name.startswith("_")]
    elif isinstance(error, ModuleNotFoundError):
        wanted, known = error.name or "", _modules(error.name or "", frame)
    elif isinstance(error, ImportError):
        match = re.search(r"cannot import name '(\w+)'", str(error))
        module = sys.modules.get(error.name or "")
        wanted = match[1] if match else ""
        known = [*dir(module), *getattr(module, "__all__", ())] if module else []
    near = nearest(wanted, known) if wanted else ""
    return f'did you mean "{near}"?' if near and near != wanted else ""


def _modules(name: str, frame: FrameType | None) -> list[str]:
    """Modules of the same package, or beside the file."""
    parent = name.rpartition(".")[0]
    if parent in sys.modules and hasattr(sys.modules[parent], "__path__"):
        folders, prefix = [Path(p) for p in sys.modules[parent].__path__], f"{parent}."
    else:
        folders, prefix = [Path(frame.f_code.co_filename).parent] if frame is not None else [], ""
    return ["eyas", *(prefix + entry.stem for folder in folders for entry in folder.glob("*.py"))]
