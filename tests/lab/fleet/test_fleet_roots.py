"""Roots: what a container writes is gone at its restart unless it is data; what containers share is there once."""

from __future__ import annotations

import json

import pytest

from eyas.core import paths
from tests.lab.fleet.garuda import Garuda

LIBRARY = "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"
KEPT = (
    "/home/mark",
    "/var/lib/mastodon/mark",
    "/var/lib/mastodon/a/b/mark",
    "/var/lib/redis-mastodon/mark",
)
LOST = (
    "/mark",
    "/boot/mark",
    "/dev/shm/mark",
    "/etc/mark",
    "/etc/nginx/conf.d/mark",
    "/etc/systemd/system/mark.service",
    "/media/mark",
    "/mnt/mark",
    "/new/folder/mark",
    "/opt/mark",
    "/root/mark",
    "/run/mark",
    "/srv/mark",
    "/tmp/mark",
    "/usr/bin/mark",
    "/usr/lib/mark",
    "/usr/lib/x86_64-linux-gnu/mark",
    "/usr/local/bin/mark",
    "/usr/share/mark",
    "/var/backups/mark",
    "/var/cache/mark",
    "/var/lib/mark",
    "/var/lib/nginx/mark",
    "/var/lib/systemd/mark",
    "/var/log/mark",
    "/var/mail/mark",
    "/var/spool/mark",
    "/var/tmp/mark",
)
FILL = "dd if=/dev/zero of=/srv/fill bs=1M count=4096 2>&1"


def test_only_data_outlives_a_restart(garuda: Garuda) -> None:
    """Thirty paths and more; and what was changed or removed of the image is as it was."""
    keys = garuda.host.succeed("ssh-keyscan", "-T", "10", "10.0.5.80").splitlines()
    assert any("ssh-ed25519" in key for key in keys)
    identity = garuda.exec("mastodon", "cat", "/etc/machine-id")
    script = 'for path; do mkdir -p "${path%/*}/" && echo kept >"$path" || exit; done'
    garuda.exec("mastodon", "sh", "-c", script, "sh", *KEPT, *LOST)
    garuda.exec("mastodon", "sh", "-c", "echo changed >>/etc/services; rm /usr/bin/curl; chmod 700 /usr/bin/less")
    told = garuda.eyas("writes", "mastodon")
    assert all(path in told for path in ("/opt/mark", "/usr/bin/mark", "/etc/services", "/usr/bin/curl"))
    assert "/var/log/mark" not in told  # noise, in sum
    assert "logs: " in told
    assert not any(path in told for path in KEPT)
    before = garuda.runs()

    garuda.host.succeed("systemctl", "restart", "systemd-nspawn@mastodon", timeout=180)

    after = garuda.runs()
    assert {name for name in before if before[name] != after[name]} == {"mastodon"}
    found = garuda.exec(
        "mastodon", "sh", "-c", 'for path; do cat "$path" 2>/dev/null && echo "$path"; done; :', "sh", *KEPT, *LOST
    )
    assert found.split() == [word for path in KEPT for word in ("kept", path)]
    garuda.exec("mastodon", "sh", "-c", "! grep changed /etc/services && test -x /usr/bin/curl")
    assert garuda.exec("mastodon", "stat", "--format=%a", "/usr/bin/less") == "755\n"
    assert garuda.exec("mastodon", "cat", "/etc/machine-id") == identity
    again = garuda.host.succeed("ssh-keyscan", "-T", "10", "10.0.5.80").splitlines()
    assert sorted(again) == sorted(keys)
    garuda.exec("mastodon", "rm", "-r", *KEPT, "/var/lib/mastodon/a")
    garuda.well()
    assert garuda.costs() == set()


def test_two_containers_with_different_images_run_on_the_same_files(garuda: Garuda) -> None:
    seen = {}
    for name in ("postgres", "web-front", "meshcentral"):
        spec = json.loads(garuda.host.succeed("cat", paths.spec(name)))
        seen[spec["tree"]] = garuda.host.succeed("stat", "--format=%d %i", paths.tree(spec["tree"]) + LIBRARY)
        # the container really runs on that tree: overlayfs names its layers
        options = garuda.host.succeed("findmnt", "--noheadings", "--output=OPTIONS", paths.root(name))
        assert "lowerdir" in options
    assert len(seen) == 3, "three images"
    assert len(set(seen.values())) == 1, f"one library: {seen}"
    # and where programs inside see it: the inode number goes through the overlay
    inside = {garuda.exec(name, "stat", "--format=%i", LIBRARY).strip() for name in ("postgres", "web-front")}
    assert inside == {next(iter(seen.values())).split()[1]}


def test_the_store_holds_every_file_once(garuda: Garuda) -> None:
    """Beside what its trees consist of, at most 5 % more."""
    garuda.eyas("gc")
    sizes = {}
    for folder in (paths.STORE, paths.TREES):
        listing = garuda.host.succeed("find", folder, "-printf", "%i %b %y\\n", timeout=180)
        inodes = {inode: int(blocks) * 512 for inode, blocks, _kind in map(str.split, listing.splitlines())}
        sizes[folder] = sum(inodes.values())
    files = garuda.host.succeed("find", paths.TREES, "-type", "f", "-printf", "%i %b\\n", timeout=180)
    unique = sum({inode: int(blocks) * 512 for inode, blocks in map(str.split, files.splitlines())}.values())
    print(f"store {sizes[paths.STORE] >> 20} MB, unique files of its trees {unique >> 20} MB, trees {sizes}")
    assert sizes[paths.STORE] <= 1.05 * unique


def test_a_full_root_is_nobody_elses_trouble(garuda: Garuda) -> None:
    before = garuda.runs()
    said = garuda.run("exec", "iso-runner", "--", "sh", "-c", FILL)
    assert said.code != 0
    assert "No space left on device" in said.out
    try:
        free = garuda.exec("iso-runner", "df", "--output=avail", "-B1", "/srv").split()[-1]
        assert int(free) == 0
        size = int(garuda.exec("iso-runner", "du", "-B1", "/srv/fill").split()[0])
        assert (2 << 30) * 0.9 < size <= 2 << 30
        for name in ("repo", "postgres", "forum"):
            garuda.exec(name, "sh", "-c", "head -c 1M /dev/zero >/srv/room && rm /srv/room")
        garuda.host.succeed("sh", "-c", "head -c 1M /dev/zero >/run/room && rm /run/room")
        assert "<title>forum" in garuda.internet.get("https://forum.example.org/")
    finally:
        garuda.exec("iso-runner", "rm", "-f", "/srv/fill")
    garuda.exec("iso-runner", "sh", "-c", "head -c 1M /dev/zero >/srv/room && rm /srv/room")
    assert garuda.runs() == before
    garuda.well()


@pytest.mark.parametrize("name", ["postgres", "docker"])
def test_nothing_is_written_into_the_shared_layers(garuda: Garuda, name: str) -> None:
    """A tree is read by many: root of a container, which may write everywhere in its own root, cannot change it."""
    spec = json.loads(garuda.host.succeed("cat", paths.spec(name)))
    below = paths.tree(spec["tree"]) + "/etc/services"
    before = garuda.host.succeed("sha256sum", below)
    garuda.exec(name, "sh", "-c", "cp -p /etc/services /run/services; echo x >>/etc/services; chown 7 /etc/services")
    assert garuda.host.succeed("sha256sum", below) == before
    assert garuda.host.succeed("stat", "--format=%u", below) == "0"
    garuda.exec(name, "cp", "-p", "/run/services", "/etc/services")
