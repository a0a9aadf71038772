"""A lab in which it is asked who reaches whom, and small programs that ask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.lab.rig import Rig

HERE = Path(__file__).parent
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
CLIENT = {4: "198.51.100.10", 6: "2001:db8:ffff::10"}
TWINS = {4: "198.51.100.11", 6: "2001:db8:ffff::11"}  # another client, to whom more is open
SCAN = (HERE / "scan.py").read_text()
DATAGRAMS = (HERE / "datagrams.py").read_text()
FRAMES = (HERE / "frames.py").read_text()
MANY = (HERE / "many.py").read_text()
ASK = (HERE / "ask.py").read_text()


@dataclass
class Net(Rig):
    declared = HERE / "fleet"

    def scan(self, family: int, source: str = "") -> list[int]:
        """The TCP ports of the host that answer the world at all, be it with a refusal."""
        said = self.succeed("internet", "python3", "-c", SCAN, source or CLIENT[family], PUBLIC[family], "1")
        found: list[int] = json.loads(said)
        return found

    def scan_udp(self, family: int) -> list[int]:
        """The same with UDP."""
        said = self.succeed("internet", "python3", "-c", DATAGRAMS, CLIENT[family], PUBLIC[family])
        found: list[int] = json.loads(said)
        return found

    def reached(self, place: str, *targets: str) -> list[str]:
        """Who answers at each URL, and whom that one sees; "refused", or "nothing" after two seconds."""
        script = (
            'for url; do said=$(curl -sS --max-time 2 "$url" 2>&1); code=$?; '
            "case $code in 0) echo $said ;; 7) echo refused ;; *) echo nothing ;; esac; done"
        )
        return self.succeed(place, "sh", "-c", script, "sh", *targets).splitlines()

    def ask(self, place: str, server: str, name: str, kind: str = "A") -> list[str]:
        """What a name server answers."""
        said = self.succeed(place, "python3", "-c", ASK, server, name, kind)
        found: list[str] = json.loads(said)
        return found
