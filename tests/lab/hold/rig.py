"""A lab whose containers are held by hand, and clients that find out how long they wait."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyas.lab.testing import retry
from tests.lab.rig import Rig

FLEET = Path(__file__).parent / "fleet"
PUBLIC = {4: "203.0.113.112", 6: "[2001:db8:5:1::2]"}
SHOP = {4: "10.0.7.10", 6: "[fd00:7::10]"}
UNIT = "systemd-nspawn@shop.service"
AGENT = """
import json, os, sys
sys.path.insert(0, "/usr/local/lib/eyas/agent/current")
from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Door
from eyas.host.command import run
from eyas.host.real import Real
from eyas.host.units import parse_show, show_argv
system, ports = Real(), []
def door(*ports):
    return Door("shop", ("10.0.7.10", "fd00:7::10"), tuple(map(tuple, ports)))
def states(found):
    return {name: dict(vars(state)) for name, state in sorted(found.items())}
def job(verb, *units):
    try:
        getattr(system.units, verb)(units, machine="shop")
    except Failed as error:
        return error.message
    return ""
verbs = {
    "states": lambda *names: states(system.units.show(names, machine="shop")),
    "systemctl": lambda *names: states(parse_show(run(show_argv(names, "shop")).text)),
    "job": job,
    "reread": lambda: system.units.daemon_reload(machine="shop"),
    "direct": lambda: bool(system.units._inner["shop"].is_open()),
    "hold": lambda seconds, *ports: system.traffic.hold(door(*ports), seconds),
    "hold_mill": lambda seconds: system.traffic.hold(Door("mill", ("10.0.7.20", "fd00:7::20")), seconds),
    "release": lambda *ports: system.traffic.release(door(*ports)),
    "release_all": lambda: system.traffic.release_all(),
    "busy": lambda *ports: len(system.traffic.busy("shop", [tuple(port) for port in ports])),
    "listening": lambda *units: system.traffic.listening("shop", units),
    "load": lambda: system.firewall.load(open(paths.FIREWALL).read()),
    "digest": lambda: system.firewall.digest(),
    "memory": lambda: int(open("/proc/self/statm").read().split()[1]) * 4096,
}
print(os.getpid(), flush=True)
for line in sys.stdin:
    verb, *args = json.loads(line)
    print(json.dumps(verbs[verb](*args)), flush=True)
"""
"""What an agent does with traffic, a line at a time."""


@dataclass
class Agent:
    """A process on the host that holds."""

    process: subprocess.Popen[str]
    pid: str

    def __call__(self, verb: str, *args: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([verb, *args]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the agent has ended at {verb}"
        return json.loads(line)


@dataclass
class Hold(Rig):
    """Two containers, up and reachable."""

    declared = FLEET

    def begin(self) -> None:
        super().begin()
        self.wait_for_answers()

    @contextmanager
    def agent(self) -> Iterator[Agent]:
        """An agent; what it holds goes with the block."""
        command = self.command("host", "python3", "-c", AGENT)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            agent = Agent(process, process.stdout.readline().strip())
            try:
                yield agent
            finally:
                if process.poll() is None:
                    agent("release_all")
                    process.stdin.close()

    def wait_for_answers(self) -> None:
        """Until the containers know each other: in the first second of its life one may not find the way by IPv6."""

        def all_answer() -> bool:
            return all(self._answers(f"http://{address}:8080/") for address in SHOP.values())

        retry(all_answer, "the shop answers the mill", 30)

    def _answers(self, url: str) -> bool:
        with self.load(url, rate=5, seconds=1, place="mill") as load:
            pass
        return load.failed == 0

    def restart(self) -> None:
        self.host.succeed("systemctl", "restart", UNIT, timeout=200)

    def held(self) -> list[str]:
        """Lines of the packet filter about what is held now."""
        table = self.host.succeed("nft", "list", "table", "inet", "eyas")
        return [line for line in table.splitlines() if "expires" in line]
