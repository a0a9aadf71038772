"""Rules about what containers may use: limits that contradict each other, and their sum against the host's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eyas.core.errors import Diagnostic
from eyas.core.ramdisks import RamDisk, ram_disk
from eyas.model.machines import Container, Host
from eyas.model.merge import merge

SHARE = 0.95  # of the host's memory; the rest is for the host itself
RUN, SHM = 0.2, 0.1
"""Parts of the host's memory that /run and /dev/shm of a container may grow to: systemd-nspawn's own ends for them."""


def ram_disks(container: Container) -> tuple[RamDisk, ...]:
    """RAM disks that a container's parts and units declare."""
    units = merge(container)[0].units
    texts = [str(units[name].content) for name in sorted(units) if name.endswith(".mount")]
    return tuple(disk for disk in map(ram_disk, texts) if disk is not None)


def most(container: Container) -> int | None:
    """Bytes of memory that a container can hold; None when nothing limits it. Files in RAM count within its limit."""
    return container.limits.memory


def in_ram(container: Container) -> int:
    """Bytes of files that a container can hold in memory, where nothing else stops it."""
    root = container.root.size if container.root.backing == "ram" else 0
    return root + sum(disk.size for disk in ram_disks(container))


def limits(host: Host) -> Iterator[Diagnostic]:
    """Limits of one container that do not go together."""
    for container in host.containers:
        limit, name = container.limits, container.name
        if limit.memory and limit.memory_high and limit.memory_high > limit.memory:
            message = f"memory_high of container {name} has no effect: it is above memory"
            yield limit.diagnostic("memory_high", message, "let it be lower than memory", "warning")
        disks, files = ram_disks(container), in_ram(container)
        if container.root.backing == "ram" and limit.memory and files > limit.memory:
            what = f"the root of container {name} may grow to {_show(container.root.size)} in RAM"
            if disks:
                what = f"root and RAM disks of container {name} may grow to {_show(files)} in RAM"
            message = f"{what}, but its memory is limited to {_show(limit.memory)}"
            hint = 'lower the size of the root, or write Root(backing="disk")'
            yield container.diagnostic("root", message, hint, "warning")
        for disk in disks:
            if not disk.size:
                message = f"the RAM disk {disk.path} of container {name} has no size: it may grow to half of the host"
                yield container.diagnostic("units", message, "write size= among its options", "warning")


def sums(host: Host) -> Iterator[Diagnostic]:
    """What all containers may hold at once, against what the host has."""
    if not host.memory:
        return
    known = {c.name: most(c) or 0 for c in host.containers}
    # One without a limit can hold at least its files in RAM.
    free = [c.name for c in host.containers if not known[c.name]]
    own = int(host.memory * (RUN + SHM))
    held = {c.name: known[c.name] or in_ram(c) + own for c in host.containers}
    total = sum(held.values())
    for container in host.containers:
        if (limit := most(container)) and limit > host.memory:
            message = (
                f"memory of container {container.name} has no effect: "
                f"{_show(limit)} are more than the {_show(host.memory)} of host {host.name}"
            )
            yield container.limits.diagnostic("memory", message, "let it be lower", "warning")
    if total > host.memory * SHARE:
        largest = sorted((name for name in held if held[name]), key=lambda name: (-held[name], name))[:3]
        parts = ", ".join(f"{name} {_show(held[name])}" for name in largest)
        message = (
            f"the containers of host {host.name} may hold {_show(total)} in memory (the largest: {parts}), "
            f"and it has {_show(host.memory)}"
        )
        hint = "lower limits, roots in RAM or RAM disks"
        if free:
            hint += f"; without a limit of memory, as {free[0]}, /run and /dev/shm alone may grow to {_show(own)}"
        yield host.diagnostic("memory", message, hint, "warning")


def _show(size: int) -> str:
    for unit, factor in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.4g}{unit}"
    return str(size)


LIMIT_RULES: tuple[Callable[[Host], Iterator[Diagnostic]], ...] = (limits, sums)
