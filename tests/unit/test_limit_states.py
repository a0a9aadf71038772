"""Limits: what is read back of them, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyas.core.ramdisks import RamDisk, ram_disk
from eyas.core.words import Json
from eyas.host.limits import SHOWN, effect, show
from eyas.model import Bridge, Container, Host, Image, Limits, Root, Unit, Uplink
from eyas.model.rules_limits import in_ram, ram_disks, sums
from eyas.parts import ram_disk as part
from eyas.parts.ramdisk import escaped
from eyas.status.limits import limits, lines

G = 1 << 30
BASE = Image.debian("trixie")
SPEC: dict[str, Json] = {
    "root_size": 2 * G,
    "root_backing": "ram",
    "limits": {
        "memory_max": 2 * G, "memory_high": G, "cpu_quota": 150, "cpu_weight": 50, "io_weight": 20, "tasks_max": 300,
    },
}  # fmt: skip
HELD = {
    "memory.max": str(2 * G), "memory.high": str(G), "cpu.max": "150000 100000", "cpu.weight": "50",
    "io.weight": "default 20", "pids.max": "300", "cgroup.controllers": "cpuset cpu io memory pids",
    "memory.events": "low 0\nhigh 7\nmax 3\noom 0\noom_kill 0", "pids.events": "max 0",
    "io.pressure": "some avg10=1.50 avg60=0.10 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0",
}  # fmt: skip


def group(top: Path, files: dict[str, str]) -> dict[str, Json]:
    """What is read of a container `wiki` with these files in its group."""
    place = top / "machine.slice/systemd-nspawn@wiki.service"
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text + "\n")
    scheduler = top / "block/sda/queue/scheduler"
    scheduler.parent.mkdir(parents=True)
    scheduler.write_text(files.get("scheduler", "none [bfq]") + "\n")
    return effect("wiki", SPEC, str(top), str(top / "block"))


def states(seen: dict[str, Json]) -> dict[str, str]:
    return {limit.name: limit.state for limit in limits({**SPEC, "root_size": None}, seen)}


def test_limits_that_are_held(tmp_path: Path) -> None:
    seen = group(tmp_path, HELD) | {"root": {"declared": 2 * G, "size": 2 * G, "full": 0.1, "inodes": 0.0}}
    found = limits(SPEC, seen)
    assert {limit.state for limit in found} == {"held"}
    assert {(limit.name, limit.declared, limit.found) for limit in found} == {
        ("memory", "2G", "2G"), ("memory_high", "1G", "1G"), ("cpus", "1.5", "1.5"), ("cpu_weight", "50", "50"),
        ("io_weight", "20", "20"), ("tasks", "300", "300"), ("root", "2G", "2G"),
    }  # fmt: skip
    assert lines(found) == []


def test_weights_that_no_disk_heeds(tmp_path: Path) -> None:
    """They are there to be read back, and do nothing: with neither bfq nor io.cost."""
    seen = group(tmp_path, {**HELD, "scheduler": "[none] mq-deadline"})
    (void,) = [limit for limit in limits(SPEC, seen) if limit.name == "io_weight"]
    assert (void.state, void.declared, void.found) == ("void", "20", "20")
    assert lines([void]) == [
        "no effect of io_weight 20: no disk of the host shares its time by weights: none has the scheduler bfq, and "
        "io.cost is off"
    ]
    (tmp_path / "io.cost.qos").write_text("254:0 enable=1 ctrl=auto rpct=95.00\n")
    seen = effect("wiki", SPEC, str(tmp_path), str(tmp_path / "block"))
    assert states(seen)["io_weight"] == "held"


def test_more_processors_are_wanted_than_there_are_to_have(tmp_path: Path) -> None:
    """By who was held back by its own limit; who waits because others are busy is a victim."""
    waits = "some avg10=71.20 avg60=3.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0"
    seen = group(tmp_path, {**HELD, "cpu.pressure": waits, "cpu.stat": "usage_usec 5\nnr_periods 90\nnr_throttled 80"})
    (hit,) = [limit for limit in limits({**SPEC, "root_size": None}, seen) if limit.state == "hit"]
    assert hit.name == "cpus"
    assert hit.said == "it wants more than its processors, 1.5: it waited 71 % of the last 10 s"
    victim = group(tmp_path / "other", {**HELD, "cpu.pressure": waits, "cpu.stat": "nr_throttled 0"})
    assert "hit" not in states(victim).values()


def test_throttling_is_counted_where_it_happens(tmp_path: Path) -> None:
    """The same quota stands at the top of the container's own groups, which may meet it first."""
    inner = tmp_path / "machine.slice/systemd-nspawn@wiki.service/payload"
    inner.mkdir(parents=True)
    (inner / "cpu.stat").write_text("nr_throttled 80\n")
    assert group(tmp_path, {**HELD, "cpu.stat": "nr_throttled 0"})["events"] == {
        "memory.events oom_kill": 0, "memory.events high": 7, "pids.events max": 0, "cpu.stat nr_throttled": 80,
    }  # fmt: skip


def test_a_container_sees_its_limits(tmp_path: Path) -> None:
    group(tmp_path, HELD)
    inner = tmp_path / "machine.slice/systemd-nspawn@wiki.service/payload"
    show("systemd-nspawn@wiki.service", str(tmp_path))
    assert not inner.exists()  # it does not run
    inner.mkdir()
    for name in SHOWN[:3]:
        (inner / name).write_text("max\n")
    show("systemd-nspawn@wiki.service", str(tmp_path))
    seen = {path.name: path.read_text().strip() for path in inner.iterdir()}  # this kernel does not count tasks
    assert seen == {"memory.max": str(2 * G), "memory.high": str(G), "cpu.max": "150000 100000"}


def test_who_is_slowed_down_for_its_memory(tmp_path: Path) -> None:
    waits = "some avg10=80.40 avg60=3.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0"
    seen = group(tmp_path, {**HELD, "memory.pressure": waits})
    (hit,) = [limit for limit in limits({**SPEC, "root_size": None}, seen) if limit.state == "hit"]
    assert hit.name == "memory_high"
    assert hit.said == "it is slowed down, because it uses more memory than 1G: it waited 80 % of the last 10 s"


def test_a_kernel_without_controllers(tmp_path: Path) -> None:
    seen = group(tmp_path, {"cgroup.controllers": "hugetlb"}) | {"root": {}}
    found = limits(SPEC, seen)
    assert {limit.state for limit in found} == {"void"}
    assert lines(found) == [
        "no effect of cpus 1.5, cpu_weight 50, io_weight 20, memory_high 1G, memory 2G, tasks 300: "
        "the kernel gives its group no controller cpu, io, memory, pids"
    ]


@pytest.mark.parametrize(
    ("file", "text", "limit", "said"),
    [
        ("memory.max", "max", "memory", "no effect of memory 2G: memory.max says max"),
        ("memory.high", str(3 * G), "memory_high", "no effect of memory_high 1G: memory.high says 3G"),
        ("cpu.max", "max 100000", "cpus", "no effect of cpus 1.5: cpu.max says max"),
        ("io.weight", "default 100", "io_weight", "no effect of io_weight 20: io.weight says 100"),
        ("pids.max", "16384", "tasks", "no effect of tasks 300: pids.max says 16384"),
    ],
)
def test_another_value_than_declared(tmp_path: Path, file: str, text: str, limit: str, said: str) -> None:
    seen = group(tmp_path, {**HELD, file: text}) | {"root": {}}
    found = limits(SPEC, seen)
    assert [each.name for each in found if each.state == "void"] == [limit]
    assert lines(found) == [said]


def test_the_culprit_is_named(tmp_path: Path) -> None:
    events = {
        "memory.events": "oom 2\noom_kill 3",
        "pids.events": "max 12",
        "io.pressure": "some avg10=88.20 avg60=1.00 avg300=0.00 total=9",
    }
    seen = group(tmp_path, HELD | events)
    seen["root"] = {"declared": 2 * G, "size": 2 * G, "full": 1.0, "inodes": 0.2}
    seen["disks"] = {"/build": {"declared": G, "size": G, "full": 0.3, "inodes": 1.0}}
    assert lines(limits(SPEC, seen)) == [
        "3 processes were killed, because it used all of its memory, 2G",
        "12 times it could start no more processes than its 300",
        "its root is full: 2G",
        "its RAM disk /build is full (of files): 1G",
        "it waits for the disks: 88 % of the last 10 s",
    ]


def test_a_root_and_a_ram_disk_that_are_not_as_declared(tmp_path: Path) -> None:
    seen = group(tmp_path, HELD)
    seen["root"] = {"declared": 2 * G, "size": 12 * G, "full": 0.0, "inodes": 0.0}
    seen["disks"] = {"/build": {"declared": G}}
    assert lines(limits(SPEC, seen)) == [
        "no effect of root 2G: its root holds 12G",
        "no effect of /build 1G: nothing of its own is mounted there",
    ]


def test_the_part_writes_what_the_check_adds_up() -> None:
    (name,) = part("/var/cache/my-builds", "4G", mode=0o700).units
    assert name == r"var-cache-my\x2dbuilds.mount"
    unit = part("/var/cache/my-builds", "4G").units[name]
    assert ram_disk(str(unit.content)) == RamDisk("/var/cache/my-builds", 4 * G)
    assert ram_disk("[Mount]\nWhat=/dev/sda\nWhere=/x\nType=ext4\n") is None
    assert ram_disk("[Mount]\nWhat=tmpfs\nWhere=/x\nType=tmpfs\nOptions=size=50%\n") == RamDisk("/x", 0)
    assert escaped("/.snapshots/a.b") == r"\x2esnapshots-a.b.mount"


def host(*containers: Container) -> Host:
    return Host("alpha", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"), containers, memory="16G")


def test_what_containers_may_hold_together() -> None:
    build = Container(
        "build", "10.0.5.20", BASE, parts=[part("/build", "8G")], root=Root(size="2G"), limits=Limits(memory="12G")
    )
    own = Unit("[Mount]\nWhat=tmpfs\nWhere=/x\nType=tmpfs\nOptions=mode=0755,size=512m\n")
    wiki = Container("wiki", "10.0.5.10", BASE, root=Root(size="3G"), units={"x.mount": own})
    disk = Container("disk", "10.0.5.30", BASE, root=Root(size="30G", backing="disk"))
    assert [in_ram(c) for c in (build, wiki, disk)] == [10 * G, 3 * G + (512 << 20), 0]
    assert ram_disks(wiki) == (RamDisk("/x", 512 << 20),)
    (said,) = sums(host(build, wiki, disk))
    assert said.severity == "warning"
    assert "may hold 25.1G in memory (the largest: build 12G, wiki 8.3G, disk 4.8G), and it has 16G" in said.message
    assert "as wiki, /run and /dev/shm alone may grow to 4.8G" in said.hint
    small = Container("small", "10.0.5.40", BASE, limits=Limits(memory="3G"))
    assert not list(sums(host(build, small)))
