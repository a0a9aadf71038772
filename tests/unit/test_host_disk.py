"""Files are the old or the new one, and what a disk refuses is said."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eyas.core.errors import Failed
from eyas.host.disk import NEW, explained, write_whole


def test_a_file_is_made_with_its_folder_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    write_whole(path, "text\n", 0o640, owner=(os.getuid(), os.getgid()))
    write_whole(path, b"other\n", 0o400)
    assert path.read_text() == "other\n"
    assert path.stat().st_mode & 0o777 == 0o400
    assert [each.name for each in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("leftover", ["file", "folder", "link"])
def test_a_leftover_is_no_obstacle(tmp_path: Path, leftover: str) -> None:
    new, aside = tmp_path / f"file{NEW}", tmp_path / "aside"
    aside.write_text("mine")
    if leftover == "file":
        new.write_text("half")
    elif leftover == "folder":
        (new / "deep").mkdir(parents=True)
    else:
        new.symlink_to(aside)
    write_whole(tmp_path / "file", "whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert aside.read_text() == "mine"
    assert not os.path.lexists(new)


def test_what_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")
    program = (
        "import resource, signal, sys\nfrom eyas.host.disk import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_whole(sys.argv[1], 'x' * 5000)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shared", [False, True])
def test_a_writer_that_is_killed_leaves_old_or_new(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "file"
    write_whole(path, "0" * 100_000)
    program = (
        "import sys\nfrom eyas.host.disk import write_whole\nprint(flush=True)\n"
        f"for n in range(10 ** 6): write_whole(sys.argv[1], str(n % 10) * 100_000, sync=False, shared={shared})\n"
    )
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(30):
                assert len(set(path.read_text())) == 1
            process.send_signal(signal.SIGKILL)
        text = path.read_text()
        assert (len(text), len(set(text))) == (100_000, 1)


def test_two_that_share_a_file_do_not_mix_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    program = (
        "import sys\nfrom eyas.host.disk import write_whole\n"
        "for n in range(100): write_whole(sys.argv[1], sys.argv[2] * 50_000, sync=False, shared=True)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, path, letter]) for letter in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert path.read_text() in [letter * 50_000 for letter in "abc"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "make room"), (errno.EROFS, "read-only"), (errno.EACCES, "root"), (errno.EXDEV, "")],
)
def test_what_is_refused_is_said(number: int, hint: str) -> None:
    with pytest.raises(Failed) as caught, explained("write", "/a/b"):
        raise OSError(number, os.strerror(number))
    assert caught.value.message == f"cannot write /a/b: {os.strerror(number)}"
    assert hint in caught.value.hint
    assert bool(hint) == bool(caught.value.hint)


def test_other_errors_are_not_touched() -> None:
    with pytest.raises(KeyError), explained("write", "/a/b"):
        raise KeyError("x")
