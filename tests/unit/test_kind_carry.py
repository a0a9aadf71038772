"""Binds that begin with what a container has: when, with room, and back again."""

from __future__ import annotations

from typing import Any

import pytest

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Entry
from eyas.core.words import Impact, Json, Step
from eyas.kind.container.carry import carried, carry, steps_of
from eyas.kind.container.compare import compare_specs
from tests.unit.test_kind_container_text import spec
from tests.world import World
from tests.world_units import Running

BIND = {"source": "/data/web/app", "target": "/var/lib/app", "persistent": True, "carry": True}
FOLDER = f"{paths.RUNS}/r/saved/1"


def step(*binds: dict[str, Any]) -> Step:
    return steps_of("container:web", spec(binds=[*binds]), spec(binds=[]))[0]


@pytest.fixture
def world() -> World:
    world = World()
    world.units.running[paths.unit_name("web")] = Running("f00")
    world.roots["web"] = object()  # type: ignore[assignment]
    world.containers.inside[("web", "/var/lib/app")] = Entry("/var/lib/app", "dir", data=b"x" * 5000)
    return world


def listed(world: World, end: str = "") -> str:
    return (world.files.read(paths.carry("web") + end) or b"").decode()


def test_adding_one_is_a_restart_and_has_its_steps() -> None:
    (change,) = compare_specs(spec(binds=[BIND]), spec(binds=[]))
    assert (change.impact, change.note) == (
        Impact.restart, "bind /var/lib/app added (what is there now is carried over)",
    )  # fmt: skip
    assert [s.verb for s in steps_of("container:web", spec(binds=[BIND]), spec(binds=[]))] == ["carry", "carried"]
    assert steps_of("container:web", spec(binds=[BIND]), spec(binds=[BIND])) == []
    plain = {key: value for key, value in BIND.items() if key != "carry"}
    assert compare_specs(spec(binds=[BIND]), spec(binds=[plain]))[0].impact is Impact.none


def test_a_list_is_left_for_the_stop(world: World) -> None:
    todo = step(BIND)
    saved = carry.save(world, todo, FOLDER)
    carry.do(world, todo, saved)
    base = spec()["uid_base"]
    assert listed(world) == f"disk\t{base}\t/data/web/app\t/var/lib/app\n"
    carried.do(world, todo, None)
    assert listed(world) == ""


@pytest.mark.parametrize("why", ["full", "missing", "stopped"])
def test_what_is_not_carried(world: World, why: str) -> None:
    if why == "full":
        world.files.write("/data/web/app/there", b"")
    elif why == "missing":
        world.containers.inside.clear()
    else:
        world.units.running.clear()
    todo = step(BIND)
    saved = carry.save(world, todo, FOLDER)
    carry.do(world, todo, saved)
    assert listed(world) == ""
    carry.undo(world, todo, saved)
    assert (world.files.read("/data/web/app/there") is not None) is (why == "full")
    assert listed(world, ".back") == ""


def test_no_room_is_told_before_anything_stops(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.files, "free", lambda _path: 6000)
    todo = step(BIND)
    saved = carry.save(world, todo, FOLDER)
    with pytest.raises(Failed, match="cannot carry /var/lib/app of web to /data/web/app: it has 5000 bytes"):
        carry.do(world, todo, saved)
    carry.undo(world, todo, saved)
    assert world.files.stat("/data/web/app") is None
    assert listed(world) == ""


@pytest.mark.parametrize("boot", [False, True])
def test_the_way_back_puts_it_where_it_was(world: World, boot: bool) -> None:
    world.files.mkdir("/data/web/app", 0o700, 5, 6)
    todo = step(BIND)
    saved = carry.save(world, todo, FOLDER)
    carry.do(world, todo, saved)
    world.files.mkdir("/data/web/app", 0o750, 900, 900)  # as root-down does
    world.files.write("/data/web/app/more/1", b"one")
    for _ in range(2):
        carry.undo(world, todo, saved, boot=boot)
        assert world.files.list("/data/web/app") == []
        stat = world.files.stat("/data/web/app")
        assert stat is not None
        assert (stat.mode, stat.uid, stat.gid) == (0o700, 5, 6)
        assert world.files.read(f"{FOLDER}/0/more/1") == b"one"
        kept = world.files.stat(f"{FOLDER}/0")
        assert kept is not None
        assert (kept.mode, kept.uid) == (0o750, 900)
        assert listed(world, ".back") == f"disk\t{todo.args['base']}\t{FOLDER}/0\t/var/lib/app\n"


def test_what_could_not_be_copied_comes_back_from_the_root(world: World) -> None:
    todo = step(BIND)
    saved: Json = carry.save(world, todo, FOLDER)
    carry.do(world, todo, saved)
    world.files.remove(paths.carry("web"))
    world.files.write(f"{paths.carry('web')}.failed", b"cannot carry")
    carry.undo(world, todo, saved)
    assert listed(world, ".failed") == ""
    assert listed(world, ".back").startswith("root\t")
    assert f"{paths.carry('web')}.root/var/lib/app\t" in listed(world, ".back")
