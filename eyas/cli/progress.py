"""Events while something is at work: bars by rich on a terminal, one plain line for each piece of news elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, TextIO

from eyas.cli.context import is_terminal
from eyas.core.events import Event


class Progress(Protocol):
    """A listener that is open while work goes on."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Lines:
    """For logs and pipes: what was done, without repetition; debug news only when asked for."""

    def __init__(self, out: TextIO, verbose: bool = False) -> None:
        self.out = out
        self.verbose = verbose
        self._last = ""

    def __call__(self, event: Event) -> None:
        if event.level == "debug" and not self.verbose:
            return
        line = line_of(event)
        if line == self._last:
            return
        self._last = line
        self.out.write(line + "\n")
        self.out.flush()

    def close(self) -> None:
        return


class Bars:
    """For a terminal: one bar a topic, with what is being done beside it."""

    def __init__(self, out: TextIO, verbose: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Rich

        self.verbose = verbose
        self._console = Console(file=out)
        text = TextColumn("{task.description}", markup=False)
        self._rich = Rich(
            SpinnerColumn(), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), text,
            console=self._console, transient=True,
        )  # fmt: skip
        self._tasks: dict[str, Any] = {}
        self._rich.start()

    def __call__(self, event: Event) -> None:
        if event.level == "warning" or (self.verbose and event.level != "debug"):
            self._console.print(line_of(event), markup=False, highlight=False)
        if event.topic not in self._tasks:
            self._tasks[event.topic] = self._rich.add_task("", total=None)
        task = self._tasks[event.topic]
        self._rich.update(task, description=line_of(event).partition("\n")[0][: max(20, self._console.width - 60)])
        if event.total:
            self._rich.update(task, completed=event.done, total=event.total)

    def close(self) -> None:
        self._rich.stop()


class Late:
    """Begins with the first event, so that a command with nothing to do loads nothing."""

    def __init__(self, out: TextIO, verbose: bool = False) -> None:
        self.out = out
        self.verbose = verbose
        self._open: Progress | None = None

    def __call__(self, event: Event) -> None:
        if self._open is None:
            kind = Bars if is_terminal(self.out) else Lines
            self._open = kind(self.out, self.verbose)
        self._open(event)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> Late:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


def line_of(event: Event) -> str:
    """An event as one line: topic, what it concerns, news; nothing twice."""
    name = _short(event.name.split(":", 1)[-1] if event.topic in ("apply", "undo") else event.name)
    text = _short(event.text)
    if text.startswith(f"{event.topic}: "):
        text = text.removeprefix(f"{event.topic}: ")
    prefix = "warning: " if event.level == "warning" else ""
    about = f"{name}: " if name and name not in text else ""
    return f"{event.topic}: {prefix}{about}{text}"


def _short(line: str) -> str:
    """The line with its digests cut to what tells them apart."""
    import re

    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{28,52}\b", r"\1", line)
