"""The Garuda example from a user's chair: a copy of its directory, the command line, and what can be seen on the host.

Commands run as processes of their own, as a person would start them; looks at the host go past eyas.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eyas.core.words import Json
from eyas.lab import find
from eyas.lab.testing import Host, Internet, retry

EXAMPLE = Path(__file__).parents[3] / "examples/garuda"
HOST = "immortalis"
NAMES = {
    "web-front",
    "temeraire",
    "repo",
    "iso-runner",
    "postgres",
    "meshcentral",
    "forum",
    "mastodon",
    "chaotic-kde",
    "docker",
}
PREPARES = ("tree", "layer", "identity", "directory")  # what a container's own change speaks for
EVERYBODYS = ("fs.", "kernel.", "vm.")  # kernel settings of no namespace: another lab on this machine may set them
LOOK = """\
for name in $(machinectl list --no-legend | cut -d' ' -f1); do
    leader=$(machinectl show --property=Leader --value "$name")
    echo "$name $(systemctl show --property=InvocationID --value "systemd-nspawn@$name")" \\
        "$(cat "/proc/$leader/root/proc/sys/kernel/random/boot_id")"
done
"""


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass
class Garuda:
    """A copy of the example, and its lab."""

    directory: Path

    # ------------------------------------------------------------ the command line

    def run(self, *words: str, timeout: float = 900) -> Said:
        """One command of eyas, to its end."""
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "eyas", "-C", str(self.directory), *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "EYAS_LAB_OWNER": str(os.getpid())},
        )
        return Said(done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def eyas(self, *words: str, code: int = 0) -> str:
        """A command for the lab's host that ends with ``code``; what it printed."""
        said = self.run("--lab", *words)
        for _ in range(3):
            # Another lab on this machine has set one of the kernel's settings in between: they are everybody's.
            if "the host has changed since the plan was made" in said.err:
                said = self.run("--lab", *words)
        assert said.code == code, f"eyas {' '.join(words)} ended with {said.code}\n{said.out}\n{said.err}"
        return said.out

    def json(self, *words: str) -> Any:
        return json.loads(self.eyas(*words, "--json"))

    def plan(self) -> set[tuple[str, str]]:
        """Whom a plan concerns and how much, each owner with its highest impact."""
        return costs(self.json("plan"))

    def apply(self) -> Any:
        """Apply; plan and outcome, with the seconds that it took by the clock."""
        began = time.monotonic()
        done = self.json("apply", "--yes")
        return {**done, "seconds": time.monotonic() - began}

    def exec(self, name: str, *argv: str) -> str:
        return self.eyas("exec", name, "--", *argv)

    # ------------------------------------------------------------ the definitions

    def edit(self, old: str, new: str, file: str = "fleet.py") -> None:
        """Replace one place of a file of the definitions."""
        path = self.directory / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
        path.write_text(text.replace(old, new))

    def restore(self) -> None:
        """The definitions as they are in the example; what was locked stays."""
        for path in EXAMPLE.rglob("*"):
            if path.is_file() and path.name != "eyas.lock" and not {".eyas", "__pycache__"} & set(path.parts):
                shutil.copy(path, self.directory / path.relative_to(EXAMPLE))

    # ------------------------------------------------------------ the host

    @cached_property
    def host(self) -> Host:
        return Host(find(self.directory), HOST)

    @cached_property
    def internet(self) -> Internet:
        return Internet(find(self.directory))

    def runs(self) -> dict[str, tuple[str, str]]:
        """Each machine's start, as the host's systemd knows it, and its own boot id."""
        rows = [line.split() for line in self.host.succeed("bash", "-c", LOOK).splitlines()]
        return {name: (invocation, boot) for name, invocation, boot in rows}

    def units(self, name: str) -> dict[str, str]:
        """The services that run in a container, each with its start."""
        listing = self.host.succeed(
            "systemctl", f"--machine={name}", "show", "--property=Id,InvocationID,ActiveState,SubState", "*.service"
        )
        found = {}
        for block in listing.strip().split("\n\n"):
            row = dict(line.split("=", 1) for line in block.splitlines())
            # transient ones are how systemd runs what we ask for; this one is there for a while after each reload
            passing = row["Id"].startswith("run-") or row["Id"] == "nginx-retire.service"
            if row["ActiveState"] == "active" and not passing:
                found[row["Id"]] = row["InvocationID"]
        return found

    def unit(self, name: str, field: str) -> str:
        """A property of a container's unit on the host."""
        return self.host.succeed("systemctl", "show", f"--property={field}", "--value", f"systemd-nspawn@{name}")

    def health(self) -> dict[str, str]:
        return {row["name"]: row["health"] or row["state"] for row in self.json("status")["containers"]}

    def well(self) -> None:
        """All ten are up and answer; short-lived trouble of a service inside may pass."""
        retry(lambda: self.health() == dict.fromkeys(NAMES, "healthy"), f"ten healthy: {self.health()}", timeout=90)

    def drift(self) -> dict[str, list[str]]:
        """What status finds to be different, by container."""
        seen = self.json("status")
        found = {row["name"]: row["drift"] for row in seen["containers"] if row["drift"]}
        own = [line for line in seen["drift"] if not line.startswith(EVERYBODYS)]
        return {**found, **({"host": own} if own else {})}


def costs(plan: dict[str, Json]) -> set[tuple[str, str]]:
    """Owner and impact of a plan's changes, without what only prepares them."""
    order = ("none", "live", "reload", "restart_unit", "restart", "replace", "reboot")
    worst: dict[str, int] = {}
    changes = plan["changes"]
    assert isinstance(changes, list)
    for change in changes:
        assert isinstance(change, dict)
        if change["kind"] in PREPARES or _of_another_lab(change):
            continue
        owner = str(change["owner"])
        worst[owner] = max(worst.get(owner, 0), order.index(str(change["impact"])))
    return {(owner, order[impact]) for owner, impact in worst.items()}


def _of_another_lab(change: dict[str, Json]) -> bool:
    name = str(change["id"]).partition(":")[2]
    return (
        change["kind"] == "sysctl" and change["reason"] == "changed by hand on the host" and name.startswith(EVERYBODYS)
    )
