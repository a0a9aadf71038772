"""Containers in a container, loop devices and bootable images: after every start."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.limits.rig import Tenants
from tests.lab.rig import FULL

pytestmark = pytest.mark.long

MARKER = "eyas: the image has booted"
INIT = f"""\
#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
echo "{MARKER} $(cat /proc/sys/kernel/ostype)"
poweroff -f
"""


@pytest.mark.parametrize("start", range(50 if FULL else 3))
def test_nesting_works_after_each_start(tenants: Tenants, start: int) -> None:
    tenants.switch("restart", "nest")
    tenants.wait_unit("nest", "nested-chroot.service")
    said = tenants.inside(
        "nest",
        # Asked through the bus of the nested one, and by its own manager.
        "systemd-run --machine=chroot --quiet --pipe --wait sh -c '"
        "hostname; cat /proc/1/comm; touch /build/x; cat /sys/fs/cgroup/cgroup.controllers'; "
        "machinectl list --no-legend | wc -l",
    )
    assert said.splitlines()[:2] == ["chroot", "systemd"]
    assert said.splitlines()[-1].strip() == "1"
    # Limits that the manager of the container sets hold for what it nests, wherever the kernel has them.
    tenants.inside("nest", "systemctl set-property --runtime nested-chroot.service TasksMax=50 MemoryMax=300M")
    shown = tenants.inside("nest", "systemctl show --property=TasksMax,MemoryMax nested-chroot.service")
    assert shown.split() == ["MemoryMax=314572800", "TasksMax=50"]
    # Nothing of it is left when it stops, and it starts again.
    tenants.inside("nest", "systemctl stop nested-chroot.service")
    assert tenants.inside("nest", "grep -c nested /proc/self/mountinfo || true").strip() == "0"
    tenants.inside("nest", "systemctl start nested-chroot.service")


def test_loop_devices_after_a_restart(tenants: Tenants) -> None:
    before = tenants.succeed("host", "losetup", "--list", "--noheadings")
    tenants.switch("restart", "isos")
    assert tenants.unit("isos", "ActiveState")["ActiveState"] == "active"
    tenants.wait_unit("isos", "loop-check.service")
    assert tenants.succeed("host", "losetup", "--list", "--noheadings") == before


def test_an_image_that_is_built_there_boots(tenants: Tenants, tmp_path: Path) -> None:
    build = f"""cd /srv/isos; mkdir -p tree; echo {MARKER} >tree/proof; cat >init <<'END'
{INIT}END
/usr/local/lib/eyas/iso-build /srv/isos/small.iso init tree"""
    tenants.inside("isos", build, timeout=120)
    image = tmp_path / "small.iso"
    shutil.copy(tenants.host.root / "srv/isos/small.iso", image)
    machine = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max,cx16=off", "-m", "512", "-nodefaults",
        "-no-reboot", "-display", "none", "-serial", "stdio", "-cdrom", str(image), "-boot", "d",
    ]  # fmt: skip
    done = subprocess.run(machine, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    assert f"{MARKER} Linux" in done.stdout, done.stdout[-3000:] + done.stderr[-2000:]
