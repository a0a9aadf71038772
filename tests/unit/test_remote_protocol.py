"""Frames on the wire, and an agent that answers them."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eyas.core.errors import Failed, Stuck
from eyas.core.events import Event
from eyas.core.words import Json, Phase, Plan, Step
from eyas.kind import KINDS
from eyas.remote import protocol
from eyas.remote.agent.serve import Agent
from tests.toys import Machines, Toy
from tests.world import World


def test_a_frame_comes_back() -> None:
    stream = io.BytesIO()
    message: dict[str, Json] = {"do": "observe", "text": "ä", "list": [1, None, True]}
    protocol.send(stream, message)
    protocol.send(stream, {})
    stream.seek(0)
    assert protocol.receive(stream) == message
    assert protocol.receive(stream) == {}
    assert protocol.receive(stream) is None


def test_a_login_banner_is_told_from_a_frame() -> None:
    with pytest.raises(protocol.Foreign, match="Welcome to Debian"):
        protocol.receive(io.BytesIO(b"Welcome to Debian\n"))


def test_a_stream_that_ends_in_a_frame_is_lost() -> None:
    with pytest.raises(protocol.Lost, match="2 of 9 bytes"):
        protocol.receive(io.BytesIO(b"\0\0\0\x09{}"))


def test_errors_keep_type_hint_and_exit_code() -> None:
    error = protocol.error_from_json(protocol.error_to_json(Stuck("cannot x: y", "do z")))
    assert isinstance(error, Stuck)
    assert (error.message, error.hint, error.exit_code) == ("cannot x: y", "do z", 5)
    other = protocol.error_from_json({"kind": "Unheard", "message": "m", "exit_code": 4})
    assert isinstance(other, Failed)
    assert other.exit_code == 4


def test_events_come_back() -> None:
    event = Event("apply", "container:web", "restart", 2, 5, "warning")
    assert protocol.event_from_json(protocol.event_to_json(event)) == event


class Talk:
    """An agent in a thread, with a world in memory."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.folder = folder
        ours, theirs = os.pipe(), os.pipe()
        self.out = os.fdopen(ours[1], "wb")
        self.into = os.fdopen(theirs[0], "rb")
        requests, answers = os.fdopen(ours[0], "rb", buffering=0), os.fdopen(theirs[1], "wb")
        self.agent = Agent(requests, answers, lambda: self.world, str(folder / "runs"), str(folder / "lock"))
        self.thread = threading.Thread(target=self.agent.serve)
        self.thread.start()

    def ask(self, do: str, **more: Json) -> dict[str, Json]:
        protocol.send(self.out, {"v": 1, "do": do, **more})
        while True:
            message = protocol.receive(self.into)
            assert message is not None
            if "event" not in message:
                return message

    def end(self) -> None:
        self.out.close()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    before = dict(KINDS)
    machines = Machines()
    KINDS.clear()
    KINDS.update({"toy": Toy(), "container": machines})
    # Signals belong to the main thread, which here is the test's.
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    talk = Talk(tmp_path)
    yield talk
    talk.end()
    KINDS.clear()
    KINDS.update(before)


def one(text: str) -> Json:
    return Plan("h", (), (Step("toy", "put", "/t/a", Phase.prepare, {"text": text}),)).to_json()


def test_the_agent_observes(talk: Talk) -> None:
    result = talk.ask("observe")["result"]
    assert isinstance(result, dict)
    assert result["interrupted"] is None
    resources = result["resources"]
    assert isinstance(resources, list)
    assert len(resources) == 2


def test_the_agent_applies_and_remembers(talk: Talk) -> None:
    result = talk.ask("apply", plan=one("new"), desired=[], who="ann@desk")["result"]
    assert isinstance(result, dict)
    assert result["result"] == "kept"
    assert talk.world.files.read("/t/a") == b"new"
    past = talk.ask("history")["result"]
    assert isinstance(past, list)
    assert isinstance(past[0], dict)
    assert past[0]["who"] == "ann@desk"
    assert talk.ask("desired", run=result["run"])["result"] == []


def test_the_agent_refuses_a_plan_for_a_host_that_has_changed(talk: Talk) -> None:
    error = talk.ask("apply", plan=one("new"), desired=[], seen="something else")["error"]
    assert isinstance(error, dict)
    assert "changed since the plan was made" in str(error["message"])
    assert talk.world.files.read("/t/a") is None


def test_a_failed_run_is_a_result_and_a_broken_request_an_error(talk: Talk) -> None:
    result = talk.ask("apply", plan=one("refuse"), desired=[])["result"]
    assert isinstance(result, dict)
    assert result["exit_code"] == 4
    error = talk.ask("dance")["error"]
    assert isinstance(error, dict)
    assert error["exit_code"] == 2
    error = talk.ask("apply", plan={"version": 9}, desired=[])["error"]
    assert isinstance(error, dict)
    assert "version 9" in str(error["message"])


def test_a_run_goes_on_without_its_operator(talk: Talk) -> None:
    protocol.send(talk.out, {"v": 1, "do": "apply", "plan": one("new"), "desired": []})
    talk.out.close()
    talk.into.close()
    talk.thread.join(5)
    assert talk.world.files.read("/t/a") == b"new"
    assert not (talk.folder / "runs/current").is_symlink()


def test_an_interrupt_on_the_wire_ends_the_run_backwards(talk: Talk) -> None:
    protocol.send(talk.out, {"v": 1, "do": "apply", "plan": one("new"), "desired": []})
    protocol.send(talk.out, {"v": 1, "do": "interrupt"})
    while "result" not in (message := protocol.receive(talk.into) or {}):
        pass
    result = message["result"]
    assert isinstance(result, dict)
    assert result["result"] in ("failed", "undone", "kept")  # kept, when the interrupt came too late
    if result["result"] != "kept":
        assert result["exit_code"] == 130


def test_an_interrupted_run_is_shown_and_must_be_recovered_first(talk: Talk) -> None:
    from eyas.apply.journal import Runs

    journal = Runs(talk.folder / "runs").begin(Plan("h", (), ()), {})
    journal.close()
    result = talk.ask("observe")["result"]
    assert isinstance(result, dict)
    assert result["interrupted"] == journal.id
    error = talk.ask("apply", plan=one("new"), desired=[])["error"]
    assert isinstance(error, dict)
    assert error["hint"] == "run: eyas recover"
    assert isinstance(talk.ask("recover")["result"], dict)
    assert talk.ask("recover")["result"] is None


def test_one_run_at_a_time(talk: Talk) -> None:
    from eyas.apply.lock import locked

    with locked("bob@desk", str(talk.folder / "lock")):
        error = talk.ask("apply", plan=one("new"), desired=[])["error"]
    assert isinstance(error, dict)
    assert "bob@desk" in str(error["message"])
