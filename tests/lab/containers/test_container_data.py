"""What a container keeps, what it loses, and how much it may write."""

from __future__ import annotations

import json

import pytest

from tests.lab.containers.cells import Cells


def test_persistent_directories_are_made_as_declared_and_hold_natural_ids(cells: Cells) -> None:
    look = ("stat", "--format=%u:%g %a")
    assert cells.host.succeed(*look, "/srv/alpha/data") == "1001:1001 750"
    assert cells.succeed("alpha", *look, "/data") == "1001:1001 750"
    assert cells.host.succeed(*look, "/srv/alpha/more") == "0:0 755"
    cells.succeed("alpha", "su", "kim", "-c", "install -m 640 /etc/hostname /data/by-kim")
    cells.succeed("alpha", "install", "-m", "640", "-o", "33", "-g", "44", "/etc/hostname", "/var/lib/more/by-root")
    assert cells.host.succeed(*look, "/srv/alpha/data/by-kim") == "1001:1001 640"
    assert cells.host.succeed(*look, "/srv/alpha/more/by-root") == "33:44 640"
    cells.host.succeed("sh", "-c", "echo theirs > /srv/alpha/data/by-host && chown 1001 /srv/alpha/data/by-host")
    assert (
        cells.succeed("alpha", "su", "kim", "-c", "echo more >> /data/by-host && cat /data/by-host") == "theirs\nmore"
    )


def test_a_readonly_bind_is_read_and_refuses_writes(cells: Cells) -> None:
    cells.host.succeed("sh", "-c", "echo shared > /srv/shared/note")
    assert cells.succeed("alpha", "cat", "/shared/note") == "shared"
    for try_ in ("echo x > /shared/note", "touch /shared/new", "rm /shared/note", "mount -o remount,rw,bind /shared"):
        cells.fail("alpha", "sh", "-c", try_)
    assert cells.host.succeed("cat", "/srv/shared/note") == "shared"


@pytest.mark.parametrize(("name", "kind"), [("alpha", "ram"), ("beta", "disk")])
def test_a_restart_brings_a_fresh_root_and_the_same_identity(cells: Cells, name: str, kind: str) -> None:
    """Thirty paths are written; the persistent ones alone are there afterwards."""
    lost = [f"/{place}/lost-{n}" for n in range(4) for place in ("etc", "usr/bin", "var/lib", "root", "opt", "srv")]
    kept = [f"/data/kept-{n}" for n in range(3)] + [f"/var/lib/more/kept-{n}" for n in range(3)]
    kept = kept if name == "alpha" else []
    cells.succeed(name, "touch", *lost, *kept)
    cells.succeed(name, "rm", "/etc/debian_version")
    who = "cat /etc/machine-id; sha256sum /etc/ssh/eyas/ssh_host_ed25519_key; hostname"
    before = cells.succeed(name, "sh", "-c", who)

    written = {item["path"]: item["what"] for item in json.loads(cells.eyas("writes", name, "--json"))["written"]}
    assert set(lost) <= set(written)
    assert written["/etc/debian_version"] == "deleted"
    assert not set(kept) & set(written)
    assert "a restart of" in cells.eyas("writes", name)

    boot = cells.succeed(name, "cat", "/proc/sys/kernel/random/boot_id")
    cells.switch("restart", name)
    assert cells.succeed(name, "cat", "/proc/sys/kernel/random/boot_id") != boot
    there = 'for path in $0 "$@"; do test -e $path && echo $path; done; true'
    assert cells.succeed(name, "sh", "-c", there, *lost, *kept).split() == kept
    cells.succeed(name, "test", "-e", "/etc/debian_version")
    assert cells.succeed(name, "sh", "-c", who) == before
    assert not set(lost) & {i["path"] for i in json.loads(cells.eyas("writes", name, "--json"))["written"]}


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_a_full_root_is_full_for_one_container_only(cells: Cells, name: str) -> None:
    """In RAM and on disk: "no space" at the declared size; the host and its neighbours have room, services answer."""
    other = {"alpha": "beta", "beta": "alpha"}[name]
    free = "df --output=avail -m / | tail -1"
    before = int(cells.host.succeed("sh", "-c", free))
    said = cells.succeed(name, "sh", "-c", "dd if=/dev/zero of=/full bs=1M count=400 2>&1; stat -c %s /full")
    assert "No space left on device" in said
    assert 60 << 20 < int(said.split()[-1]) <= 96 << 20
    assert "No space" in cells.fail(name, "cp", "/usr/bin/bash", "/etc/more")
    assert cells.succeed(other, "sh", "-c", "dd if=/dev/zero of=/some bs=1M count=20 2>&1 && rm /some")
    assert int(cells.host.succeed("sh", "-c", free)) > before - 300
    assert cells.get("internet" if name == "alpha" else "alpha", "http://203.0.113.112:8080/").startswith("alpha sees")
    cells.succeed(name, "rm", "/full")
    cells.succeed(name, "sh", "-c", "echo room > /etc/room && cat /etc/room")


def test_libraries_are_shared_between_containers(cells: Cells) -> None:
    """One inode, so one copy in memory and on disk, through different mappings of ids and from different images."""
    library = "/usr/lib/x86_64-linux-gnu/libc.so.6"
    seen = {name: cells.succeed(name, "stat", "-L", "--format=%d %i", library) for name in ("alpha", "beta")}
    inodes = {cells.succeed(name, "stat", "-L", "--format=%i", library) for name in ("alpha", "dock", "nest", "image")}
    assert len(inodes) == 1
    assert len({value.split()[1] for value in seen.values()}) == 1
