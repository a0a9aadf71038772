"""Containers that write, and what eyas says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.lab.rig import Rig
from tests.lab.writes.definitions import FLEET


@dataclass
class Pair(Rig):
    """Two containers that write."""

    declared = FLEET

    def inside(self, name: str, script: str) -> str:
        """What a shell in a container says to a script."""
        return self.eyas("exec", name, "--", "sh", "-c", script).strip()

    def on_host(self, script: str) -> str:
        return self.host.succeed("sh", "-c", script).strip()

    def writes(self, name: str, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.eyas("writes", name, "--json", *words))
        return found

    def written(self, name: str) -> dict[str, dict[str, Any]]:
        return {item["path"]: item for item in self.writes(name)["written"]}

    def losses(self, text: str) -> dict[str, set[str]]:
        """What a plan for these definitions says that restarts lose."""
        self.write(text)
        plan = json.loads(self.eyas("plan", "--json"))
        return {loss["container"]: {row["path"] for row in loss["new"]} for loss in plan["losses"]}

    def undone(self, text: str, code: int = 4) -> str:
        """An apply of these definitions that goes back by itself; what it said."""
        self.write(text)
        said = self.run("apply", "--yes")
        assert said.code == code, said
        return said.out + said.err
