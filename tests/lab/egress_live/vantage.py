"""The vantage point of the lab's host: `vantage.py` there passes questions on to `vantage.py serve` in the internet,
which asks from outside. It fails when nobody serves.

What a test writes to /run/vantage on the host makes it do harm once rules have changed, as a bad change would:
"break" adds a rule to the table of egress that drops what comes in; "lie" says that nothing answers.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from pathlib import Path

PLACE = ("198.51.100.10", 4444)
TABLE = ("inet", "eyas_egress")
HARM = "add chain inet eyas_egress harm { type filter hook prerouting priority -350; }\n" \
       "add rule inet eyas_egress harm iifname eth0 tcp dport 80 drop\n"  # fmt: skip


def serve() -> None:
    with socket.create_server(PLACE) as door:
        while True:
            wire, _ = door.accept()
            with wire, wire.makefile("rw") as file:
                for line in [*iter(file.readline, "\n")]:
                    address, port = line.split()
                    try:
                        socket.create_connection((address, int(port)), 2).close()
                        file.write(f"{address} {port} ok\n")
                    except OSError as error:
                        file.write(f"{address} {port} {error}\n")
                file.flush()


def harm() -> bool:
    """Do what a test wants to see noticed; whether to lie."""
    place = Path("/run/vantage")
    if not place.exists():
        return False
    what, _, before = place.read_text().partition(" ")
    listed = subprocess.run(["nft", "-s", "-t", "list", "table", *TABLE], capture_output=True, check=True).stdout
    now = hashlib.sha256(listed).hexdigest()
    if not before:
        place.write_text(f"{what} {now}")
        return False
    if before == now:
        return False
    if what == "break":
        place.unlink()
        subprocess.run(["nft", "-f", "-"], input=HARM.encode(), check=True)
    return what == "lie"


def ask() -> None:
    asked = sys.stdin.read().splitlines()
    lie = harm()
    with socket.create_connection(PLACE, 2) as wire, wire.makefile("rw") as file:
        file.write("".join(f"{line}\n" for line in asked) + "\n")
        file.flush()
        wire.settimeout(20)
        for line in file:
            sys.stdout.write(line if not lie else line.replace(" ok", " nobody is there"))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else ask()
