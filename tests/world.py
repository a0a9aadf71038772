"""A host in memory, with the parts of `eyas.core.system`: strict, and mortal.

Strict: what a real host refuses, this one refuses (starting a unit without a file, a container without its tree,
checking out an unknown commit, removing a directory that is not empty). Containers start as root-up starts them, and
leave the same prints. Mortal: with ``fuse`` set, the n-th act that changes something raises `Killed` instead, as if
the process had died; `survive` gives the process back its life, `cut` takes the power, `boot` brings the host up.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.kind import slots
from tests.world_egress import WorldEgress
from tests.world_files import Fuse, Killed, Node, WorldFiles, new_id
from tests.world_parts import (
    WorldAccounts,
    WorldCertificates,
    WorldContainers,
    WorldFirewall,
    WorldKernel,
    WorldKeys,
    WorldNetwork,
    WorldPackages,
    WorldStore,
    WorldTraffic,
    WorldVolumes,
)
from tests.world_units import BASE_UNITS, CONTAINER, Running, WorldUnits

__all__ = ["Killed", "Node", "World", "differences"]


@dataclass
class Assembled:
    """A running root: what it was made from."""

    tree: str
    layer: str


class World:
    """One host."""

    def __init__(self, commits: Sequence[str] = ()) -> None:
        self.fuse = Fuse()
        self.files = WorldFiles(self.fuse)
        self.units = WorldUnits(self)
        self.firewall = WorldFirewall(self.fuse)
        self.accounts = WorldAccounts(self)
        self.packages = WorldPackages(self.fuse)
        self.store = WorldStore(self)
        self.store.commits |= set(commits)
        self.kernel = WorldKernel(self.fuse)
        self.containers = WorldContainers(self)
        self.traffic = WorldTraffic(self)
        self.keys = WorldKeys(self)
        self.network = WorldNetwork(self)
        self.certificates = WorldCertificates(self)
        self.volumes = WorldVolumes(self)
        self.egress = WorldEgress(self.fuse)
        self.roots: dict[str, Assembled] = {}

    def ahead(self, patterns: Sequence[str]) -> None:
        return

    # What the container's unit does

    def root_up(self, name: str, invocation: str) -> None:
        """As root-up.sh: refuses what it refuses, leaves the prints that it leaves."""
        files = self.files
        env, spec = files.read(paths.env(name)), files.read(paths.spec(name))
        started = files.read(paths.unit(name))
        if files.read(paths.now_spec(name)) is not None:
            now = (paths.now_env, paths.now_spec, paths.now_unit)
            env, spec, started = (files.read(path(name)) for path in now)
        if env is None or spec is None:
            raise Failed(f"cannot assemble the root of {name}: no {paths.env(name)}")
        fields = json.loads(spec)
        for lower in (paths.tree(fields["tree"]), f"{paths.layer(fields['layer'])}/root"):
            if lower not in files.nodes:
                raise Failed(f"cannot assemble the root of {name}: no {lower}")
        for bind in fields.get("binds", []):
            if bind.get("persistent") and bind["source"] not in files.nodes:
                raise Failed(f"cannot assemble the root of {name}: the data at {bind['source']} is missing")
            files.parents(f"{bind['source']}/x")
            files.nodes.setdefault(bind["source"], Node("dir"))
        for other, unit in self._addresses().items():
            if other == slots.own(fields, "address4") and unit != name:
                raise Failed(f"cannot start {name}: {unit} has the address {other}")
        if fields["bridge"] not in self.network.links:
            raise Failed(f"cannot start {name}: no bridge {fields['bridge']}")
        self.containers.bound[name] = {
            bind["target"]: (bind["source"], bind["readonly"]) for bind in fields.get("binds", [])
        }
        self.roots[name] = Assembled(fields["tree"], fields["layer"])
        self._put(paths.print_of(name), json.dumps({"invocation": invocation, "spec": fields}).encode())
        self._put(f"{paths.PRINTS}/{name}.unit", started or b"")

    def _addresses(self) -> dict[str, str]:
        found = {}
        for name in self.roots:
            data = json.loads(self.files.read(paths.print_of(name)) or b"{}")
            found[str(slots.own(data.get("spec", {}), "address4") or "")] = name
        return found

    def root_down(self, name: str) -> None:
        for path in (paths.print_of(name), f"{paths.PRINTS}/{name}.unit", paths.probes(name)):
            self.files.nodes.pop(path, None)
        self.roots.pop(name, None)
        self.containers.edited.pop(name, None)
        self.containers.bound.pop(name, None)

    def load_firewall_at_boot(self) -> None:
        names = self.files.nodes.pop(paths.NAMES_NEXT, None)
        if names is not None:
            self._put(paths.NAMES, names.data)
        text = self.files.read(paths.FIREWALL)
        if text:
            self.firewall.text = text.decode()
            self._put(paths.FIREWALL_LISTING, text)

    def _put(self, path: str, data: bytes) -> None:
        """A write of somebody else: it costs no life."""
        self.files.parents(path)
        self.files.nodes[path] = Node("file", data=data)

    # For tests

    def running(self) -> dict[str, str]:
        """Names of running containers with their invocation."""
        found = {}
        for name, run in self.units.running.items():
            if match := CONTAINER.match(name):
                container = slots.split(match[1])[0]
                assert container not in found, f"two generations of {container} run"
                found[container] = run.invocation
        return found

    def survive(self) -> None:
        """A new process: nobody aims at it."""
        self.fuse.off()

    def cut(self) -> None:
        """The power goes: nothing runs, /run is empty; systemd comes up and has read the files, has started nothing."""
        self.survive()
        for path in [p for p in self.files.nodes if p.startswith("/run/")]:
            del self.files.nodes[path]
        self.roots.clear()
        self.containers.edited.clear()
        self.containers.bound.clear()
        self.firewall.text = ""
        self.traffic.held.clear()
        self.network.links.clear()
        units = self.units
        units.failed.clear()
        units.running.clear()
        units.loaded = units._texts()

    def boot(self) -> None:
        """systemd starts what is enabled, as its edges say."""
        units = self.units
        self.network.read()
        for name in BASE_UNITS:
            units.running.setdefault(name, Running(new_id()))
        wanted = [n for n in units.loaded if units._enabled(n) and units.loaded[n] != "masked"]
        for name in units._ordered(sorted(wanted)):
            try:
                units._start(name)
            except Failed:
                continue
        settings = self.files.read(paths.SYSCTL) or b""
        for line in settings.decode().splitlines():
            key, _, value = line.partition("=")
            if key.strip().lstrip("-") in self.kernel.values:
                self.kernel.values[key.strip().lstrip("-")] = value.strip()

    def photograph(self, *, runs: bool = False) -> dict[str, object]:
        """The whole host as a value to compare. Left out: eyas' record of runs, ids that are new at each start."""
        hidden = (f"{paths.RUNS}/", f"{paths.PRINTS}/", f"{paths.PROBES}/", f"{paths.WAITS}/", f"{paths.ACCEPTED}/")
        hidden += (f"{paths.CERTIFICATES}/.",)  # pairs that were set aside
        nodes = {p: n for p, n in self.files.nodes.items() if runs or not (p + "/").startswith(hidden)}
        in_effect = {}
        for name in self.roots:
            data = json.loads(self.files.read(paths.print_of(name)) or b"{}")
            in_effect[name] = data.get("spec")
        return {
            "files": nodes,
            "running": set(self.units.running),
            "loaded": dict(self.units.loaded),
            "in effect": in_effect,
            "bound": {name: dict(bound) for name, bound in self.containers.bound.items()},
            "firewall": self.firewall.text,
            "links": set(self.network.links),
            "accounts": {name: (a, self.accounts.secret(name)) for name, a in self.accounts.accounts.items()},
            "packages": dict(self.packages.here),
            "kernel": dict(self.kernel.values),
            "held": set(self.traffic.held),
        }

    def copy(self) -> World:
        return copy.deepcopy(self)


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """What two photographs do not share, in words, for a failing test."""
    for key in before:
        one, two = before[key], after[key]
        if one == two:
            continue
        if isinstance(one, dict) and isinstance(two, dict):
            for name in sorted({*one, *two}, key=str):
                if one.get(name) != two.get(name):
                    yield f"{key} {name}: {one.get(name)!r} -> {two.get(name)!r}"
        elif isinstance(one, set) and isinstance(two, set):
            yield f"{key}: gone {sorted(one - two)}, new {sorted(two - one)}"
        else:
            yield f"{key}: {one!r} -> {two!r}"


def is_system(world: World) -> None:
    """Never called: the type checker compares the world with the seam here."""
    from eyas.core.system import System

    system: System = world
    del system
