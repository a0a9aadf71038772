"""The root of a container, its start and its end, as our scripts and the unit make them on a real systemd.

The tree is the lab host's own system by hard links, so nothing is downloaded; the texts are those that the container
kind writes. The way through definitions, plan and apply is tested elsewhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any, TypeAlias

import pytest

from eyas.core import paths
from eyas.host.shell import script
from eyas.kind.container.disk import spec_text
from eyas.kind.container.text import render_env, render_limits, render_unit
from eyas.lab.testing import Host
from tests.unit.test_kind_container_text import spec

TREE = "lab"
MACHINE = "0123456789abcdef0123456789abcdef"
ADDRESS = "10.99.0.2"
UNIT = paths.unit_name("cell")
Make: TypeAlias = Callable[..., dict[str, Any]]

SETTINGS = {
    "/etc/machine-id": MACHINE + "\n",
    "/etc/systemd/system.conf.d/50-eyas.conf": "[Manager]\nDefaultTimeoutStopSec=3s\n",
    "/etc/systemd/system/address.service": f"""\
[Unit]
DefaultDependencies=no
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip address replace {ADDRESS}/24 dev host0
ExecStart=ip link set host0 up
""",
    "/etc/systemd/system/page.service": """\
[Service]
ExecStart=python3 -m http.server --directory /etc/systemd/system.conf.d 8000
""",
    "/etc/systemd/system/stubborn.service": """\
[Service]
ExecStart=sh -c 'trap : TERM; while :; do sleep 1; done'
""",
}
WANTED = ("address.service", "page.service", "stubborn.service")


def put(host: Host, path: str, text: str, mode: str = "0644") -> None:
    host.succeed("install", "-D", "-m", mode, "/dev/stdin", path, input=text)


@pytest.fixture(scope="module")
def ground(host: Host) -> Iterator[None]:
    """A tree, our scripts, a bridge."""
    tree = paths.tree(TREE)
    host.succeed("mkdir", "-p", tree)
    host.succeed("sh", "-c", f"cp -al /usr /etc /bin /sbin /lib /lib64 {tree}/", timeout=300)
    host.succeed(
        "sh", "-c", f"mkdir {tree}/var && cd /var && cp -al --parents lib/dbus lib/systemd cache log {tree}/var/"
    )
    host.succeed("rm", "-rf", f"{tree}/var/log/journal", f"{tree}/etc/systemd/network", f"{tree}/etc/hostname")
    host.succeed("mkdir", "-p", *(f"{tree}/{name}" for name in ("proc", "sys", "dev", "run", "root")))
    host.succeed("install", "-d", "-m", "1777", f"{tree}/tmp")
    scripts = resources.files("eyas.kind") / "scripts"
    for name in ("root-up", "root-down", "probe"):
        put(host, f"{paths.PROGRAMS}/{name}", script((scripts / f"{name}.sh").read_text()), "0755")
    host.succeed("ip", "link", "add", "eyas-t0", "type", "bridge")
    host.succeed("ip", "address", "add", "10.99.0.1/24", "dev", "eyas-t0")
    host.succeed("ip", "link", "set", "eyas-t0", "up")
    yield
    host.succeed("ip", "link", "delete", "eyas-t0")
    host.succeed("rm", "-rf", tree, paths.layer("cell"), f"{paths.PROGRAMS}/root-up", timeout=120)


@pytest.fixture
def make(host: Host, ground: None) -> Iterator[Make]:
    """Write a container, with these fields of its spec changed."""

    def write(**more: Any) -> dict[str, Any]:
        fields = {
            "tree": TREE, "layer": "cell", "bridge": "eyas-t0", "machine_id": MACHINE, "root_size": 64 << 20,
            "address4": f"{ADDRESS}/24", "stop_timeout": 3,
        }  # fmt: skip
        made = spec(**{**fields, **more})
        top = f"{paths.layer('cell')}/root"
        for path, text in SETTINGS.items():
            put(host, top + path, text)
        host.succeed("mkdir", "-p", f"{top}/etc/systemd/system/multi-user.target.wants")
        for unit in WANTED:
            link = f"{top}/etc/systemd/system/multi-user.target.wants/{unit}"
            host.succeed("ln", "-sfn", f"/etc/systemd/system/{unit}", link)
        # The host's own system would set its link up by itself.
        host.succeed("ln", "-sfn", "/dev/null", f"{top}/etc/systemd/system/systemd-networkd.service")
        put(host, paths.spec("cell"), spec_text(made))
        put(host, paths.env("cell"), render_env(made))
        put(host, paths.unit("cell"), render_unit("cell", made))
        put(host, paths.limits("cell"), render_limits(made))
        host.succeed("systemctl", "daemon-reload")
        return made

    yield write
    host.execute("systemctl", "stop", UNIT, timeout=60)
    host.execute("systemctl", "reset-failed", UNIT)
    host.succeed("rm", "-rf", paths.unit("cell"), paths.drop_ins("cell"), paths.spec("cell"), paths.env("cell"))
    host.succeed("systemctl", "daemon-reload")


def up(host: Host) -> str:
    """Start it; the invocation that it runs with."""
    host.succeed("systemctl", "start", UNIT, timeout=180)
    return host.succeed("systemctl", "show", "--value", "--property=InvocationID", UNIT)


def within(host: Host, *argv: str) -> str:
    return host.succeed("systemd-run", "--machine=cell", "--quiet", "--pipe", "--wait", "--collect", *argv)


def mounts(host: Host) -> list[str]:
    """Mounts of the container on the host, ours and those of systemd-nspawn."""
    return [line for line in host.succeed("cat", "/proc/self/mounts").splitlines() if "/cell" in line]


def test_a_start_says_what_it_was_made_from(host: Host, make: Make) -> None:
    made = make()
    invocation = up(host)
    noted = json.loads(host.succeed("cat", paths.print_of("cell")))
    assert noted == {"invocation": invocation, "spec": made}
    assert host.succeed("cat", f"{paths.PRINTS}/cell.unit") == render_unit("cell", made).rstrip("\n")
    assert within(host, "cat", "/proc/self/uid_map").split() == ["0", str(made["uid_base"]), "65536"]
    assert within(host, "systemctl", "is-system-running") == "running"


def test_what_is_written_is_gone_after_a_restart_except_data(host: Host, make: Make) -> None:
    host.succeed("install", "-d", "-o", "33", "-g", "33", "-m", "0750", "/srv/cell")
    bind = {"source": "/srv/cell", "target": "/data", "persistent": True, "owner": 33, "group": 33, "mode": 0o750}
    make(binds=[bind])
    up(host)
    within(host, "sh", "-c", "touch /lost /etc/lost /data/kept; chown 1234:5 /data/kept; rm /etc/machine-id")
    host.succeed("systemctl", "restart", UNIT, timeout=180)
    assert within(host, "stat", "--format=%u:%g", "/data/kept", "/data") == "1234:5\n33:33"
    assert host.succeed("stat", "--format=%u:%g", "/srv/cell/kept") == "1234:5"  # the same ids on the host's disk
    within(host, "sh", "-c", "test ! -e /lost && test ! -e /etc/lost && test -s /etc/machine-id")


@pytest.mark.parametrize("backing", ["ram", "disk"])
def test_a_full_root_has_no_space_and_hurts_nobody(host: Host, make: Make, backing: str) -> None:
    make(root_backing=backing)
    up(host)
    fill = "dd if=/dev/zero of=/big bs=1M count=500 2>&1 || test $(stat -c %s /big) -lt 70000000"
    assert "No space left" in within(host, "sh", "-c", fill)
    host.succeed("touch", "/run/still-room", "/var/lib/still-room")
    host.succeed("rm", "/run/still-room", "/var/lib/still-room")
    host.succeed("systemctl", "stop", UNIT, timeout=60)
    host.fail("ls", f"{paths.SCRATCH}/cell.img")
    assert "cell.img" not in host.succeed("losetup", "--list")


def test_data_that_is_not_there_is_never_made_anew(host: Host, make: Make) -> None:
    make(binds=[{"source": "/srv/no-such-disk", "target": "/data", "persistent": True}])
    host.fail("systemctl", "start", UNIT, timeout=60)
    host.fail("ls", "/srv/no-such-disk")
    assert "is its disk mounted?" in host.succeed("journalctl", "-u", UNIT, "-n", "20")


def test_a_unit_that_ignores_the_stop_does_not_hang_the_host(host: Host, make: Make) -> None:
    make()
    up(host)
    began = time.monotonic()
    host.succeed("systemctl", "stop", UNIT, timeout=60)
    assert time.monotonic() - began < 9
    assert host.succeed("systemctl", "show", "--value", "--property=Result", UNIT) == "success"
    assert mounts(host) == []
    told = host.succeed("journalctl", f"--directory={paths.journal(MACHINE)}", "--unit=stubborn.service")
    assert "timed out" in told  # the journal outlives the container


@pytest.mark.parametrize(("whom", "swept"), [("all", True), ("main", True), ("all", False)])
def test_it_comes_back_from_an_unclean_death(host: Host, make: Make, whom: str, swept: bool) -> None:
    """Not swept: root-down does not come to it after the death, and the next start has to."""
    make()
    first = up(host)
    locks = ("find", "/run/systemd/nspawn/locks", "-type", "f", "-printf", "%f\n")
    assert host.succeed(*locks) == host.succeed("stat", "-c", "inode-%d:%i", paths.root("cell"))
    drop_in = f"/run/systemd/system/{UNIT}.d/unswept.conf"
    if not swept:
        put(host, drop_in, "[Service]\nExecStopPost=\n")
        host.succeed("systemctl", "daemon-reload")
    host.succeed("systemctl", "kill", "--signal=KILL", f"--kill-whom={whom}", UNIT)

    def back() -> bool:
        shown = host.succeed("systemctl", "show", "--property=ActiveState,InvocationID", UNIT)
        return "ActiveState=active" in shown and first not in shown

    host.wait_until(back, "the container runs again", timeout=60)
    assert within(host, "systemctl", "is-active", "page.service") == "active"
    assert host.succeed(*locks) == host.succeed("stat", "-c", "inode-%d:%i", paths.root("cell"))
    host.succeed("rm", "-f", drop_in)
    host.succeed("systemctl", "daemon-reload")
    host.succeed("systemctl", "stop", UNIT, timeout=60)
    assert mounts(host) == []
    assert host.succeed(*locks) == ""
    assert host.succeed("ls", paths.ROOTS, paths.WRITABLE).split() == [f"{paths.WRITABLE}:", f"{paths.ROOTS}:"]


def test_a_start_waits_for_its_probes_and_tells_what_they_saw(host: Host, make: Make) -> None:
    probes = [
        {"type": "tcp", "port": 8000, "timeout": 30},
        {"type": "http", "port": 8000, "path": "/50-eyas.conf", "contains": "TimeoutStop", "timeout": 30},
        {"type": "command", "argv": ["test", "-e", "/etc/machine-id"], "timeout": 30},
        {"type": "unit", "unit": "page.service", "timeout": 30},
        {"type": "http", "port": 8000, "path": "/none", "timeout": 1},
    ]
    make(probes=probes)
    up(host)
    rows = [line.split("\t") for line in host.succeed("cat", paths.probes("cell")).splitlines()]
    assert [row[0] for row in rows] == ["ok", "ok", "ok", "ok", "failed"], rows
    assert rows[4][1] == "http 8000 /none"
    assert "404" in rows[4][2]


def test_devices_are_for_those_that_were_granted_them(host: Host, make: Make) -> None:
    make()
    up(host)
    within(host, "sh", "-c", "! head -c1 /dev/net/tun && test ! -e /dev/loop-control")
    host.succeed("systemctl", "stop", UNIT, timeout=60)
    make(grants=["tun"])
    up(host)
    within(host, "ip", "tuntap", "add", "t0", "mode", "tun")
