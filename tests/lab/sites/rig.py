"""A front with all that a real one has to serve, from a visitor's chair."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab.rig import Rig
from tests.lab.sites.row import Row

HERE = Path(__file__).parent
FRONT = "web-front"
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
CLIENT = {4: "198.51.100.10", 6: "2001:db8:ffff::10"}
SOURCES = {"cdn": {4: "198.51.100.12", 6: "2001:db8:ffff::12"}}
"""Other addresses in the internet, by who has them."""

Case = tuple[Row, int, str]
"""A row, the family, and the version of HTTP."""
Answer = dict[str, Any]


class Sites(Rig):
    """The fleet in ``fleet``, and questions to it."""

    declared = HERE / "fleet"
    files = (HERE / "ask.py",)

    def prepare(self) -> None:
        """Authorities that the definitions name: of a backend with TLS, and of clients with certificates."""
        keys = self.directory / "keys"
        if (keys / "client.pem").exists():
            return
        keys.mkdir(exist_ok=True)
        for name, subject in (("backend", "DNS:backend.internal"), ("client", "DNS:client.internal")):
            curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
            ca, key = keys / f"{name}-ca.pem", keys / f"{name}-ca.key"
            openssl("req", "-x509", *curve, "-days", "30", "-subj", f"/CN={name}s", "-keyout", key, "-out", ca)
            request = ("req", "-x509", *curve, "-days", "30", "-subj", f"/CN={name}.internal")
            trust = (
                "-CA",
                ca,
                "-CAkey",
                key,
                "-addext",
                f"subjectAltName={subject}",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            )
            openssl(*request, *trust, "-keyout", keys / f"{name}.key", "-out", keys / f"{name}.pem")

    def begin(self) -> None:
        super().begin()
        self.ca.write_text(self.host.succeed("cat", "/srv/acme/ca/ca.crt"))

    @property
    def ca(self) -> Path:
        """The authority of the front's certificate."""
        return self.directory / "ca.crt"

    # ------------------------------------------------------------ questions

    def answers(self, cases: Sequence[Case]) -> dict[Case, Answer]:
        """What each case gives; all of a place are asked by one process."""
        found: dict[Case, Answer] = {}
        for place in sorted({row.place for row, _, _ in cases}):
            here = [case for case in cases if case[0].place == place]
            python = sys.executable if place == "internet" else "python3"
            program = (HERE / "ask.py").read_text()
            asked = json.dumps([self.request(*case) for case in here])
            said = self.succeed(place, python, "-c", program, input=asked, timeout=300)
            found |= dict(zip(here, json.loads(said), strict=True))
        return found

    def answer(self, row: Row, family: int = 4, version: str = "2") -> Answer:
        return self.answers([(row, family, version)])[row, family, version]

    def request(self, row: Row, family: int, version: str) -> dict[str, Any]:
        """A case as `ask.py` wants it."""
        outside = row.place == "internet"
        keys = self.directory / "keys" if outside else Path("/etc/test-keys")
        ca = str(self.ca) if outside else "/var/lib/acme/ca/ca.crt"
        return {
            "url": row.whole,
            "trusted": row.trusted,
            "http": version,
            "address": row.address or (PUBLIC if outside else LOOPBACK)[family],
            "method": row.method,
            "headers": list(row.sent),
            "data": row.data,
            "ca": ca,
            "source": SOURCES[row.source][family] if row.source else "",
            "cert": str(keys / "client.pem") if row.cert else "",
            "key": str(keys / "client.key") if row.cert else "",
        }

    def who(self, row: Row, family: int) -> str:
        """The address of who asks, as a backend is to see it."""
        if row.place != "internet":
            return LOOPBACK[family]
        return (SOURCES[row.source] if row.source else CLIENT)[family]


LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
