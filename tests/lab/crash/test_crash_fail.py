"""A step of a run fails, because it is told to, or for a reason that hosts know: the host is as it was before."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.lab.crash.definitions import AFTER, BEFORE
from tests.lab.crash.rig import Crash, Photo, differences
from tests.lab.rig import Said, share, step_numbers

PLACES = (
    "directory.make", "user.put", "sysctl.set", "unit.write", "unit.start", "names.write", "container.configure",
    "systemd.reload systemd:reload", "container.stop", "user.remove", "container.remove", "firewall.load",
    "file.remove", "container.live", "container.hold", "container.restart", "container.release", "container.watch",
    "container.start", "container.ready",
)  # fmt: skip
"""One of each kind of deed; each day has its turn of a third of them, EYAS_FULL=1 does all."""
NEVER = 'probes=[Probe.tcp(9999, timeout="5s")]'


def undone(rig: Crash, before: Photo, invocations: dict[str, str], said: Said, touched: Sequence[str]) -> None:
    """A run was taken back: told so, nothing is different, and who was not in its way did not notice."""
    assert said.code in (1, 4), said
    assert said.code == 1 or "as it was before" in said.out, said
    assert not rig.open_run()
    found = differences(before, rig.photo())
    assert not found, "\n".join(found)
    now = rig.invocations()
    assert {n: i for n, i in now.items() if n not in touched} == {
        n: i for n, i in invocations.items() if n not in touched
    }


def test_a_step_that_fails_is_undone(rig: Crash, before: Photo) -> None:
    rig.write(AFTER)
    plan = rig.plan()
    stops, restarts = (step_numbers(plan, f"container.{verb}")[0] for verb in ("stop", "restart"))
    wrong = []
    for place in share(PLACES, 3):
        number = step_numbers(plan, place)[-1]
        rig.write(AFTER)
        invocations = rig.invocations()
        touched = ["gone"] * (number > stops) + ["again"] * (number > restarts)
        try:
            said = rig.run("apply", "--yes", fault=f"fail:{number}")
            assert "a test asked it to fail" in said.err, said
            undone(rig, before, invocations, said, touched)
        except AssertionError as error:
            wrong.append(f"--- {place}: {error}")
            rig.restore(BEFORE)
    assert not wrong, "\n".join(wrong)


def test_a_container_that_never_answers(rig: Crash, before: Photo) -> None:
    """Everything is done and started, and then a probe of the new container never passes."""
    invocations = rig.invocations()
    rig.write(AFTER.replace('probes=[Probe.unit("multi-user.target")]', NEVER))
    said = rig.run("apply", "--yes")
    assert said.code == 4, said
    assert "cannot bring up new: the probe tcp 9999 failed" in said.err, said
    assert "hint: look at: journalctl -M new" in said.err, said
    undone(rig, before, invocations, said, ["gone", "again"])
    assert rig.differs(BEFORE) == []


def test_a_change_after_which_a_container_does_not_answer(rig: Crash, before: Photo) -> None:
    """A probe that is new for a running container: looked at without a restart, and taken back without one."""
    invocations = rig.invocations()
    rig.write(BEFORE.replace('needs=["gone"], **small', f'needs=["gone"], {NEVER}, **small'))
    said = rig.run("apply", "--yes")
    assert said.code == 4, said
    assert "cannot bring up live: the probe tcp 9999 failed" in said.err, said
    undone(rig, before, invocations, said, [])
    assert rig.differs(BEFORE) == []


def test_a_container_that_cannot_start(rig: Crash, before: Photo) -> None:
    """Its unit fails: something is bound in the place of its /etc."""
    invocations = rig.invocations()
    rig.write(
        AFTER.replace(
            "**small\n)\nagain", '**{**small, "start_timeout": 10}, binds=[Bind("/dev/null", "/etc")]\n)\nagain'
        ).replace('binds=[Bind("/srv/new", "/data", persistent=True)], ', "")
    )
    said = rig.run("apply", "--yes")
    assert said.code == 4, said
    assert "cannot bring up new" in said.err or "cannot start" in said.err, said
    undone(rig, before, invocations, said, ["gone", "again"])


FULL_DISKS = [
    pytest.param(
        "layers", 32, 4, "cannot do layer.make layer:[0-9a-f]+: cannot make /var/lib/eyas/layers/", id="layers"
    ),
    pytest.param("runs", 512, 1, "eyas: cannot begin a run in /var/lib/eyas/runs: ", id="begin"),
    pytest.param("runs", 1024 + 150, 4, "cannot write (the journal of run|/var/lib/eyas/runs/)", id="journal"),
]


@contextmanager
def full(rig: Crash, folder: str, room: int) -> Iterator[None]:
    """A folder of the host on a file system of its own, with its contents and ``room`` more KiB."""
    script = f"""
        set -e
        mkdir /run/full
        mount -t tmpfs -o size=256M full /run/full
        cp -a {folder}/. /run/full
        used=$(df --output=used --block-size=1K /run/full | tail -1)
        mount -o remount,size=$((used + {room}))K /run/full
        mount --bind /run/full {folder}
    """
    rig.host.succeed("bash", "-c", script)
    try:
        yield
    finally:
        rig.host.succeed("bash", "-c", f"umount {folder}; umount /run/full; rmdir /run/full")


@pytest.mark.parametrize(("folder", "room", "code", "words"), FULL_DISKS)
@pytest.mark.usefixtures("after")  # so that all that is big is there already
def test_a_full_disk(rig: Crash, before: Photo, folder: str, room: int, code: int, words: str) -> None:
    """No room for what a run makes, to begin it, or for its journal on the way: told in one line, and taken back."""
    invocations = rig.invocations()
    big = f"{time.time()} {'more than fits ' * 4000}" if folder == "layers" else ""
    rig.write(AFTER.replace('"two', f'"{big}two', 1))
    with full(rig, f"/var/lib/eyas/{folder}", room):
        said = rig.run("apply", "--yes")
        assert said.code == code, said
        assert re.search(words, said.err), said
        assert "No space left on device\nhint: make room on the disk and try again" in said.err, said
        undone(rig, before, invocations, said, ["gone", "again"])
    assert rig.differs(BEFORE) == []
