"""News while something is at work."""

from __future__ import annotations

import io

import pytest

from eyas.cli.progress import Late, Lines, line_of
from eyas.core.events import Event

COMMIT = "511cb63c125ae96ff2b4c373780e5f7b2aba3039593f666826a863668b401135"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("build", "web", "building debs of web"), "build: building debs of web"),
        (Event("lab", "small", "making its disk"), "lab: small: making its disk"),
        (Event("apply", "container:web", "start web"), "apply: start web"),
        (Event("apply", f"tree:{COMMIT}", f"check out {COMMIT}"), "apply: check out 511cb63c125a"),
        (Event("undo", "container:web", "undo: start web"), "undo: start web"),
        (Event("apply", "container:web", "cannot start it", level="warning"), "apply: warning: web: cannot start it"),
    ],
)
def test_a_line_says_nothing_twice(event: Event, line: str) -> None:
    assert line_of(event) == line


def test_lines_leave_out_what_nobody_asked_for() -> None:
    out = io.StringIO()
    lines = Lines(out)
    for event in (Event("a", "", "x"), Event("a", "", "x"), Event("a", "", "detail", level="debug")):
        lines(event)
    assert out.getvalue() == "a: x\n"
    Lines(out, verbose=True)(Event("a", "", "detail", level="debug"))
    assert out.getvalue() == "a: x\na: detail\n"


def test_nothing_is_shown_when_nothing_happens() -> None:
    out = io.StringIO()
    with Late(out) as listener:
        pass
    assert out.getvalue() == ""
    with listener:
        listener(Event("a", "b", "c"))
    assert out.getvalue() == "a: b: c\n"


def test_a_terminal_gets_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    with Late(out) as listener:
        listener(Event("build", "web", "base", 1, 2))
        listener(Event("build", "web", "cannot fetch", level="warning"))
    assert "build: warning: web: cannot fetch" in out.getvalue()
