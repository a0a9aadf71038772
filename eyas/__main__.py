"""The entry of the program, and the only place that catches errors and says them.

Exit codes: 0 done or nothing to do · 1 failed, nothing changed · 2 wrong usage or definitions · 3 differences ·
4 failed and undone · 5 stuck · 130 interrupted · 141 whoever read our output has gone.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from eyas.cli.read import Call
    from eyas.core.errors import EyasError

INTERRUPTED = 130
PIPE_CLOSED = 141


def program() -> NoReturn:
    """The command itself. It lives for a second and leaves its memory to the kernel: neither collecting it on the way
    nor taking every object apart at the end is worth a fifth of the processor time of an apply."""
    import gc

    gc.disable()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads it, or it is closed: `main` has said what there is to say
        pass
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; gives the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except KeyboardInterrupt:
        _say("eyas: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # What is left in the buffer has no reader: without this Python complains once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except Exception as error:
        from eyas.core.errors import EyasError

        if isinstance(error, EyasError):
            _say(*_error_lines(error))
            return error.exit_code
        if os.environ.get("EYAS_TRACEBACK", "") not in ("", "0"):
            raise
        text = " ".join(str(error).split())[:300]
        _say(
            f"eyas: internal error: {type(error).__name__}{': ' if text else ''}{text}",
            "hint: this is a bug; run it again with EYAS_TRACEBACK=1 and report what it prints",
        )
        return 1


def _run(words: list[str]) -> int:
    from eyas.cli.read import read

    # Completion is asked for through the environment, with an empty command line: that is typer's.
    call = None if "_EYAS_COMPLETE" in os.environ else read(words)
    if call is not None:
        return _dispatch(call)
    from eyas.cli.app import run_app

    return run_app(words, _dispatch)


def _dispatch(call: Call) -> int:
    from eyas.cli.context import begin_early, context_of

    context = context_of(call.globals)
    if call.verb.looks:
        begin_early(context)
    if call.verb.plans and not (call.values.get("json") or call.values.get("only") or call.values.get("boot")):
        from eyas.cli.settled import settled

        if line := settled(context):
            context.write(line)
            return 0
    from importlib import import_module

    module = import_module(f"eyas.cli.{call.verb.module}")
    code = module.run(context, **call.values)
    sys.stdout.flush()  # here a reader that has gone is still caught
    return int(code or 0)


def _error_lines(error: EyasError) -> list[str]:
    from eyas.core.errors import DefinitionError

    lines = []
    if isinstance(error, DefinitionError):
        lines = [diagnostic.text() for diagnostic in error.diagnostics]
    return [*lines, f"eyas: {error.message}", *([f"hint: {error.hint}"] if error.hint else [])]


def _say(*lines: str) -> None:
    for stream, text in ((sys.stdout, ""), (sys.stderr, "".join(line + "\n" for line in lines))):
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            continue  # nobody is there to read it, its disk is full, or it is closed


if __name__ == "__main__":
    program()
