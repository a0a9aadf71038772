"""Whatever is killed at whatever moment: no package is lost, none is published half, and nothing is left behind."""

from __future__ import annotations

import random
import time

import pytest

from tests.lab.builder.forge import POOL, WHOLE, Forge, simple
from tests.lab.builder.test_builder import NOTHING
from tests.lab.rig import FULL

pytestmark = pytest.mark.long

ROOTS = 200 if FULL else 20
PACKAGES = 50 if FULL else 4


def test_killed_at_random_moments(forge: Forge) -> None:
    """The one who starts builds and builds themselves are killed again and again; in the end all is published."""
    names = [f"victim_{n}.x+y-git" for n in range(PACKAGES)]
    version = str(int(time.time()))
    for name in names:
        forge.put(simple(name, version))
    rng = random.Random(5)
    try:
        ids = forge.queue("victim*")
        kills = 0
        until = time.monotonic() + (600 if FULL else 150)
        while time.monotonic() < until:
            time.sleep(rng.uniform(0.1, 1.5))
            rows = forge.builds()
            if all(rows[id]["ended"] for id in ids):
                break
            running = [row for row in rows.values() if row["state"] == "running"]
            if kills < PACKAGES:  # each may die less often than it is given up
                unit = "package-builder.service"
                young = [row for row in running if row["attempts"] < 2]
                if young and rng.random() < 0.7:
                    unit = f"build-{rng.choice(young)['id']}.service"
                forge.execute("forge", "systemctl", "kill", "--signal=KILL", unit)
                kills += 1
            forge.succeed("forge", "sh", "-c", f"test ! -e {POOL}/forge.db || {{ {WHOLE}\n}}")
        rows = forge.over(ids)
        assert {row["state"] for row in rows.values()} == {"published"}, rows
        assert kills >= PACKAGES // 2, "it was never hit"
        offered = forge.offered()
        assert {name: offered.get(name) for name in names} == dict.fromkeys(names, f"{version}-1")
        forge.succeed("forge", "sh", "-c", WHOLE)
        assert not forge.execute("forge", "sh", "-c", f"ls -d {POOL}/.*.new {POOL}/.db/.next*").text
        forge.host.wait_until(lambda: forge.left() == NOTHING, "nothing is left", 30)
    finally:
        forge.remove(*names)


def test_roots_come_and_go_without_a_trace(forge: Forge) -> None:
    """In RAM and on disk, ended well, by an error, or by SIGKILL."""
    loop = f"""for n in $(seq {ROOTS // 2}); do
        package-builder root true 2>&1 || exit 1
        package-builder root --disk 'exit 3' >/dev/null 2>&1 && exit 1
    done; :"""
    before = forge.succeed("forge", "sh", "-c", "df --output=used /var/lib/package-builder | tail -1")
    said = forge.succeed("forge", "sh", "-c", loop, timeout=600)
    made = [float(line.split()[-2]) for line in said.splitlines() if "made in" in line]
    assert len(made) == ROOTS // 2
    print(f"roots in RAM: {min(made):.0f} to {max(made):.0f} ms")
    assert sorted(made)[len(made) // 2] < 500, "well under a second"
    kill = (
        "package-builder root 'sleep 60' & sleep 1; kill -KILL $!; pkill -KILL -f '[d]irectory=/run/package-builder'; :"
    )
    forge.succeed("forge", "sh", "-c", kill)
    forge.succeed("forge", "systemctl", "kill", "--signal=KILL", "package-builder.service")  # the next one sweeps
    forge.host.wait_until(lambda: forge.left() == NOTHING, "nothing is left", 40)
    used = forge.succeed("forge", "sh", "-c", "df --output=used /var/lib/package-builder | tail -1")
    assert int(used) - int(before) < 200_000, "the disk of the whole machine, in KiB: others write, too"


def test_a_build_that_needs_more_than_its_cap_goes_on_on_disk(forge: Forge) -> None:
    """64 MiB of RAM, 80 needed: thrown away, built on disk, and said so; the next time it begins there."""
    forge.put(simple("big", lines="dd if=/dev/zero of=lots bs=1M count=80 && rm lots"))
    try:
        forge.succeed("forge", "rm", "-f", "/var/lib/package-builder/disk/big")
        (row,) = forge.over(forge.queue("big", "--force")).values()
        log = forge.log(row["id"])
        assert "the root in RAM is full (64 MiB): once more, on disk" in log
        assert "in a directory on disk" in log
        assert row["backing"] == "disk"
        forge.put(simple("big", "2", "dd if=/dev/zero of=lots bs=1M count=80 && rm lots"))
        (row,) = forge.published("big").values()
        assert "in RAM" not in forge.log(row["id"])
        assert forge.left() == NOTHING
    finally:
        forge.remove("big")


def test_beyond_the_ram_of_all_a_root_is_on_disk(forge: Forge) -> None:
    """192 MiB for roots of 64: the fourth one is on disk."""
    hold = "for n in 1 2 3; do package-builder root 'sleep 4' & done; sleep 2; package-builder root true; wait"
    said = forge.execute("forge", "sh", "-c", hold)
    assert said.error.count("root on ram") == 3
    assert said.error.count("root on disk") == 1
