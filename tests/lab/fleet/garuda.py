"""The Garuda example from a user's chair: a copy of its directory, the command line, and what can be seen on the host.

Commands run as processes of their own, as a person would start them; looks at the host go past eyas.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyas.core.words import Json
from eyas.lab.testing import retry
from tests.lab.rig import EVERYBODYS, Rig, elsewhere

EXAMPLE = Path(__file__).parents[3] / "examples/garuda"
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
LOOK = """\
for name in $(machinectl list --no-legend | cut -d' ' -f1); do
    leader=$(machinectl show --property=Leader --value "$name")
    echo "$name $(systemctl show --property=InvocationID --value "systemd-nspawn@$name")" \\
        "$(cat "/proc/$leader/root/proc/sys/kernel/random/boot_id")"
done
"""


@dataclass
class Garuda(Rig):
    """The example, applied."""

    declared = EXAMPLE

    def begin(self) -> None:
        said = self.run("apply", "--yes", timeout=2400)
        assert said.code == 0, said
        print(f"first apply: {said.seconds:.1f} s")

    def costs(self) -> set[tuple[str, str]]:
        """Whom a plan concerns and how much, each owner with its highest impact."""
        return costs(self.plan())

    def applied(self) -> Any:
        """Apply; plan and outcome, with the seconds that it took by the clock."""
        began = time.monotonic()
        done = self.json("apply", "--yes")
        return {**done, "seconds": time.monotonic() - began}

    def exec(self, name: str, *argv: str) -> str:
        return self.eyas("exec", name, "--", *argv)

    # ------------------------------------------------------------ the host

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

    def services(self) -> dict[str, str]:
        """Services of the stack, each with the id of its container."""
        state = json.loads(self.exec("docker", "eyas-compose", "state", "all-in-one"))
        return {row["name"]: row["id"] for row in state["services"]}

    def detail(self, name: str, field: str) -> str:
        """A property of a container's unit on the host."""
        return self.unit(name, field)[field]

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
        if change["kind"] in PREPARES or elsewhere(change):
            continue
        owner = str(change["owner"])
        worst[owner] = max(worst.get(owner, 0), order.index(str(change["impact"])))
    return {(owner, order[impact]) for owner, impact in worst.items()}
