"""Fifty packages in the queue, two hundred roots, and all that takes part is killed: nothing is lost, nothing left."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eyas.lab.testing import retry
from tests.lab.builder.forge import POOL, WHOLE, Forge, simple

pytestmark = pytest.mark.long

PACKAGES, ROOTS, KILLS = 50, 200, 40
ACTIVE = ("systemctl", "is-active", "package-builder")
COMPILE = 'install -d "$pkgdir/usr/bin"; gcc $CFLAGS -o "$pkgdir/usr/bin/$pkgname" "$startdir/p.c"'
INNER = ("makepkg", "systemd-nspawn", "fakeroot", "bsdtar", "zstd", "gcc", "gpg", "repo-add", "pacman", "sh", "bash")
"""Programs of a build that are killed one by one."""
COUNT = r"""
import json, os, pathlib, subprocess
unit = "systemd-nspawn@forge.service"
own, spaces, mounts = 0, {kind: set() for kind in ("mnt", "user", "pid", "net", "ipc", "uts")}, 0
for path in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        if unit not in (path / "cgroup").read_text():
            continue
        here = {kind: os.readlink(path / "ns" / kind) for kind in spaces}
        table = (path / "mountinfo").read_text()
    except OSError:
        continue
    own += 1
    if here["mnt"] not in spaces["mnt"]:
        mounts += table.count("\n")
    for kind, name in here.items():
        spaces[kind].add(name)
groups = subprocess.run(["find", "/sys/fs/cgroup", "-type", "d", "-path", f"*{unit}*"], capture_output=True, text=True)
loops = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True).stdout
ranges = subprocess.run(["find", "/run/systemd/nspawn", "-type", "f"], capture_output=True, text=True).stdout
print(json.dumps({
    "processes": own, "mounts": mounts, "cgroups": groups.stdout.count("\n"), "loop devices": loops.count("\n"),
    "ranges of user ids": ranges.count("\n"), **{f"{kind} namespaces": len(names) for kind, names in spaces.items()},
}))
"""
"""What the host has of the builder's container, in all of its namespaces."""
DISK = r"""
data=$(echo /var/lib/package-builder/{queue,running,staged,scratch})
own="$data $(echo /run/package-builder/{roots,ram,homes}) /var/tmp /tmp /var/lib/machines /dev/shm"
echo files $(find $own -xdev -mindepth 1 2>/dev/null | grep -vcE '^/var/tmp/(client|db|files|sums)|systemd-private')
echo locks $(find /run/systemd/nspawn /run/systemd/machines -xdev -type f 2>/dev/null | wc -l)
echo bytes $(find $data -xdev -type f -printf '%s\n' 2>/dev/null | awk '{sum += $1} END {print sum + 0}')
echo units $(systemctl list-units --all --plain --no-legend 'build-*.service' | wc -l)
"""


def folders(version: str) -> dict[str, str]:
    """Fifty packages of several sorts: of one file, compiled, needing others, and larger than a root in RAM."""
    found: dict[str, str] = {}
    for n in range(PACKAGES):
        name = f"scale{n:02d}"
        if n % 5 == 1:
            found |= simple(name, version, arch="(x86_64)", lines=COMPILE)
            found[f"{name}/p.c"] = "int main(void) { return 0; }\n"
        elif n % 5 == 2:
            found |= simple(name, version, lines=f"test -e /usr/share/scale{n - 2:02d}", depends=f"(scale{n - 2:02d})")
        elif n % 10 == 3:
            found |= simple(name, version, lines="dd if=/dev/zero of=lots bs=1M count=80 status=none; rm lots")
        else:
            found |= simple(name, version, lines="sleep 2")
    return found


def counted(forge: Forge) -> dict[str, int]:
    """All that a root could leave, on the host and in the container."""
    found: dict[str, int] = json.loads(forge.succeed("host", "python3", "-c", COUNT))
    rows = forge.succeed("forge", "bash", "-c", DISK).splitlines()
    return found | {f"{key} inside": int(value) for key, value in map(str.split, rows)}


def settled(forge: Forge) -> dict[str, int]:
    """The same when it is the same for some seconds: services of systemd come and go."""
    seen = [counted(forge)]

    def calm() -> bool:
        time.sleep(2)
        seen.append(counted(forge))
        return seen[-1] == seen[-2]

    retry(calm, "nothing comes and goes", 90)
    return seen[-1]


@contextmanager
def roots_by_hand(forge: Forge) -> Iterator[list[int]]:
    """Roots that come and go beside the builds, in RAM and on disk; how many were made, at the end."""
    made: list[int] = []
    over = threading.Event()

    def work(option: str) -> None:
        loop = f"for n in 1 2 3 4 5; do package-builder root {option} 'exit 3' 2>&1; done | grep -c 'made in'"
        while not over.is_set():
            done = forge.execute("forge", "sh", "-c", loop, timeout=120)
            made.append(int(done.text) if done.text.isdigit() else 0)
            if sum(made) >= ROOTS:
                return

    threads = [threading.Thread(target=work, args=(option,), daemon=True) for option in ("", "--disk")]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        over.set()
        for thread in threads:
            thread.join(150)


def kill_something(forge: Forge, rng: random.Random) -> str:
    """SIGKILL for one of those who take part; who it was."""
    running = [row for row in forge.builds().values() if row["state"] == "running" and row["attempts"] < 2]
    units = [f"build-{row['id']}.service" for row in running]
    victim = rng.choice(("dispatcher", "build", "build", "program", "program"))
    if victim == "dispatcher" or not units:
        forge.execute("forge", "systemctl", "kill", "--signal=KILL", "package-builder.service")
        return "dispatcher"
    unit = rng.choice(units)
    if victim == "build":
        forge.execute("forge", "systemctl", "kill", "--signal=KILL", unit)
        return "build"
    names = "|".join(INNER)
    script = f"""group=/sys/fs/cgroup$(systemctl show -P ControlGroup {unit}); test -n "$group" || exit 0
        for pid in $(find "$group" -name cgroup.procs -exec cat {{}} + | shuf --random-source=/dev/urandom); do
            name=$(cat /proc/$pid/comm) && echo "$name" | grep -qxE '{names}' && kill -KILL $pid && echo $name && exit
        done; :"""
    return forge.execute("forge", "sh", "-c", script).text or "build that was over"


def test_fifty_packages_and_two_hundred_roots_under_fire(forge: Forge) -> None:
    """The builder, builds, single programs of them and the whole container get SIGKILL; at every moment the repository
    is whole, in the end all fifty are in it once, install from it, and nothing of two hundred roots is left."""
    version = str(int(time.time()))
    packages = folders(version)
    names = sorted({path.partition("/")[0] for path in packages})
    for path, text in packages.items():
        place = forge.directory / "packages" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    rng = random.Random(50)
    try:
        forge.apply()
        forge.published("hello")
        forge.succeed("forge", "sh", "-c", WHOLE)
        before = settled(forge)
        ids = forge.queue("scale*")
        assert len(ids) == PACKAGES
        killed: Counter[str] = Counter()
        with roots_by_hand(forge) as by_hand:
            while True:
                time.sleep(rng.uniform(0.05, 1))
                rows = {id: row for id, row in forge.builds().items() if id in ids}
                ended = sum(bool(row["ended"]) for row in rows.values())
                if ended == PACKAGES:
                    break
                if killed["container"] < 2 and ended >= (killed["container"] + 1) * PACKAGES // 3:
                    forge.succeed("host", "systemctl", "kill", "--signal=KILL", "systemd-nspawn@forge.service")
                    killed["container"] += 1
                    retry(lambda: forge.execute("forge", *ACTIVE).code == 0, "the container is up again", 120)
                elif sum(killed.values()) < KILLS:
                    killed[kill_something(forge, rng)] += 1
                forge.succeed("forge", "sh", "-c", f"test ! -e {POOL}/forge.db || {{ {WHOLE}\n}}")
        print(f"killed: {dict(killed)}; roots by hand: {sum(by_hand)}")
        assert killed["container"] == 2
        assert sum(killed.values()) > PACKAGES // 5, "it was hardly hit"
        bad = {row["package"]: (row["state"], row["why"]) for row in rows.values() if row["state"] != "published"}
        # A single program that dies within a build can be an error of the build for all that makepkg tells.
        assert len(bad) <= sum(killed.values()) - killed["build"] - killed["dispatcher"] - killed["container"], bad
        assert all(state == "failed" and "makepkg ended with" in why for state, why in bad.values()), bad
        if bad:
            print(f"failed, and built once more: {bad}")
            forge.published(*bad)
        forge.succeed("forge", "sh", "-c", WHOLE)
        offered = forge.offered()
        assert {name: offered.get(name) for name in names} == dict.fromkeys(names, f"{version}-1")
        files = forge.succeed("forge", "sh", "-c", f"ls {POOL}/scale*-{version}-1-*.pkg.tar.zst").split()
        assert len(files) == PACKAGES
        install = f"pacman -Sy --noconfirm --noprogressbar {' '.join(names)} >/dev/null"
        said = forge.builder(
            "root", f"{install} && pacman -Qkk {' '.join(names)} && pacman -Dk && scale01", timeout=240
        )
        assert said.count("0 altered files") == PACKAGES
        more = max(0, ROOTS - sum(by_hand) - PACKAGES)
        forge.succeed("forge", "sh", "-c", f"for n in $(seq {more}); do package-builder root true; done", timeout=600)
        after = settled(forge)
        print(f"before: {before}\nafter: {after}\nroots: {sum(by_hand) + more} by hand, {PACKAGES} and more of builds")
        assert after == before
    finally:
        forge.idle(600)
        forge.put_back()
        for name in names:
            for path in sorted((forge.directory / "packages" / name).iterdir()):
                path.unlink()
            (forge.directory / "packages" / name).rmdir()
        forge.apply()
