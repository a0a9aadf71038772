"""Commands in containers: what to start on a host so that it happens inside, with this terminal's streams."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from eyas.cli.context import Context, is_terminal
from eyas.cli.place import choose, noted
from eyas.cli.session import transport
from eyas.core.errors import EyasError, UsageError

IF_IT_RUNS = 'test -e "$0" || { echo "$1" >&2; exit 1; }; shift; exec "$@"'
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def host_of(context: Context, fleet: str) -> str:
    """The host, from what was noted; from the definitions where nothing was noted yet."""
    try:
        return choose(noted(fleet)["hosts"], context.host, context.lab)
    except EyasError:
        from eyas.cli.evaluate import read

        return choose([host.name for host in read(fleet).fleet.hosts], context.host, context.lab)


def known(context: Context, name: str) -> str:
    """The fleet directory, when the name can be a container; UsageError with the nearest name otherwise."""
    fleet = context.fleet()
    names = noted(fleet)["containers"]
    if NAME.fullmatch(name) and (not names or name in names):
        return fleet
    import difflib

    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
    raise UsageError(f"cannot find a container called {name!r} in the definitions", hint)


def replace(context: Context, fleet: str, argv: Sequence[str]) -> NoReturn:
    """Become a command on the host: its streams, signals and exit status are ours."""
    host = host_of(context, fleet)
    become(transport(context, fleet, host).command(argv))


def replace_inside(context: Context, fleet: str, name: str, argv: Callable[[str], Sequence[str]]) -> NoReturn:
    """The same for a command that needs the container to run, made for the machine that it is right now; one line says
    so when it does not run."""
    machine = machine_of(context, fleet, name)
    words = f"eyas: cannot reach {name}: it does not run\nhint: eyas status tells more, eyas apply starts it"
    replace(context, fleet, ["sh", "-c", IF_IT_RUNS, f"/run/systemd/machines/{machine}", words, *argv(machine)])


def machine_of(context: Context, fleet: str, name: str) -> str:
    """The machine that a container is right now: a stateless one may be in its second slot (`eyas.kind.slots`)."""
    from eyas.core import paths
    from eyas.host.command import run
    from eyas.kind.slots import machine

    way = transport(context, fleet, host_of(context, fleet))
    said = run(way.command(["cat", paths.slot(name)]), check=False)
    return machine(name, "b" if said.code == 0 and said.text.strip() == "b" else "a")


def become(argv: Sequence[str]) -> NoReturn:
    """Become a command of this machine."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606 (an argument list; no shell reads it)
    except OSError as error:
        raise EyasError(f"cannot run {argv[0]}: {error.strerror}") from None


def run_inside(name: str, command: Sequence[str], context: Context) -> list[str]:
    """systemd-run(1) in a container: a transient unit there, in its own control group, with its exit status ours.

    A shell in between tells a program that SIGTERM ended (143) from one that did well; systemd takes both for clean.
    """
    both = is_terminal(context.input) and is_terminal(context.out)
    term = os.environ.get("TERM", "")
    return [
        "systemd-run", f"--machine={name}", "--quiet", "--wait", "--collect", "--service-type=exec",
        "--expand-environment=no",  # what ${this} means is for a shell inside to say
        "--pty" if both else "--pipe", "--setenv=HOME=/root", "--setenv=USER=root",
        *([f"--setenv=TERM={term}"] if both and term else []),
        "--", "/bin/sh", "-c", '"$@"; exit "$?"', "sh", *command,
    ]  # fmt: skip
