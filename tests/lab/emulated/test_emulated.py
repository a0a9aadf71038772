"""Limits on a machine whose kernel has all controllers: a virtual one, with a fleet that eyas applied there itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyas.lab.bombs import BOMBS, NAMED, NEIGHBOUR, TENANT, Seen, bomb, clients, hits
from eyas.lab.emulated import FLEET, Emulated, emulated
from tests.lab.rig import FULL

pytestmark = pytest.mark.long

DEFINED = Path(__file__).parents[3] / "benchmarks/fleets/bombs"
RATE, SECONDS = 20, 40 if FULL else 15
BOUND = 1.5 if FULL else 3
"""Of calm. With few requests, the hundredth part of them is one or two."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    folder = tmp_path_factory.mktemp("emulated")
    shutil.copytree(DEFINED, folder / "fleet")
    with emulated(folder, folder / "fleet") as found:
        print(found.eyas("apply", "--yes"))
        yield found


@pytest.fixture(scope="module")
def calm(machine: Emulated) -> Seen:
    clients(machine, RATE, 3)  # the first ones pay for what is read for the first time
    return clients(machine, RATE, SECONDS)


def starts(machine: Emulated) -> list[str]:
    units = [f"systemd-nspawn@{name}.service" for name in (NEIGHBOUR, TENANT)]
    return machine.succeed("systemctl", "show", "--property=InvocationID", "--value", *units).split()


def limits(machine: Emulated, name: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(machine.eyas("status", "--json"))["containers"]
    (row,) = [row for row in rows if row["name"] == name]
    return {limit["limit"]: limit for limit in row["limits"]}


def test_every_limit_is_held(machine: Emulated) -> None:
    assert json.loads(machine.eyas("plan", "--json"))["changes"] == []
    found = limits(machine, TENANT)
    states = {name: (row["state"], row["declared"], row["found"]) for name, row in found.items()}
    assert states == {
        "memory": ("held", "256M", "256M"), "memory_high": ("held", "200M", "200M"), "cpus": ("held", "0.8", "0.8"),
        "cpu_weight": ("held", "20", "20"), "io_weight": ("void", "20", "20"), "tasks": ("held", "200", "200"),
        "root": ("held", "64M", "64M"), "/build": ("held", "48M", "48M"),
    }  # fmt: skip


def test_weights_of_disks_are_void_until_one_heeds_them(machine: Emulated) -> None:
    said = "no disk of the host shares its time by weights: none has the scheduler bfq, and io.cost is off"
    assert limits(machine, TENANT)["io_weight"]["said"] == said
    machine.succeed("sh", "-ec", "modprobe bfq; echo bfq >/sys/block/vda/queue/scheduler")
    assert limits(machine, TENANT)["io_weight"]["state"] == "held"


def test_a_live_change_is_in_effect(machine: Emulated) -> None:
    """Not only for systemd, which is content when it has read its files: the kernel holds to it."""
    before = starts(machine)
    for memory, tasks, weight in (("300M", "250", "30"), ("256M", "200", "20")):
        edit = (
            f's/memory="[0-9]*M", memory_high/memory="{memory}", memory_high/; s/cpu_weight=[23]0/cpu_weight={weight}/'
        )
        machine.succeed("sed", "-i", f"{edit}; s/tasks=2[0-9]*/tasks={tasks}/", f"{FLEET}/fleet.py")
        machine.eyas("apply", "--yes")
        found = limits(machine, TENANT)
        kept = {name: (found[name]["state"], found[name]["found"]) for name in ("memory", "tasks", "cpu_weight")}
        assert kept == {"memory": ("held", memory), "tasks": ("held", tasks), "cpu_weight": ("held", weight)}
        assert json.loads(machine.eyas("plan", "--json"))["changes"] == []
    assert starts(machine) == before


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_hurts_its_own_container_alone(machine: Emulated, calm: Seen, name: str) -> None:
    """The host answers, the neighbour's clients notice little, and `eyas status` says whose trouble it is."""
    before = starts(machine)
    with bomb(machine, name):
        seen = clients(machine, RATE, SECONDS)
        named = hits(machine)
    print(f"{name}: 99 of 100 within {seen.most:.4f} s, calm {calm.most:.4f} s; status: {named}")
    assert seen.failed == 0
    assert seen.most <= BOUND * calm.most
    assert NEIGHBOUR not in named
    assert NAMED[name] & named[TENANT], named
    assert starts(machine) == before
    assert clients(machine, RATE, 2).failed == 0


def test_what_is_nested_keeps_to_its_limits(machine: Emulated) -> None:
    """Limits that the manager in a container sets, for a container of its own, are in effect; visible inside, too."""
    machine.succeed("systemctl", "start", "systemd-nspawn@nest.service", timeout=1800)
    unit = "nested-chroot.service"
    shown = machine.inside(
        "nest",
        f"systemctl set-property --runtime {unit} MemoryMax=100M TasksMax=60; "
        f"cat /sys/fs/cgroup/system.slice/{unit}/memory.max /sys/fs/cgroup/system.slice/{unit}/pids.max",
    )
    assert shown.split() == ["104857600", "60"]
    crowd = "for n in $(seq 100); do sleep 60 & done"  # the shell ends when it is refused one
    for worst in ("tail /dev/zero", f"sh -c '{crowd}'"):
        machine.inside("nest", f"systemd-run --machine=chroot --quiet --pipe --wait -- {worst} || true")
    events = machine.inside("nest", f"cd /sys/fs/cgroup/system.slice/{unit}; cat memory.events pids.events").split()
    counts = dict(zip(events[::2], events[1::2], strict=True))  # each name once, but for "max" of both
    assert int(counts["oom_kill"]) > 0
    assert int(counts["max"]) > 0
    assert machine.inside("nest", f"systemctl is-active {unit}") == "active"
    machine.succeed("systemctl", "stop", "systemd-nspawn@nest.service")
