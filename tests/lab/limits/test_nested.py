"""Containers in a container, loop devices and bootable images: after every start."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.limits.rig import Tenants
from tests.lab.rig import FULL

pytestmark = pytest.mark.long

SELFTEST = "/usr/local/lib/eyas/proofs/nspawn"
NEST = '"nest", "10.0.8.40", base, parts=[nspawn_builder()],'
MORE = ' packages=["hello"],'
BROKEN = ' files={"/usr/bin/systemd-nspawn": File("#!/bin/sh\\necho it is broken >&2; exit 1\\n", mode=0o755)},'

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
    assert tenants.inside("nest", SELFTEST) == "systemd-nspawn boots a nested container"
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


def test_a_new_root_is_proved_by_a_nested_container(tenants: Tenants) -> None:
    """In a scratch container, before the one that runs gets it; what does not stand that is refused."""
    before = tenants.invocations()
    tenants.edit(NEST, NEST + MORE + BROKEN)
    said = tenants.run("apply", "--yes")
    assert said.code == 4, said
    assert "cannot give nest its new root: systemd-nspawn cannot boot a nested container: it is broken" in said.err
    assert tenants.invocations() == before
    tenants.edit(BROKEN, "")
    (change,) = [change for change in tenants.plan()["changes"] if change["id"] == "container:nest"]
    assert change["fields"][0]["note"] == "package hello added, proved first in a scratch container (nspawn)"
    tenants.apply()
    assert tenants.inside("nest", SELFTEST) == "systemd-nspawn boots a nested container"
    assert {name for name, start in tenants.invocations().items() if before[name] != start} == {"nest"}
    assert tenants.succeed("host", "sh", "-c", "grep -c canary /proc/self/mountinfo || true") == "0"


def test_loop_devices_after_a_restart(tenants: Tenants) -> None:
    before = tenants.succeed("host", "losetup", "--list", "--noheadings")
    tenants.switch("restart", "isos")
    assert tenants.unit("isos", "ActiveState")["ActiveState"] == "active"
    tenants.wait_unit("isos", "loop-check.service")
    assert tenants.succeed("host", "losetup", "--list", "--noheadings") == before


def test_loop_devices_in_a_privileged_container_of_docker(tenants: Tenants) -> None:
    """Where images are built on the real fleet. Its programs are those of the container around it."""
    made = """rm -rf /var/tmp/bare; mkdir -p /var/tmp/bare/usr /var/tmp/bare/var/tmp /var/tmp/bare/etc; cd /var/tmp/bare
    ln -s usr/bin bin; ln -s usr/sbin sbin; ln -s usr/lib lib; ln -s usr/lib64 lib64
    tar --create . | docker import - bare:1"""
    tenants.edit("import ci_runner,", "import ci_runner, docker,")
    tenants.edit('iso_images("/srv/isos")]', 'iso_images("/srv/isos"), docker("/srv/docker")]')
    tenants.apply()
    tenants.inside("isos", made)
    run = "docker run --rm --privileged --volume=/usr:/usr:ro bare:1 /usr/local/lib/eyas/loop-check /var/tmp"
    for _ in range(2):
        assert "works" in tenants.inside("isos", run, timeout=120)
        tenants.switch("restart", "isos")


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
