"""Who may end a run early: signals that ask, the operator's word; not a hang-up, not a closed stream."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from eyas.apply.lock import locked
from eyas.core.errors import Failed
from eyas.remote.agent.signals import Stop
from eyas.remote.protocol import send


def pipe() -> tuple[int, int]:
    return os.pipe()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_and_does_not_kill(number: signal.Signals) -> None:
    read, write = pipe()
    with os.fdopen(read, "rb", buffering=0) as requests, os.fdopen(write, "wb"), Stop(requests) as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
    assert signal.getsignal(number) is not stop._ask


def test_a_hang_up_and_a_closed_stream_do_not_ask() -> None:
    read, write = pipe()
    with os.fdopen(read, "rb", buffering=0) as requests, Stop(requests) as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        os.close(write)
        assert not stop()
        assert not stop()


def test_the_operator_asks_on_the_wire() -> None:
    read, write = pipe()
    with os.fdopen(read, "rb", buffering=0) as requests, os.fdopen(write, "wb") as answers, Stop(requests) as stop:
        send(answers, {"do": "something else"})
        assert not stop()
        send(answers, {"do": "interrupt"})
        assert stop()


def test_the_lock_is_held_by_one_and_free_afterwards(tmp_path: Path) -> None:
    path = str(tmp_path / "run/lock")
    with locked("ann@desk", path), pytest.raises(Failed, match="ann@desk"), locked("bob@desk", path):
        pass
    with locked("bob@desk", path):
        pass
