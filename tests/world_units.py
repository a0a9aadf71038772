"""systemd of the world in memory: what it has loaded is what the files said at the last reload."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import UnitState
from tests.world_files import Fuse, new_id

if TYPE_CHECKING:
    from tests.world import World

CONTAINER = re.compile(r"^systemd-nspawn@(.+)\.service$")
BASE_UNITS = ("machines.target", "systemd-networkd.service", "nftables.service", "multi-user.target")


@dataclass
class Running:
    invocation: str
    active: str = "active"


class WorldUnits:
    """systemd: what it has loaded is what the files said at the last reload."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.loaded: dict[str, str] = {}
        self.running: dict[str, Running] = {name: Running(new_id()) for name in BASE_UNITS}
        self.failed: set[str] = set()
        self.broken: set[str] = set()  # units whose start fails
        self.inside: list[tuple[str, str, str]] = []  # (machine, verb, unit) in order
        self.ill: dict[tuple[str, str], UnitState] = {}  # (machine, unit) whose state is another than active
        self.reloads = 0
        self.timers: dict[str, tuple[float, tuple[str, ...]]] = {}  # name: what is run in so many seconds
        self.limited: dict[str, dict[str, str]] = {}  # what the kernel was told of units that run

    @property
    def fuse(self) -> Fuse:
        return self.world.fuse

    def _texts(self) -> dict[str, str]:
        """Text of every unit on disk, drop-ins appended."""
        files, found = self.world.files, {}
        for name in files.list(paths.UNITS):
            path = f"{paths.UNITS}/{name}"
            node = files.nodes[path]
            if node.type == "dir":
                continue
            if node.type == "link" and node.target == "/dev/null":
                found[name] = "masked"
                continue
            # What is in system.control goes before it, a file of the same name each (systemd.unit(5)).
            body = files.read(f"{paths.CONTROL}/{name}") or files.read(path) or b""
            folders = {d: f"{folder}/{name}.d/{d}" for folder in (paths.UNITS, paths.CONTROL)
                       for d in files.list(f"{folder}/{name}.d") if d.endswith(".conf")}  # fmt: skip
            drop_ins = [files.read(folders[d]) or b"" for d in sorted(folders)]
            found[name] = b"\0".join([body, *drop_ins]).decode()
        return found

    def _enabled(self, name: str) -> bool:
        files = self.world.files
        return any(
            name in files.list(f"{paths.UNITS}/{d}")
            for d in files.list(paths.UNITS)
            if d.endswith((".wants", ".requires"))
        )

    def show(self, patterns: Sequence[str], machine: str = "") -> dict[str, UnitState]:
        if machine:
            self._need_machine(machine)
            names = [p for p in patterns if "*" not in p]
            return {p: self.ill.get((machine, p)) or UnitState(p, "loaded", "active", "running") for p in names}
        texts = self._texts()
        names = {p for p in patterns if "*" not in p}
        for pattern in patterns:
            if "*" in pattern:
                expression = re.compile(re.escape(pattern).replace(r"\*", ".*"))
                names |= {n for n in {*self.running, *self.failed} if expression.fullmatch(n)}
        return {name: self._state(name, texts) for name in sorted(names)}

    def _state(self, name: str, texts: Mapping[str, str]) -> UnitState:
        text = self.loaded.get(name)
        if name in BASE_UNITS:
            text = ""
        load = "not-found" if text is None else "masked" if text == "masked" else "loaded"
        drop_ins = tuple(
            f"{paths.UNITS}/{name}.d/{d}" for d in self.world.files.list(f"{paths.UNITS}/{name}.d") if text is not None
        )
        state = UnitState(
            name, load, need_reload=text is not None and name not in BASE_UNITS and texts.get(name) != text,
            drop_ins=drop_ins,
        )  # fmt: skip
        if name in self.running:
            run = self.running[name]
            return replace(state, active=run.active, sub="running", invocation=run.invocation, main_pid=1000, since=1.0)
        if name in self.failed:
            return replace(state, active="failed", sub="failed", result="exit-code")
        return state

    def daemon_reload(self, machine: str = "") -> None:
        self.fuse.act()
        if machine:
            self._need_machine(machine)
            self.inside.append((machine, "daemon-reload", ""))
            return
        self.reloads += 1
        self.loaded = self._texts()

    def start(self, units: Sequence[str], *, wait: bool = True, timeout: float = 600, machine: str = "") -> None:
        self.fuse.act()
        if machine:
            self._inside(machine, "start", units)
            return
        problems = []
        for name in self._ordered(units):
            try:
                self._start(name)
            except Failed as error:
                problems.append(error.message)
        if problems and wait:
            raise Failed("; ".join(problems))

    def _start(self, name: str) -> None:
        if name in BASE_UNITS:
            self.running.setdefault(name, Running(new_id()))
            if name == "machines.target":
                for wanted in self.world.files.list(f"{paths.UNITS}/machines.target.wants"):
                    if wanted in self.loaded:
                        self._start(wanted)
            return
        if name in self.running:
            return
        if name not in self.loaded:
            raise Failed(f"cannot start {name}: systemd knows no such unit")
        if self.loaded[name] == "masked":
            raise Failed(f"cannot start {name}: it is masked")
        for needed in self._edge(name, "Wants"):
            if needed not in self.running and needed in self.loaded:
                self._start(needed)
        invocation = new_id()
        if match := CONTAINER.match(name):
            try:
                self.world.root_up(match[1], invocation)
            except Failed:
                self.failed.add(name)
                raise
        if name in self.broken:
            self.failed.add(name)
            if match:
                self.world.root_down(match[1])
            raise Failed(f"cannot start {name}: it failed")
        self.failed.discard(name)
        self.running[name] = Running(invocation)
        if name == "eyas-firewall.service":
            self.world.load_firewall_at_boot()

    def stop(self, units: Sequence[str], *, timeout: float = 600, machine: str = "", alone: bool = False) -> None:
        self.fuse.act()
        if machine:
            self._inside(machine, "stop", units)
            return
        for name in units:
            self.timers.pop(name, None)
            self._stop(name, spread=not alone)

    def _stop(self, name: str, *, spread: bool = True) -> None:
        if self.running.pop(name, None) is None:
            return
        if match := CONTAINER.match(name):
            self.world.root_down(match[1])
        for other in list(self.running) if spread else ():
            if name in (*self._edge(other, "PartOf"), *self._edge(other, "StopPropagatedFrom")):
                self._stop(other)

    def restart(self, units: Sequence[str], *, wait: bool = True, timeout: float = 600, machine: str = "") -> None:
        self.fuse.act()
        if machine:
            self._inside(machine, "restart", units)
            return
        again = list(units)
        for unit in again:  # grows while it is walked: what is restarted with it restarts others in turn
            again += [n for n in self.running if unit in self._edge(n, "PartOf") and n not in again]
        problems = []
        for name in again:
            self._stop(name, spread=False)  # a restart reaches others by PartOf= alone (systemd.unit(5))
        for name in self._ordered(again):
            try:
                self._start(name)
            except Failed as error:
                problems.append(error.message)
        if problems and wait:
            raise Failed("; ".join(problems))

    def try_restart(self, units: Sequence[str], *, machine: str = "") -> None:
        if machine:
            self.fuse.act()
            self._inside(machine, "restart", units)
            return
        found = [n for n in self.running for unit in units if re.fullmatch(re.escape(unit).replace(r"\*", ".*"), n)]
        self.restart(found)

    def reload(self, units: Sequence[str], *, machine: str = "") -> None:
        self.fuse.act()
        if machine:
            self._inside(machine, "reload", units)

    def reset_failed(self, units: Sequence[str], machine: str = "") -> None:
        self.fuse.act()
        self.failed -= set(units)

    def log(self, units: Sequence[str], *, folder: str = "", lines: int = 10) -> list[str]:
        return [f"the last line of {unit}" for unit in units][-lines:]

    def limit(self, unit: str, properties: Mapping[str, str]) -> None:
        self.fuse.act()
        if unit not in self.running:
            raise Failed(f"cannot limit {unit}: it does not run")
        self.limited[unit] = dict(properties)

    def later(self, unit: str, seconds: float, argv: Sequence[str]) -> None:
        self.timers[f"{unit}.timer"] = (seconds, tuple(argv))

    def _inside(self, machine: str, verb: str, units: Sequence[str]) -> None:
        self._need_machine(machine)
        self.inside += [(machine, verb, unit) for unit in units]

    def _need_machine(self, machine: str) -> None:
        if paths.unit_name(machine) not in self.running:
            raise Failed(f"cannot reach {machine}: it does not run")

    def _edge(self, name: str, key: str) -> list[str]:
        found: list[str] = []
        for line in self.loaded.get(name, "").splitlines():
            left, _, right = line.partition("=")
            if left == key:
                found += right.split()
        return found

    def _ordered(self, units: Sequence[str]) -> list[str]:
        """Units in the order of After= among them."""
        done: list[str] = []

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in done:
                return
            for before in self._edge(name, "After"):
                if before in units and before not in path:
                    visit(before, (*path, name))
            done.append(name)

        for name in units:
            visit(name, ())
        return done
