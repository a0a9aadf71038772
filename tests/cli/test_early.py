"""The agent that is started blindly: only as noted, and only while all that the note says holds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyas.remote import early

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """A note that starts cat(1), which answers with the request."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("1")
    (tmp_path / "launcher").touch()
    path = tmp_path / "cache" / "agent"
    early.note(
        str(path), ["cat"], ENV, b"\x00hello\n", [str(tmp_path / "code")], [str(tmp_path / "launcher")], [os.getpid()]
    )
    return path


def test_it_starts_and_has_been_asked(noted: Path) -> None:
    started = early.begin(str(noted))
    assert started is not None
    assert started.stdin is not None
    assert started.stdout is not None
    started.stdin.close()
    assert started.stdout.read() == b"\x00hello\n"
    assert started.wait(timeout=10) == 0
    assert os.getpgid(0) != started.pid


def test_an_interrupt_of_the_terminal_does_not_reach_it(noted: Path) -> None:
    started = early.begin(str(noted))
    assert started is not None
    assert os.getsid(started.pid) == started.pid
    started.kill()
    assert started.wait(timeout=10) == -9


def test_nothing_noted_nothing_started(tmp_path: Path) -> None:
    assert early.begin(str(tmp_path / "none")) is None


def test_another_version_of_the_agent(noted: Path, tmp_path: Path) -> None:
    (tmp_path / "code" / "a.py").write_text("22")
    assert early.begin(str(noted)) is None


def test_a_new_file_of_the_agent(noted: Path, tmp_path: Path) -> None:
    (tmp_path / "code" / "b.py").write_text("")
    assert early.begin(str(noted)) is None


def test_a_host_that_lost_the_agent(noted: Path, tmp_path: Path) -> None:
    (tmp_path / "launcher").unlink()
    assert early.begin(str(noted)) is None


def test_a_lab_host_that_was_booted_again(noted: Path) -> None:
    text = noted.read_text().replace(f"process {os.getpid()} ", f"process {os.getpid()} 9")
    noted.write_text(text)
    assert early.begin(str(noted)) is None


def test_a_lab_host_that_was_gone_when_it_was_noted(noted: Path, tmp_path: Path) -> None:
    gone = os.spawnvp(os.P_NOWAIT, "true", ["true"])
    os.waitpid(gone, 0)
    path = tmp_path / "cache" / "gone"
    early.note(str(path), ["cat"], ENV, b"", [str(tmp_path / "code")], [], [gone])
    assert not path.exists()
    lines = [f"process {gone} " if line.startswith("process ") else line for line in noted.read_text().splitlines()]
    noted.write_text("\n".join(lines) + "\n")
    assert early.begin(str(noted)) is None


def test_a_lab_host_whose_end_nobody_has_taken_notice_of(noted: Path) -> None:
    """What is left of its first process is still listed, with the time of its start, and has no namespaces."""
    process = os.spawnvp(os.P_NOWAIT, "true", ["true"])
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)  # over, and not waited for
    since = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    lines = noted.read_text().splitlines()
    lines = [f"process {process} {since}" if line.startswith("process ") else line for line in lines]
    noted.write_text("\n".join(lines) + "\n")
    try:
        assert early.begin(str(noted)) is None
    finally:
        os.waitpid(process, 0)


def test_a_note_that_others_can_write_is_not_believed(noted: Path) -> None:
    noted.chmod(0o620)
    assert early.begin(str(noted)) is None


@pytest.mark.parametrize(
    "damage", ["", "eyas agent 1\n", "eyas agent 2\n", "eyas agent 1\nargv cat\nrequest zz\nstamp x\n"]
)
def test_damage_is_no_error(noted: Path, damage: str) -> None:
    noted.write_text(damage)
    noted.chmod(0o600)
    assert early.begin(str(noted)) is None


def test_a_program_that_is_not_there(noted: Path) -> None:
    noted.write_text(noted.read_text().replace("argv cat", "argv no-such-program"))
    assert early.begin(str(noted)) is None
