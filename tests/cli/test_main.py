"""The entry of the program: what it says, and what it ends with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def eyas(*words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "eyas", *words], capture_output=True, text=True, cwd=cwd, check=False,
        env={**os.environ, **env}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_version() -> None:
    done = eyas("version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("eyas ")


def test_help_lists_every_verb() -> None:
    from eyas.cli.verbs import VERBS

    done = eyas("--help")
    assert done.returncode == 0
    assert [v.name for v in VERBS if " " not in v.name and f"  {v.name} " not in done.stdout] == []


def test_a_mistake_ends_with_2_and_a_hint() -> None:
    done = eyas("plan", "--frob")
    assert done.returncode == 2
    assert done.stderr == (
        "eyas: cannot understand the command line: no such option: --frob\nhint: see: eyas plan --help\n"
    )


def test_no_definitions(tmp_path: Path) -> None:
    done = eyas("plan", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"eyas: cannot find fleet.py in {tmp_path} or in a directory above it\nhint: ")


def test_all_findings_are_shown(tmp_path: Path) -> None:
    (tmp_path / "fleet.py").write_text("from eyas import Bridge\na = Bridge('br0', 'x')\nb = Bridge('br 0', 'y/24')\n")
    done = eyas("-C", str(tmp_path), "check")
    assert done.returncode == 2
    assert "fleet.py:2: error: " in done.stderr
    assert "fleet.py:3: error: " in done.stderr
    assert "Traceback" not in done.stderr


FAULTY = """
import sys
import eyas.cli.version
from eyas.__main__ import main
eyas.cli.version.run = lambda context: {}
sys.exit(main())
"""


def faulty(deed: str, **env: str) -> subprocess.CompletedProcess[str]:
    code = FAULTY.format(deed)
    return subprocess.run(
        [sys.executable, "-c", code, "version"], capture_output=True, text=True, check=False, env={**os.environ, **env}
    )


def test_an_error_of_ours_is_one_line() -> None:
    done = faulty("1 / 0")
    assert done.returncode == 1
    assert done.stderr == (
        "eyas: internal error: ZeroDivisionError: division by zero\n"
        "hint: this is a bug; run it again with EYAS_TRACEBACK=1 and report what it prints\n"
    )


def test_a_traceback_on_request() -> None:
    assert "Traceback (most recent call last)" in faulty("1 / 0", EYAS_TRACEBACK="1").stderr


def test_an_interrupt() -> None:
    done = faulty("(_ for _ in ()).throw(KeyboardInterrupt())")
    assert (done.returncode, done.stderr) == (130, "eyas: interrupted\n")


@pytest.mark.parametrize(("kind", "code"), [("Failed", 1), ("UsageError", 2), ("Undone", 4), ("Stuck", 5)])
def test_errors_have_their_exit_codes(kind: str, code: int) -> None:
    done = faulty(f"(_ for _ in ()).throw(__import__('eyas.core.errors').core.errors.{kind}('cannot x: y', 'do z'))")
    assert (done.returncode, done.stderr) == (code, "eyas: cannot x: y\nhint: do z\n")


def test_a_reader_that_goes_away() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{{ {sys.executable} -m eyas --help; echo $? >&2; }} | true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_closed_standard_streams() -> None:
    command = f"exec {sys.executable} -m eyas version <&-"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def loaded_by(*words: str) -> set[str]:
    code = (
        "import sys\nfrom eyas.__main__ import main\nsys.argv[1:] = sys.argv[1:]\nmain()\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    return set(done.stderr.split())


def test_a_plain_command_loads_no_typer() -> None:
    assert not {"typer", "click", "rich", "pydantic"} & loaded_by("version")


def test_a_wrong_one_loads_it() -> None:
    assert "typer" in loaded_by("version", "--help")


@pytest.mark.parametrize("where", [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full", ">/dev/full 2>/dev/full"])
def test_streams_that_cannot_be_written_are_no_riddle(where: str) -> None:
    line = f"{sys.executable} -m eyas version {where}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == (1 if "full" in where else 0)
    assert "Traceback" not in done.stderr
