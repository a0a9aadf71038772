"""What a grant opens, and that without one it stays closed."""

from __future__ import annotations

import json

import pytest

from tests.lab.containers.cells import Cells

ALL = ("alpha", "beta", "dock", "nest", "image")
KEYS = (
    "import ctypes; libc = ctypes.CDLL(None, use_errno=True); exit(libc.syscall(248, b'user', b'k', b'v', 1, -2) < 0)"
)
"""add_key(2) on x86-64."""


def granted(name: str, grant: str) -> bool:
    return grant in {"dock": ("docker", "tun"), "nest": ("nspawn",), "image": ("loop",)}.get(name, ())


def test_nobody_has_more_than_its_grants(cells: Cells) -> None:
    """Users of their own for all but the one that mounts disks; no capability beyond systemd-nspawn's default."""
    units = cells.host.succeed("sh", "-c", "cat /etc/systemd/system/systemd-nspawn@*.service")
    assert "apability" not in units
    assert units.count("--private-users=no") == 1
    for name in ALL:
        first = cells.succeed(name, "cat", "/proc/self/uid_map").split()
        assert (first[1] == "0") == granted(name, "loop"), name
        bounds = int(cells.succeed(name, "sh", "-c", "grep CapBnd /proc/self/status").split()[1], 16)
        assert not bounds & (1 << 16 | 1 << 17 | 1 << 25), f"{name} can load modules, use ports or set the clock"
        assert not bounds >> 32, f"{name} has what systemd-nspawn gives nobody"


@pytest.mark.parametrize("name", ALL)
def test_devices_and_calls_are_for_those_who_were_granted_them(cells: Cells, name: str) -> None:
    tap = cells.execute(name, "ip", "tuntap", "add", "dev", "tap7", "mode", "tap")
    assert (tap.code == 0) == granted(name, "tun"), tap.error
    if tap.code == 0:
        cells.succeed(name, "ip", "link", "delete", "tap7")
    attach = "truncate -s 8M /var/tmp/disk && losetup --find --show /var/tmp/disk"
    loop = cells.execute(name, "sh", "-c", attach)
    assert (loop.code == 0) == granted(name, "loop"), loop.error
    if loop.code == 0:
        cells.succeed(name, "losetup", "--detach", loop.text)
    if name in ("alpha", "beta"):  # where there is a Python
        assert cells.execute(name, "python3", "-c", KEYS).code == 1
    assert cells.execute(name, "sh", "-c", "cat /dev/vda || mknod /var/tmp/node b 254 0 && cat /var/tmp/node").code != 0


def test_a_disk_image_is_made_and_mounted_where_loop_is_granted(cells: Cells) -> None:
    script = """set -e
    cd /var/tmp; truncate -s 32M made.img; mkfs.ext4 -q made.img; mkdir -p made
    mount -o loop made.img made; echo inside > made/note; umount made
    mount -o loop,ro made.img made; cat made/note; umount made; rm made.img"""
    assert cells.succeed("image", "sh", "-c", script) == "inside"


DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
COPY page /www/index.html
RUN ["/bin/busybox", "sh", "-c", "echo built > /www/built"]
CMD ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
"""


def test_docker_builds_runs_publishes_and_comes_back(cells: Cells) -> None:
    """An image built in place, its port published and asked from another container; all there after a restart."""
    info = json.loads(cells.succeed("dock", "docker", "info", "--format", "{{json .}}"))
    assert info["Driver"] == "overlay2"
    assert info["CgroupVersion"] == "2"
    assert not info.get("Warnings") or "overlay" not in str(info["Warnings"])
    prepare = "mkdir -p /tmp/made && cd /tmp/made && cp /bin/busybox . && echo a page > page && cat > Dockerfile"
    cells.succeed("dock", "sh", "-c", prepare, input=DOCKERFILE)
    cells.succeed("dock", "docker", "build", "--quiet", "--tag", "made", "/tmp/made", timeout=180)
    run = ("docker", "run", "--detach", "--name", "made", "--restart", "always", "--publish", "8080:80", "made")
    cells.succeed("dock", *run, timeout=120)
    try:
        for path, text in (("", "a page"), ("built", "built")):
            assert cells.get("alpha", f"http://dock:8080/{path}") == text
        assert cells.get("host", "http://10.0.7.30:8080/") == "a page"
        assert cells.get("alpha", "http://[fd00:7::30]:8080/") == "a page"
        limits = cells.succeed(
            "dock", "docker", "run", "--rm", "--memory=64m", "made", "/bin/busybox", "id", timeout=90
        )
        assert "uid=0" in limits
        cells.switch("restart", "dock")
        page = ("curl", "-sS", "--fail", "--max-time", "5", "http://dock:8080/")
        cells.host.wait_until(lambda: cells.execute("alpha", *page).text == "a page", "the page is back", 60)
        assert cells.get("alpha", "http://dock:8088/") == "from docker"
    finally:
        cells.execute("dock", "docker", "rm", "--force", "made")
        cells.execute("dock", "docker", "image", "rm", "made")


def test_a_nested_container_boots_in_each_of_twenty_restarts(cells: Cells) -> None:
    taken = []
    for round in range(20):
        taken.append(cells.switch("restart", "nest"))
        seen = cells.succeed("nest", "systemctl", "--machine=inner", "is-active", "multi-user.target")
        assert seen == "active", f"round {round}"
    assert cells.succeed("nest", "systemd-run", "--machine=inner", "-q", "--pipe", "--wait", "hostname") == "inner"
    assert cells.host.execute("test", "-e", "/run/systemd/nspawn/unix-export/inner").code != 0
    print(f"restarts with a nested container: {min(taken):.1f} to {max(taken):.1f} s")
