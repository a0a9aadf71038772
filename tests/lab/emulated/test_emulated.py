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


def shown(machine: Emulated, name: str) -> list[str]:
    """The limits that programs in a container see of themselves."""
    return machine.inside(name, "cd /sys/fs/cgroup; cat memory.max memory.high cpu.max pids.max").splitlines()


def test_a_container_sees_its_limits_and_cannot_change_them(machine: Emulated) -> None:
    assert shown(machine, TENANT) == [str(256 << 20), str(200 << 20), "80000 100000", "200"]
    assert shown(machine, NEIGHBOUR) == [str(512 << 20), "max", "max 100000", "16384"]
    for file in ("memory.max", "pids.max"):
        done = machine.execute("systemd-run", f"--machine={TENANT}", "--quiet", "--pipe", "--wait", "--",
                               "sh", "-c", f"echo max >/sys/fs/cgroup/{file}")  # fmt: skip
        assert done.code != 0
        assert "Permission denied" in done.error
    assert shown(machine, TENANT)[0] == str(256 << 20)


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
        assert shown(machine, TENANT)[::3] == [str(int(memory[:-1]) << 20), tasks]
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
    """Limits that the manager in a container sets, for a container of its own: seen in it, and in effect; and what is
    stopped is what grows, not the nested container, nor the one around it."""
    machine.succeed("systemctl", "start", "systemd-nspawn@nest.service", timeout=1800)
    unit, within = "nested-chroot.service", "systemd-run --machine=chroot --quiet --pipe --wait --"
    machine.inside(
        "nest", f"systemctl set-property --runtime {unit} MemoryMax=100M TasksMax=60; systemctl restart {unit}"
    )
    assert shown(machine, "nest")[::3] == [str(512 << 20), "1000"]
    files = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max"
    assert machine.inside("nest", f"{within} cat {files}").split() == [str(100 << 20), "60"]

    def runs() -> list[str]:
        outer = machine.succeed(
            "systemctl", "show", "--property=InvocationID,ActiveState", "systemd-nspawn@nest.service"
        )
        inner = machine.inside("nest", f"systemctl show --property=InvocationID,ActiveState,NRestarts {unit}")
        return (outer + "\n" + inner).splitlines()

    def counted(file: str, name: str) -> int:
        rows = machine.inside("nest", f"cat /sys/fs/cgroup/system.slice/{unit}/{file}").splitlines()
        return int(dict(map(str.split, rows))[name])

    before = runs()
    assert before.count("ActiveState=active") == 2
    assert (counted("memory.events", "oom_kill"), counted("pids.events", "max")) == (0, 0)
    grown = machine.inside("nest", f"{within} tail /dev/zero 2>&1 && exit 9; echo ended")
    assert grown.endswith("ended")
    assert counted("memory.events", "oom_kill") > 0
    crowd = "for n in $(seq 100); do sleep 60 & done"  # the shell ends when it is refused one
    crowded = machine.inside("nest", f"{within} sh -c '{crowd}' 2>&1 && exit 9; echo ended")
    assert "annot fork" in crowded
    assert counted("pids.events", "max") > 0
    assert machine.inside("nest", f"{within} cat /proc/1/comm") == "systemd"
    assert runs() == before
    machine.succeed("systemctl", "stop", "systemd-nspawn@nest.service")
