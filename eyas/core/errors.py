"""Every way in which eyas can say no.

EyasError
├── DefinitionError   the definitions are wrong (exit 2); carries diagnostics
├── UsageError        the command line is wrong (exit 2)
├── Failed            nothing was changed (exit 1)
│   └── Unhealthy     something was done and is not well: the run goes back
├── Undone            something was changed and put back (exit 4)
└── Stuck             a person is needed (exit 5)

Wording: lower case, "cannot X: why"; ``hint`` says what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnostic:
    """One finding about the definitions: where, what, what would be allowed, and what to do."""

    file: str
    line: int
    field: str
    message: str
    hint: str = ""
    severity: str = "error"

    def text(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file else ""
        field = f"{self.field}: " if self.field else ""
        tail = f"\n    hint: {self.hint}" if self.hint else ""
        return f"{where}{self.severity}: {field}{self.message}{tail}"


class EyasError(Exception):
    """Base of all; ``exit_code`` is what the command ends with."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EyasError):
    exit_code = 2


class DefinitionError(EyasError):
    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        count = len(diagnostics)
        super().__init__(f"the definitions have {count} {'error' if count == 1 else 'errors'}")
        self.diagnostics = tuple(diagnostics)


class Failed(EyasError):
    exit_code = 1


class Unhealthy(Failed):
    """Something was done and is not well. ``log``: the last lines that it wrote, ``whose`` they are."""

    def __init__(self, message: str, hint: str = "", *, log: Sequence[str] = (), whose: str = "") -> None:
        super().__init__(message, hint)
        self.log = tuple(log)
        self.whose = whose


class Undone(EyasError):
    exit_code = 4


class Stuck(EyasError):
    exit_code = 5
