"""An authority in a lab's internet: Pebble, a real ACME server made for tests, which looks at names from outside.

Pebble (Debian's package ``pebble``) resolves by the lab's name server (`eyas.lab.nameserver`), connects to port 80 of
what that says, and trusts nobody. Both live in the lab's internet and end with it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import launch, run
from eyas.lab import authority, wire
from eyas.lab.lab import INTERNET, Lab

ADDRESS = "198.51.100.30"
NAMESERVER = "198.51.100.53"
PORT, MANAGEMENT = 14000, 15000
PATIENCE = 20.0  # seconds until both answer
KEY_NAME = "eyas-lab."
ALGORITHM = "hmac-sha256."


@dataclass(frozen=True)
class Pebble:
    """A running authority. ``directory`` is the URL of its directory; a certificate of the lab's authority is what it
    shows there."""

    lab: Lab
    folder: Path

    @property
    def directory(self) -> str:
        return f"https://{ADDRESS}:{PORT}/dir"

    def root(self) -> str:
        """By what its certificates are trusted (PEM); another one at each start of it."""
        url = f"https://{ADDRESS}:{MANAGEMENT}/roots/0"
        return self.lab.exec(INTERNET, ["curl", "-sS", "--fail", url]).text + "\n"

    def status_of(self, serial: str) -> str:
        """Valid or Revoked: what it says of a certificate by its serial number (hexadecimal)."""
        url = f"https://{ADDRESS}:{MANAGEMENT}/cert-status-by-serial/{serial}"
        return str(json.loads(self.lab.exec(INTERNET, ["curl", "-sS", "--fail", url]).text)["Status"])

    def log(self) -> str:
        return (self.folder / "pebble.log").read_text(errors="replace")

    def stop(self) -> None:
        """End both, and wait until they are gone: others may take their ports."""
        until = time.monotonic() + PATIENCE
        while found := _running(self.lab, self.folder):
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > until:
                raise Failed(f"cannot end the authority of the lab {self.lab.id}: {found} do not end")
            time.sleep(0.05)


def start(
    lab: Lab,
    *,
    names: Mapping[str, Sequence[str]] | None = None,
    zones: Sequence[str] = (),
    refused: Sequence[str] = (),
    nonces: int = 5,
    days: float = 90,
    slow: int = 0,
) -> Pebble:
    """Start name server and authority anew. ``names`` are known there beside those of the lab (`Lab.set_names`), each
    with its addresses. ``zones`` take updates by the key of `tsig`, ``refused`` are names that the
    authority issues nothing for, with all below them, ``nonces`` is the percentage of good nonces that it refuses,
    ``days`` how long its certificates last, ``slow`` the most seconds that it takes before it looks at a name. Failed
    when Pebble is not installed, or does not come up."""
    if shutil.which("pebble") is None:
        raise Failed("cannot start an authority in the lab: there is no pebble", "apt-get install pebble")
    folder = lab.place.path / "acme"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = Pebble(lab, folder)
    found.stop()
    wire.ip(lab.place.internet, [f"addr replace {address}/32 dev lo" for address in (ADDRESS, NAMESERVER)])
    lines = [f"{address} {name}\n" for name, each in (names or {}).items() for address in each]
    (folder / "hosts").write_text("".join(lines))
    settings = {
        "listen": NAMESERVER,
        "names": [str(lab.place.etc / "hosts"), str(folder / "hosts")],
        "keys": {KEY_NAME: [ALGORITHM, _secret(folder)]},
        "zones": {f"{zone}.": KEY_NAME for zone in zones},
    }
    (folder / "nameserver.json").write_text(json.dumps(settings))
    chain, key = authority.issue(lab.ca_dir, [ADDRESS])
    (folder / "server.pem").write_text(chain)
    (folder / "server.key").write_text(key)
    config = {
        "listenAddress": f"{ADDRESS}:{PORT}",
        "managementListenAddress": f"{ADDRESS}:{MANAGEMENT}",
        "certificate": str(folder / "server.pem"),
        "privateKey": str(folder / "server.key"),
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "domainBlocklist": list(refused),
        "certificateValidityPeriod": int(days * 86400),
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
    _launch(lab, folder, "nameserver", [sys.executable, "-m", "eyas.lab.nameserver", f"{folder}/nameserver.json"])
    faults = {"PEBBLE_WFE_NONCEREJECT": str(nonces), "PEBBLE_AUTHZREUSE": "0"}
    faults |= {"PEBBLE_VA_SLEEPTIME": str(slow)} if slow else {"PEBBLE_VA_NOSLEEP": "1"}
    argv = ["pebble", "-config", f"{folder}/pebble.json", "-dnsserver", f"{NAMESERVER}:53"]
    _launch(lab, folder, "pebble", argv, faults)
    _wait(found)
    return found


def tsig(lab: Lab) -> str:
    """The key that the zones take updates by, as tsig-keygen(8) writes it."""
    secret = _secret(lab.place.path / "acme")
    return f'key "{KEY_NAME}" {{\n\talgorithm {ALGORITHM.rstrip(".")};\n\tsecret "{secret}";\n}};\n'


def _secret(folder: Path) -> str:
    path = folder / "tsig"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(base64.b64encode(os.urandom(32)).decode())
    return path.read_text()


def _launch(lab: Lab, folder: Path, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    words = [f"{key}={value}" for key, value in (env or {}).items()]
    if argv[0] == sys.executable:
        words.append(f"PYTHONPATH={Path(__file__).parents[2]}")
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        launch(lab.command(INTERNET, ["env", *words, *argv]), detach=True, output=log)
    finally:
        os.close(log)


def _running(lab: Lab, folder: Path) -> list[int]:
    """Processes in the lab's internet that were started with files of our folder."""
    found = []
    for pid in run(["ip", "netns", "pids", lab.place.internet]).text.split():
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def _wait(pebble: Pebble) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        said = pebble.lab.exec(INTERNET, ["curl", "-sS", "--fail", pebble.directory], check=False)
        if said.code == 0:
            return
        if time.monotonic() > until:
            raise Failed(f"cannot start an authority in the lab: {said.error}", f"look at {pebble.folder}/pebble.log")
        time.sleep(0.2)
