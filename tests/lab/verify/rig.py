"""A fleet that has moved, and what verify says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.lab.rig import Rig


class Moved(Rig):
    """A front, a database, and an application behind an nginx of its own."""

    declared = Path(__file__).parent / "fleet"

    def verify(self, *words: str, code: int) -> list[tuple[str, str, str, str]]:
        """What `eyas verify` finds: severity, message, remedy, origin."""
        said = self.run("verify", "--json", *words)
        assert said.code == code, said
        found: dict[str, Any] = json.loads(said.out)
        assert found["version"] == 1
        assert found["well"] == (code == 0)
        return [(row["severity"], row["message"], row["remedy"], row["origin"]) for row in found["findings"]]

    def line(self, text: str, file: str = "fleet.py") -> str:
        """Where a text stands in the definitions."""
        lines = (self.directory / file).read_text().splitlines()
        (number,) = [number for number, each in enumerate(lines, 1) if text in each]
        return f"{file}:{number}"
