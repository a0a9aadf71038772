"""Building images for real: from Debian's archive to commits, and what goes wrong on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from eyas.core.errors import Failed
from eyas.image import (
    Lock,
    Recipe,
    build,
    facts,
    keep_only,
    key,
    lookup,
    prune,
    refs,
    resolve,
    ship,
    store_path,
    write_lock,
)
from eyas.image.records import PREFIX, rev
from eyas.image.store import checkout, fsck, heal
from eyas.lab.testing import retry

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(os.geteuid() != 0, reason="building needs root"),
]

CHILD = Path(__file__).with_name("image_child.py")

BASE = Recipe("base")
TOOLS = Recipe("tools", packages=("python3-six", "openssh-server"), shared=("less",))
NPM = Recipe("programs", packages=("python3",), npm=("semver@7.6.x",), pip=("idna==3.*",), shared=("less",))


@dataclass
class World:
    """A cache that all tests share, and a state in which everything was built."""

    path: Path
    cache: Path
    state: Path
    lock: Lock
    recipes: list[Recipe]

    def fresh(self, name: str) -> Path:
        state = self.path / name
        shutil.rmtree(state, ignore_errors=True)
        return state

    def seeded(self, name: str) -> Path:
        """A state that has the base and nothing else."""
        state, base = self.fresh(name), key(BASE, self.lock)
        ship(self.state, base, store_path(state))
        (state / "builds").mkdir()
        for record in (self.state / "builds").glob(f"{base}.*"):
            shutil.copy(record, state / "builds")
        return state

    def copied(self, name: str) -> Path:
        """The built state once more; owners matter, so this is cp's job."""
        state = self.fresh(name)
        subprocess.run(["cp", "-a", str(self.state), str(state)], check=True)
        return state

    def child(self, state: Path, *recipes: Recipe, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        lock = self.path / "eyas.lock"
        write_lock(lock, self.lock)
        plain = ("name", "packages", "shared", "npm", "pip")
        told = json.dumps([{name: getattr(recipe, name) for name in plain} for recipe in recipes])
        argv = [*before, sys.executable, str(CHILD), str(state), str(self.cache), str(lock), told]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path = tmp_path_factory.mktemp("images")
    recipes = [BASE, TOOLS, NPM]
    lock = resolve(recipes, Lock(), path / "cache")
    build(recipes, lock, path / "state", path / "cache")
    yield World(path, path / "cache", path / "state", lock, recipes)
    shutil.rmtree(path)


def commits(state: Path) -> dict[str, str]:
    return dict(refs(state))


def left_over(state: Path) -> list[str]:
    """Mounts, processes and folders of a build that should be over."""
    text = str(state / "build")
    found = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if text in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found + [str(path) for path in (state / "build").glob("*")]


def test_two_builds_of_one_key_are_one_commit_and_the_second_needs_no_network(world: World) -> None:
    again = world.fresh("again")
    child = world.child(again, *world.recipes, before=("unshare", "--net"))
    output = child.communicate(timeout=1200)[0]
    assert child.returncode == 0, output
    assert commits(again) == commits(world.state)
    for recipe in world.recipes:
        image = key(recipe, world.lock)
        assert facts(again, image) == facts(world.state, image)
    fsck(store_path(again))


def test_what_is_built_is_found_by_its_key_alone(world: World) -> None:
    image = key(TOOLS, world.lock)
    built = lookup(world.state, image)
    assert built is not None
    assert built.packages["openssh-server"] == world.lock.installed("tools")["openssh-server"].version
    assert set(built.packages) == set(world.lock.installed("tools"))
    assert built.os["VERSION_CODENAME"] == "trixie"
    assert lookup(world.state, "0" * 64) is None
    begin = time.perf_counter()
    assert set(build(world.recipes, world.lock, world.state, world.cache)) == {
        key(recipe, world.lock) for recipe in world.recipes
    }
    assert time.perf_counter() - begin < 0.2


def test_facts_tell_accounts_and_units(world: World) -> None:
    known = facts(world.state, key(TOOLS, world.lock))
    assert "sshd:" in known["passwd"]
    assert "\nroot:" in "\n" + known["shadow"]
    assert "etc/systemd/system/multi-user.target.wants/ssh.service" in known["units"]["ssh.service"]
    assert "ssh.service" in known["enabled"]


def test_a_tree_has_nothing_random_nothing_special_and_no_traces(world: World) -> None:
    tree = world.path / "tree"
    checkout(store_path(world.state), PREFIX + key(TOOLS, world.lock), tree)
    for folder, _folders, files in os.walk(tree):
        for path in (Path(folder, name) for name in files):
            assert path.is_symlink() or path.is_file(), path
    assert not list((tree / "etc/ssh").glob("ssh_host_*"))
    assert (tree / "etc/machine-id").read_bytes() == b""
    assert not (tree / "usr/sbin/policy-rc.d").exists()
    assert not (tree / "etc/postgresql-common").exists()
    assert not (tree / "etc/resolv.conf").exists()
    assert [path for path in (tree / "var/log").rglob("*") if path.is_file()] == []
    assert (tree / "sbin/init").exists()
    assert (tree / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (tree / "usr/bin/passwd").stat().st_mode & 0o4000
    # The store has no times: Python must take its compiled files as they are.
    said = chroot(tree, "python3", "-v", "-c", "import six, json").stderr
    assert "matches" in said
    assert "bytecode is stale" not in said
    shutil.rmtree(tree)


def test_npm_and_pip_packages_work_in_their_image(world: World) -> None:
    tree = world.path / "tree"
    checkout(store_path(world.state), PREFIX + key(NPM, world.lock), tree)
    assert chroot(tree, "python3", "-c", "import idna; print(idna.encode('ä.de'))").stdout == "b'xn--4ca.de'\n"
    program = tree / "usr/local/bin/semver"
    assert program.resolve().is_relative_to(tree / "usr/local/lib/node_modules/semver")
    assert program.stat().st_mode & 0o111
    shutil.rmtree(tree)


def chroot(tree: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["chroot", str(tree), *argv], capture_output=True, text=True, check=False, timeout=60)


def test_an_unknown_package_is_named_with_its_image_and_its_line(world: World) -> None:
    recipe = Recipe("web", packages=("ngnx",), origins={"ngnx": "fleet.py:14"})
    with pytest.raises(Failed) as caught:
        resolve([recipe], world.lock, world.cache)
    for word in ("ngnx", "image web", "fleet.py:14"):
        assert word in caught.value.message
    assert "nginx" in caught.value.hint


def test_adding_a_package_leaves_all_other_versions_and_keys_alone(world: World) -> None:
    more = replace(TOOLS, packages=(*TOOLS.packages, "cowsay"))
    lock = resolve([BASE, more, NPM], world.lock, world.cache)
    assert key(BASE, lock) == key(BASE, world.lock)
    assert key(NPM, lock) == key(NPM, world.lock)
    before, after = world.lock.installed("tools"), lock.installed("tools")
    assert {name: after[name] for name in before} == before
    assert "cowsay" in after


def test_a_package_that_cannot_be_fetched_is_named_and_the_store_stays_sound(world: World) -> None:
    state, cache = world.fresh("cut"), world.path / "empty"
    lock = world.path / "eyas.lock"
    recipe = json.dumps([{"name": "base"}])
    write_lock(lock, world.lock)
    argv = ["unshare", "--net", sys.executable, str(CHILD), str(state), str(cache), str(lock), recipe]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 3, done.stderr
    assert "refused: cannot build image base: cannot fetch " in done.stdout
    assert "is the network there?" in done.stdout
    assert commits(state) == {}
    fsck(store_path(state))


@pytest.mark.parametrize("moment", ["extracting archives", "Unpacking", "Setting up", "is stored"])
def test_a_killed_build_leaves_a_sound_store_and_nothing_else(world: World, moment: str) -> None:
    state = world.fresh("killed") if moment == "extracting archives" else world.seeded("killed")
    child = world.child(state, TOOLS)
    assert child.stdout is not None
    for line in child.stdout:
        if moment in line:
            break
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    # What it started ends with it, though not before the disk has what it had begun to write.
    retry(lambda: all(line.startswith(str(state)) for line in left_over(state)), "no mount and no process is left", 30)
    fsck(store_path(state))
    build([TOOLS], world.lock, state, world.cache)
    assert lookup(state, key(TOOLS, world.lock)) == lookup(world.state, key(TOOLS, world.lock))
    assert left_over(state) == []
    fsck(store_path(state))


def test_a_full_disk_is_told_and_mended_by_room(world: World) -> None:
    state = world.fresh("full")
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "eyas-test", str(state)], check=True)
    try:
        with pytest.raises(Failed) as caught:
            build([BASE], world.lock, state, world.cache)
        assert "image base" in caught.value.message
        assert "space" in caught.value.message + caught.value.hint
        assert left_over(state) == []
        fsck(store_path(state))
        subprocess.run(["mount", "-o", "remount,size=900m", str(state)], check=True)
        build([BASE], world.lock, state, world.cache)
        assert commits(state) == {key(BASE, world.lock): commits(world.state)[key(BASE, world.lock)]}
        fsck(store_path(state))
    finally:
        subprocess.run(["umount", str(state)], check=True)


def test_after_a_power_cut_damaged_commits_are_dropped_and_built_again(world: World) -> None:
    state = world.copied("power")
    store, base, tools = store_path(state), key(BASE, world.lock), key(TOOLS, world.lock)
    own = objects(store, tools) - objects(store, world_parent(world, tools))
    file = next(path for path in sorted(own) if path.suffix == ".file" and path.stat().st_size > 0)
    file.write_bytes(b"")
    heal(state)  # no note of a build: nothing is looked at
    assert rev(store, PREFIX + tools)
    (state / "unsettled").write_text("another boot")
    heal(state)
    assert rev(store, PREFIX + base)
    assert not rev(store, PREFIX + tools)
    assert lookup(state, tools) is None
    fsck(store)
    build(world.recipes, world.lock, state, world.cache)
    assert commits(state) == commits(world.state)


def world_parent(world: World, image: str) -> str:
    from eyas.image.stages import stages

    plan = stages(TOOLS, world.lock)
    return plan[[stage.key for stage in plan].index(image) - 1].key


def objects(store: Path, image: str) -> set[Path]:
    text = subprocess.run(
        ["ostree", f"--repo={store}", "ls", "-R", "-C", PREFIX + image], capture_output=True, text=True, check=True
    ).stdout
    sums = [line.split()[4] for line in text.splitlines() if line.startswith("-")]
    return {store / f"objects/{each[:2]}/{each[2:]}.file" for each in sums}


def test_an_image_from_a_tarball(world: World) -> None:
    tree, ball = world.path / "root", world.path / "root.tar"
    checkout(store_path(world.state), PREFIX + key(BASE, world.lock), tree)
    os.mknod(tree / "dev/null", 0o20666, os.makedev(1, 3))
    (tree / "etc/marked").write_text("here\n")
    subprocess.run(["tar", "-C", str(tree), "-cf", str(ball), "."], check=True)
    shutil.rmtree(tree)
    recipe = Recipe("old", kind="tarball", tarball=str(ball), origins={str(ball): "fleet.py:2"})
    lock = resolve([recipe], Lock(), world.cache)
    states = [world.fresh("ball"), world.fresh("ball2")]
    built = [build([recipe], lock, state, world.cache)[key(recipe, lock)] for state in states]
    assert built[0] == built[1]
    assert "systemd" in built[0].packages
    assert (
        "etc/systemd/system/getty.target.wants/getty@tty1.service"
        in facts(states[0], built[0].key)["units"]["getty@.service"]
    )
    ball.write_bytes(b"other")
    with pytest.raises(Failed, match=r"not the file that eyas\.lock names"):
        build([recipe], lock, world.fresh("ball"), world.cache)
    with pytest.raises(Failed, match=r"fleet\.py:9"):
        resolve([replace(recipe, name="x", packages=("less",), origins={"less": "fleet.py:9"})], Lock(), world.cache)


def test_shipped_files_are_the_same_files_and_gc_removes_only_what_nobody_keeps(world: World) -> None:
    target = world.path / "host/store"
    image = key(TOOLS, world.lock)
    commit = ship(world.state, image, target)
    assert ship(world.state, image, target) == commit
    file = next(path for path in sorted(objects(target, image)) if path.stat().st_size > 0)
    assert file.stat().st_ino == (store_path(world.state) / file.relative_to(target)).stat().st_ino
    fsck(target)
    state = world.copied("swept")
    keep = key(NPM, world.lock)
    gone = keep_only(state, {keep})
    prune(state)
    assert set(commits(state)) == {keep}
    assert len(gone) == len(commits(world.state)) - 1
    assert lookup(state, image) is None
    fsck(store_path(state))
    assert keep_only(state, {keep}) == []
