"""A container with Compose stacks, and what Docker in it says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eyas.lab.testing import retry
from tests.lab.rig import Rig

HERE = Path(__file__).parent
FILE = "compose/twenty/compose.yml"


class Stacks(Rig):
    """The fleet in ``fleet``."""

    declared = HERE / "fleet"

    def docker(self, *words: str) -> str:
        return self.succeed("stacks", "docker", *words)

    def ids(self) -> dict[str, str]:
        """Ids of the containers of the stack ``twenty``, by service."""
        shown = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        words = ("ps", "--all", "--no-trunc", "--filter", "label=com.docker.compose.project=twenty", "--format", shown)
        return dict(line.split() for line in self.docker(*words).splitlines())

    def state(self, name: str = "twenty") -> dict[str, Any]:
        """What the stack's own program says."""
        said: dict[str, Any] = json.loads(self.succeed("stacks", "eyas-compose", "state", name))
        return {**said, "services": {service["name"]: service for service in said["services"]}}

    def wait_service(self, name: str, timeout: float = 60, **wanted: Any) -> dict[str, Any]:
        """A row of `state`, once it is so."""

        def so() -> bool:
            row = self.state()["services"].get(name, {})
            return all(row.get(key) == value for key, value in wanted.items())

        retry(so, f"{name} is {wanted}", timeout, pause=0.5)
        row: dict[str, Any] = self.state()["services"][name]
        return row

    @property
    def touched(self) -> bool:
        """Also whether a file beside fleet.py is not as declared."""
        kept = [path for path in sorted(self.declared.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
        return any((self.directory / p.relative_to(self.declared)).read_bytes() != p.read_bytes() for p in kept)
