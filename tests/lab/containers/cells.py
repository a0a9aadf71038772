"""A small fleet from a user's chair: the command line, edits of its definitions, clients wherever they may sit."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.rig import Rig

FLEET = Path(__file__).parent / "fleet"
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
CLIENT = {4: "198.51.100.10", 6: "2001:db8:ffff::10"}
"""Address of a client in the lab's internet."""
GATEWAY = {4: "10.0.7.1", 6: "fd00:7::1"}
INSIDE = {"alpha": {4: "10.0.7.10", 6: "fd00:7::10"}, "beta": {4: "10.0.7.20", 6: "fd00:7::20"}}
ASK = """
import socket, sys
address, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(1)
    client.connect((address, port))
    for _ in range(5):
        client.send(text.encode())
        try:
            print(client.recv(2000).decode())
            break
        except TimeoutError:
            pass
    else:
        sys.exit("no answer")
"""
"""A question over UDP, repeated as UDP needs it."""


def bracket(address: str) -> str:
    """An address as a URL takes it."""
    return f"[{address}]" if ":" in address else address


@dataclass
class Cells(Rig):
    """The fleet of the folder ``fleet``."""

    declared = FLEET

    def prepare(self) -> None:
        """A key to log in with."""
        key = self.directory / "kim"
        if not key.exists():
            (self.directory / "keys").mkdir()
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "kim", "-f", key], check=True)
            shutil.copy(key.with_suffix(".pub"), self.directory / "keys")

    def ask(self, place: str, address: str, port: int, text: str) -> str:
        """A question over UDP."""
        return self.succeed(place, "python3", "-c", ASK, address, str(port), text)
