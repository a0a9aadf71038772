"""The life of a lab: up, down, and taking away what nobody owns any more."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from eyas.core.errors import Failed
from eyas.core.events import Event, Listener, silent
from eyas.lab import archive, authority, cgroup, furnish, kernel, names, spec, sweep, tree, wire
from eyas.lab.lab import INTERNET, Lab, all_labs
from eyas.lab.place import Place, labs_root
from eyas.lab.spec import LabHost, public_addresses
from eyas.lab.state import alive, all_locked, locked, read_json, start_time, write_json


def up(
    directory: Path,
    specs: Sequence[LabHost],
    source: tree.Source | None = None,
    *,
    outer: bool = True,
    owner: int | None = None,
    listener: Listener = silent,
) -> Lab:
    """Boot the lab of a fleet directory, or what of it does not run; hosts that run are left alone.

    ``source`` is the tree that a new host's disk is copied from (default: one made of `LAB_PACKAGES`). With
    ``outer`` the hosts' public addresses are made reachable from this machine, where it has no other way to them.
    A lab with an ``owner`` (a process id) is an orphan when that process has ended: see `remove_orphans`.
    Raises Failed when a host does not come up (what it wrote to its console is in the message).
    """
    _need_root()
    place = Place.of(directory)
    spec.check(specs)
    with locked(place):
        # Noted before the first deed: from now on `down` and `list` know of it.
        write_json(
            place.state,
            {
                "version": 1,
                "directory": str(directory.resolve()),
                "hosts": [each.to_json() for each in specs],
                "owner": [owner, start_time(owner)] if owner is not None else None,
            },
        )
        place.path.chmod(0o700)
        lab = Lab(place, directory.resolve(), specs)
        _take_away_strangers(lab, listener)
        cgroup.make(f"{place.cgroup}/{INTERNET}")  # by which other labs see that there is this one
        with all_locked(place.base):
            kernel.prepare(place.base, listener)
        authority.make_authority(place.authority)
        wire.make_internet(place, specs)
        if not (place.etc / "hosts").exists():
            lab.set_names({})
        archive.start(place)
        names.start(place)
        _make_disks(lab, source, listener)
        _boot_all(lab, listener)
        if outer:
            addresses = [each for some in public_addresses(specs).values() for each in some]
            with all_locked(place.base):  # two that look at the same moment would both find the way free
                _, reasons = wire.open_outer(place, addresses)
            for reason in reasons:
                listener(Event("lab", "outer", reason, level="warning"))
    return lab


def down(directory: Path, *, keep_data: bool = False, listener: Listener = silent) -> bool:
    """Take a lab away, whatever state it is in; whether there was anything. With ``keep_data`` the disks stay."""
    _need_root()
    return remove(Place.of(directory), keep_data=keep_data, listener=listener)


def remove(place: Place, *, keep_data: bool = False, listener: Listener = silent) -> bool:
    """`down`, for a lab whose directory may be gone."""
    if not sweep.traces(place):
        place.lock.unlink(missing_ok=True)
        return False
    with locked(place):
        if keep_data:
            sweep.power_off(place)
        else:
            sweep.sweep(place)
        listener(Event("lab", place.id, "down"))
        with all_locked(place.base):
            if not any(cgroup.existing(each.place.cgroup) for each in all_labs(place.base)):
                kernel.restore(place.base, listener)
    return True


def remove_orphans(listener: Listener = silent) -> None:
    """Take away the labs whose owner has ended: those of tests that were killed."""
    _need_root()
    for lab in all_labs(labs_root()):
        owner = (read_json(lab.place.state) or {}).get("owner")
        if owner is not None and not alive(*owner):
            try:
                remove(lab.place, listener=listener)
            except Failed as error:  # another test run is taking it away already; or the next one will
                listener(Event("lab", lab.id, f"left as it is: {error.message}", level="warning"))


def _need_root() -> None:
    if os.geteuid() != 0:
        raise Failed("cannot work on a lab: only root can make machines and networks", "run it with sudo")


def _take_away_strangers(lab: Lab, listener: Listener) -> None:
    """Hosts that are no longer of the fleet, or were half removed."""
    for path in sorted(lab.place.path.iterdir()):
        if path.is_dir() and path.name not in lab.hosts and path.name not in spec.RESERVED:
            listener(Event("lab", path.name, "no longer of this lab: taken away"))
            sweep.remove_host(lab.place.host(path.name))


def _make_disks(lab: Lab, source: tree.Source | None, listener: Listener) -> None:
    for machine in lab.hosts.values():
        if machine.root.exists():
            if furnish.uplink(machine.root, machine.spec) and machine.leader() is not None:
                machine.run(["networkctl", "reload"])
            continue
        if source is None:
            source = tree.lab_tree(listener)
        listener(Event("lab", machine.name, "making its disk"))
        machine.place.path.mkdir(exist_ok=True)
        fresh = tree.copy(source, machine.place.path)
        furnish.furnish(fresh, machine.spec, lab.id)
        fresh.rename(machine.root)


def _boot_all(lab: Lab, listener: Listener) -> None:
    """Power all hosts on, then wait for each: they boot at the same time."""
    began = time.monotonic()
    cold = [machine for machine in lab.hosts.values() if not machine.is_up()]
    for machine in cold:
        machine.power_on()
    for done, machine in enumerate(cold, start=1):
        seconds = machine.wait()
        listener(Event("lab", machine.name, f"up, booted in {seconds:.1f} s", done=done, total=len(cold)))
    if len(cold) > 1:
        listener(Event("lab", lab.id, f"{len(cold)} hosts up in {time.monotonic() - began:.1f} s"))
