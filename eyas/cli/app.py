"""The typer application, made from the table of verbs: help, completion, and words for every mistake.

Only reached when the quick reading gave up, because importing typer costs more than many a command.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eyas.cli.complete import completer
from eyas.cli.read import Call
from eyas.cli.table import Argument, Option, Verb
from eyas.cli.verbs import GLOBALS, GROUPS, VERBS
from eyas.core.errors import UsageError

if TYPE_CHECKING:
    from eyas.cli.table import Values

Handler = Callable[[Call], int]
HELP = "Servers of systemd-nspawn containers from Python definitions; a change touches only what it concerns."
MISTAKE: Any = typer.BadParameter.__bases__[0]  # click's UsageError, wherever this version of typer keeps it
SETTINGS: dict[str, Any] = {"no_args_is_help": True, "rich_markup_mode": None, "pretty_exceptions_enable": False}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def make_app(handle: Handler) -> typer.Typer:
    """The application; ``handle`` is called with what was read."""
    app = typer.Typer(name="eyas", help=HELP, context_settings=CONTEXT, **SETTINGS)
    shared: Values = {option.name: option.default for option in GLOBALS}
    app.callback()(_function(GLOBALS, (), shared.update))
    groups = {}
    for name, text in GROUPS.items():
        groups[name] = typer.Typer(name=name, help=text, context_settings=CONTEXT, **SETTINGS)
        app.add_typer(groups[name])
    for verb in VERBS:
        target = groups[verb.words[0]] if len(verb.words) > 1 else app
        help_text = f"{verb.summary}\n\n{verb.text}".strip()
        target.command(verb.words[-1], help=help_text, short_help=verb.summary)(_command(verb, shared, handle))
    return app


def run_app(words: Sequence[str], handle: Handler) -> int:
    """Let typer read a command line; gives the exit code."""
    app = make_app(handle)
    try:
        result = app(args=list(words), prog_name="eyas", standalone_mode=False)
    except MISTAKE as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(error.format_message() + "\n")
            return int(error.exit_code)
        said = error.format_message().strip().rstrip(".")
        where = error.ctx.command_path if error.ctx else "eyas"
        raise UsageError(
            f"cannot understand the command line: {said[:1].lower()}{said[1:]}", f"see: {where} --help"
        ) from None
    return result if isinstance(result, int) else 0


def _command(verb: Verb, shared: Values, handle: Handler) -> Callable[..., int]:
    def call(values: Values) -> int:
        own = verb.defaults()
        for option in GLOBALS:
            # Given after the verb wins; not given leaves what stood before it.
            value = values.pop(option.name)
            if value not in (None, False):
                shared[option.name] = value
        own.update(values)
        return handle(Call(verb, dict(shared), own))

    return _function((*verb.options, *GLOBALS), verb.arguments, call)


def _function(
    options: Sequence[Option], arguments: Sequence[Argument], call: Callable[[Values], Any]
) -> Callable[..., Any]:
    """A function whose signature says to typer what the rows say."""
    rows: tuple[Option | Argument, ...] = (*arguments, *options)
    parameters = [_parameter(row) for row in rows]

    def function(**values: Any) -> Any:
        taken = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return call(taken)

    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in parameters}
    return function


def _parameter(row: Option | Argument) -> inspect.Parameter:
    kind: Any
    default: Any = row.default
    more: dict[str, Any] = {"help": row.help, "show_default": False}
    if row.complete:
        more["autocompletion"] = completer(row.complete)
    if isinstance(row, Option):
        kind = bool if row.is_flag else ((int if row.number else str) | None)
        if row in GLOBALS:
            more["rich_help_panel"] = "Global options"
        if row.metavar:
            more["metavar"] = row.metavar
        info = typer.Option(*row.flags, **more)
    else:
        kind = list[str] if row.many else (str if row.required else str | None)
        default = inspect.Parameter.empty if row.required else ([] if row.many else None)
        info = typer.Argument(metavar=row.metavar or row.name.upper(), **more)
    annotation = Annotated[kind, info]
    return inspect.Parameter(row.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
