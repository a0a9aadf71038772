"""A row of containers that are restarted, under a load from the lab's internet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.chain.definitions import FLEET, PORTS
from tests.lab.places import Load
from tests.lab.rig import Edit, Rig, Said, edited

PUBLIC = "203.0.113.112"


@dataclass
class Row(Rig):
    """``text``: the definitions that are applied."""

    text: str = FLEET

    declared = FLEET
    files = (Path(__file__).parent / "serve",)

    def url(self, name: str, path: str = "/") -> str:
        return f"http://{PUBLIC}:{PORTS[name]}{path}"

    @contextmanager
    def load_on(self, name: str, *, rate: int = 40, seconds: float = 8) -> Iterator[Load]:
        """A steady load on a container by its forward, from now on; the block's end waits for the load's."""
        with self.load(self.url(name), rate=rate, seconds=seconds) as load:
            yield load

    def last_run(self) -> str:
        return str(json.loads(self.eyas("history", "--json"))["runs"][0]["run"])

    def times(self) -> dict[tuple[str, str], tuple[float, float]]:
        """(verb, container) to when the last run began and ended it, seconds since the epoch."""
        run = self.last_run()
        steps = json.loads(self.eyas("history", run, "--json"))["plan"]["steps"]
        at = {(line["state"], line.get("n")): line["at"] for line in self.journal(run)}
        return {
            (step["verb"], step["id"].partition(":")[2]): (at[("saved", n)], at.get(("done", n), 0.0))
            for n, step in enumerate(steps)
            if step["kind"] == "container" and ("saved", n) in at
        }

    def change(self, *pairs: Edit) -> None:
        """Edit, and apply."""
        self.write(edited(self.text, *pairs))
        self.apply()
        self.text = edited(self.text, *pairs)

    def undone(self, *pairs: Edit) -> Said:
        """Edit, and apply what goes back by itself."""
        self.write(edited(self.text, *pairs))
        said = self.run("apply", "--yes")
        assert said.code == 4, said
        assert "as it was before" in said.out, said
        assert not self.open_run()
        print(said)
        return said

    def held(self) -> str:
        """What the kernel holds; '' when nothing is."""
        listing = json.loads(self.host.succeed("nft", "-j", "list", "table", "inet", "eyas"))["nftables"]
        sets = [item["set"] for item in listing if "set" in item and "timeout" in item["set"].get("flags", [])]
        assert sets, "there are no sets to hold by"
        return " ".join(f"{one['name']}: {one['elem']}" for one in sets if one.get("elem"))
