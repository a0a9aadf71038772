"""What the agent does without an operator: recovery, at boot or by hand, and compiling itself."""

from __future__ import annotations

import os
import py_compile
import sys

from eyas.core.errors import EyasError
from eyas.core.events import Event


def recover(*, boot: bool, accept: bool) -> int:
    """End an interrupted run; the exit status is that of its outcome, but 0 when the host is whole again."""
    from eyas.apply.journal import Runs
    from eyas.apply.lock import locked
    from eyas.apply.recover import recover as end
    from eyas.remote.agent.real import system

    try:
        with locked("recovery"):
            outcome = end(system(), Runs(), _tell, boot=boot, accept=accept)
    except EyasError as error:
        _say(f"{error.message}\nhint: {error.hint}" if error.hint else error.message)
        return error.exit_code
    if outcome is None:
        _say("no run was interrupted")
        return 0
    _say(f"run {outcome.run}: {outcome.result}")
    for line in (*outcome.hands, *outcome.warnings):
        _say(line)
    if outcome.hint:
        _say(f"hint: {outcome.hint}")
    return 5 if outcome.hands else 0


BUSY = 1800.0  # seconds that the timer waits for a run to end


def renew() -> int:
    """What the timer of certificates does. Not while a run is open: its way back needs what it has seen."""
    import time

    from eyas.apply.journal import Runs
    from eyas.apply.lock import holder, locked
    from eyas.kind.certificate.renew import renew_due
    from eyas.remote.agent.real import system

    until = time.monotonic() + BUSY
    while holder() is not None and time.monotonic() < until:
        time.sleep(5)
    try:
        with locked("renewal of certificates"):
            if Runs().current() is not None:
                _say("a run is open: eyas recover ends it; certificates wait")
                return 1
            errors = renew_due(system())
    except EyasError as error:
        _say(error.message)
        return error.exit_code
    for name, why in sorted(errors.items()):
        _say(f"cannot renew certificate {name}: {why}")
    return 1 if errors else 0


def _tell(event: Event) -> None:
    _say(event.text)


def _say(text: str) -> None:
    sys.stderr.write(f"eyas: {text}\n")
    sys.stderr.flush()


def compile_all() -> int:
    """Compile every module of this agent, by this Python, and sync the results: bytecode that a power cut left half
    written would keep recovery from starting."""
    here = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120 (as the launcher: without pathlib)
    top = here.rsplit("/", 2)[0]
    for base, _folders, names in os.walk(top):
        for name in names:
            if name.endswith(".py"):
                made = py_compile.compile(f"{base}/{name}", doraise=True)
                assert made is not None
                handle = os.open(made, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
    return 0
