"""The everyday commands, typed at a shell: what they print, and how they end."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from tests.lab.containers.cells import Cells


def test_exec_passes_streams_and_exit_codes(cells: Cells) -> None:
    said = cells.run("exec", "alpha", "--", "sh", "-c", "cat; echo aside >&2; exit 7", input="through\n")
    assert (said.code, said.out, said.err) == (7, "through\n", "aside\n")
    assert cells.run("exec", "alpha", "--", "true").code == 0
    assert cells.run("exec", "alpha", "--", "sh", "-c", "kill -TERM $$").code == 143
    said = cells.run("exec", "alpha", "--", "no-such-program")
    assert said.code == 127
    assert "no-such-program" in said.err


@pytest.mark.parametrize(("user", "uid"), [((), "0"), (("--user", "kim"), "1001")])
def test_shell_is_a_shell_on_a_terminal(cells: Cells, user: tuple[str, ...], uid: str) -> None:
    command = " ".join(cells.argv("shell", "alpha", *user))
    terminal = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
    with subprocess.Popen(terminal, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as typed:
        assert typed.stdin is not None
        assert typed.stdout is not None
        seen = b""
        while not seen.endswith((b"# ", b"$ ")) and (more := os.read(typed.stdout.fileno(), 1000)):
            seen += more  # the prompt: what is typed before is for nobody
        typed.stdin.write(b"echo $(hostname) $(id -u) $((40 + 2)) $(tty); exit\n")
        typed.stdin.flush()
        while more := os.read(typed.stdout.fileno(), 1000):
            seen += more
        assert f"alpha {uid} 42 /dev/pts/" in seen.decode()
        assert typed.wait(30) == 0


def test_logs_show_and_follow(cells: Cells) -> None:
    cells.succeed("alpha", "logger", "-t", "tale", "first line")
    assert "first line" in cells.eyas("logs", "alpha", "-n", "20")
    with subprocess.Popen(cells.argv("logs", "alpha", "-f", "-n", "1"), stdout=subprocess.PIPE, text=True) as follow:
        try:
            time.sleep(2)
            cells.succeed("alpha", "logger", "-t", "tale", "second line")
            assert follow.stdout is not None
            lines = iter(follow.stdout.readline, "")
            assert any("second line" in line for line in lines)
        finally:
            follow.terminate()


def test_why_names_the_line_that_asked(cells: Cells) -> None:
    for thing in ("alpha", "8080", "5300/udp", "alpha:/usr/local/bin/answer", "/srv/alpha/data", "python3"):
        assert "fleet.py:" in cells.eyas("why", thing), thing
    said = cells.run("why", "nobody-asked")
    assert said.code != 0
    assert said.err.startswith("eyas: cannot")


@pytest.mark.parametrize(
    "verb", [("exec", "alfa", "--", "true"), ("shell", "alfa"), ("logs", "alfa"), ("writes", "alfa")]
)
def test_a_wrong_name_is_one_line_with_the_right_one(cells: Cells, verb: tuple[str, ...]) -> None:
    said = cells.run(*verb)
    assert said.code == 2
    assert said.err == "eyas: cannot find a container called 'alfa' in the definitions\nhint: did you mean alpha?\n"


def test_verbs_say_when_a_container_does_not_run(cells: Cells) -> None:
    cells.switch("stop", "beta")
    try:
        for verb in (("exec", "beta", "--", "true"), ("shell", "beta"), ("writes", "beta")):
            said = cells.run(*verb)
            assert said.code not in (0, 2), verb
            assert "beta" in said.err, said.err
            assert "does not run" in said.err, said.err
            assert "Traceback" not in said.err
    finally:
        cells.switch("start", "beta")


def test_docker_without_its_grant_is_told_before_anything_happens(cells: Cells) -> None:
    cells.edit('docker("/srv/dock")', 'docker("/srv/dock").with_(grants=())')
    said = cells.run("check")
    cells.put_back()
    assert "container dock has docker.io and not the grant docker" in said.out + said.err
    assert 'grants=["docker"]' in said.out + said.err


WRONG = {
    "a grant that there is not": (
        'grants=["tun"],', 'grants=["tuns"],', "tun",
    ),
    "two on one port": (
        "    after=[alpha],", "    after=[alpha], forwards=[Forward(8080)],", "8080",
    ),
    "two on one address": (
        '"beta", "10.0.7.20"', '"beta", "10.0.7.10"', "10.0.7.10",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_refused_before_anything_happens(cells: Cells, what: str) -> None:
    old, new, word = WRONG[what]
    before = cells.host.succeed("sh", "-c", "ls -l --time-style=full-iso /etc/eyas/containers /var/lib/eyas/runs")
    cells.edit(old, new)
    path = cells.directory / "fleet.py"
    try:
        said = cells.run("apply", "--yes")
        assert said.code == 2, said.out
        assert word in said.err
        assert "fleet.py:" in said.err
        assert "Traceback" not in said.err
    finally:
        path.write_text(path.read_text().replace(new, old))
    assert (
        cells.host.succeed("sh", "-c", "ls -l --time-style=full-iso /etc/eyas/containers /var/lib/eyas/runs") == before
    )
