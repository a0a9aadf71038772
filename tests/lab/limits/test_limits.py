"""Limits: read back where they take effect, and held when a tenant uses up what it has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.limits.rig import Tenants

CONTROLLERS = {
    "memory": "memory", "memory_high": "memory", "cpus": "cpu", "cpu_weight": "cpu", "io_weight": "io", "tasks": "pids",
}  # fmt: skip
GROUP = "/sys/fs/cgroup/machine.slice/systemd-nspawn@heavy.service"


def test_each_limit_is_held_or_said_to_have_no_effect(tenants: Tenants) -> None:
    there = tenants.succeed("host", "cat", f"{GROUP}/cgroup.controllers").split()
    found = tenants.limits("heavy")
    assert {name: found[name]["declared"] for name in CONTROLLERS} == {
        "memory": "256M", "memory_high": "200M", "cpus": "1", "cpu_weight": "20", "io_weight": "20", "tasks": "200",
    }  # fmt: skip
    for name, controller in CONTROLLERS.items():
        row = found[name]
        assert row["state"] == ("held" if controller in there else "void"), row
        assert controller in there or row["said"] == f"the kernel gives its group no controller {controller}"
    assert {(name, row["state"], row["found"]) for name, row in found.items() if name not in CONTROLLERS} == {
        ("root", "held", "64M"), ("/build", "held", "48M"),
    }  # fmt: skip


def test_a_cap_that_is_not_as_declared(tenants: Tenants) -> None:
    layer = "/run/eyas/layer/heavy"
    tenants.succeed("host", "mount", "-o", "remount,size=200M", layer)
    try:
        row = tenants.limits("heavy")["root"]
        assert (row["state"], row["declared"], row["found"]) == ("void", "64M", "200M")
        assert "heavy: limits: no effect of root 64M: its root holds 200M" in tenants.eyas("status")
    finally:
        tenants.succeed("host", "mount", "-o", "remount,size=64M", layer)
    assert tenants.limits("heavy")["root"]["state"] == "held"


@pytest.mark.long
def test_a_full_root_and_a_full_ram_disk_hurt_nobody_else(tenants: Tenants) -> None:
    @contextmanager
    def full() -> Iterator[None]:
        fill = "! dd if=/dev/zero of=/var/big bs=1M 2>&1; ! dd if=/dev/zero of=/build/big bs=1M 2>&1"
        said = tenants.inside("heavy", fill)
        assert said.count("No space left on device") == 2
        try:
            yield
        finally:
            tenants.inside("heavy", "rm /var/big /build/big")

    with full():
        assert tenants.hits() == {"heavy": {"root", "/build"}}
        text = tenants.eyas("status")
        assert "heavy: limits: its root is full: 64M" in text
        assert "heavy: limits: its RAM disk /build is full: 48M" in text
        tenants.inside("quick", "dd if=/dev/zero of=/var/some bs=1M count=8; rm /var/some")
        tenants.inside("nest", "dd if=/dev/zero of=/var/some bs=1M count=8; rm /var/some")
    assert tenants.hits() == {}
    tenants.stays_quick(full)


@pytest.mark.long
def test_a_busy_disk_is_its_own_trouble(tenants: Tenants) -> None:
    unit = "eyas-test-busy.service"

    @contextmanager
    def busy() -> Iterator[None]:
        # Past the page cache and in large pieces: it is the disk that is kept busy, and hardly a processor.
        write = "while :; do dd if=/dev/zero of=/srv/heavy/big{} bs=32M count=8 oflag=direct 2>/dev/null; done &"
        both = f"{write.format(1)} {write.format(2)} wait"
        tenants.succeed("heavy", "systemd-run", "--quiet", f"--unit={unit}", "sh", "-c", both)
        try:
            yield
        finally:
            tenants.inside("heavy", f"systemctl stop {unit}; rm -f /srv/heavy/big*")

    tenants.stays_quick(busy)
    with busy():
        # Of all who wait for the disks, it is nearly all of the waiting: what `eyas status` names it by.
        began = {name: tenants.stalled(name) for name in ("heavy", "quick")}
        time.sleep(5)
        waited = {name: tenants.stalled(name) - before for name, before in began.items()}
        assert waited["heavy"] > max(0.1, 5 * waited["quick"]), waited
        assert "quick" not in tenants.hits()
        assert tenants.get("internet", "http://203.0.113.112/") == "quick"
