"""Fleets for benchmarks, and labs that run them: started for a benchmark, gone afterwards.

Containers of these fleets have no packages but the base image's, so that a figure is of eyas and systemd alone.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.common import EYAS, REPOSITORY, RESULTS, run
from eyas.lab import find
from eyas.lab.testing import Where
from eyas.render.layer import TRIMMED

# What Debian has switched on in a container by itself, and eyas leaves out.
PLAIN = [unit for unit in TRIMMED if not re.match("systemd-(networkd|resolved|timesyncd)|networkd-", unit)]

FLEET = '''\
"""{count} equal containers, each with something to connect to."""

from eyas import Bridge, Container, Fleet, Host, Image, Open, Probe, System, Uplink, Unit

SOCKET = """\\
[Socket]
ListenStream=80
Accept=yes
[Install]
WantedBy=sockets.target
"""
SERVICE = """\\
[Service]
ExecStart=-/usr/bin/true
StandardInput=socket
"""

base = Image.debian("trixie")
part = System(
    units={{"answer.socket": SOCKET, "answer@.service": Unit(SERVICE, enable=False)}},
    files={{"/etc/motd": "hello\\n"}},
    enable={enable!r},
    probes=[Probe.tcp(80)],
)
fleet = Fleet(
    Host(
        "{host}",
        uplink=Uplink("eth0", "203.0.113.10/26", "2001:db8:6::2/64", gateway="203.0.113.1", gateway6="fe80::1"),
        bridge=Bridge("br0", "10.0.6.1/24", "fd00:6::1/64"),
        containers=[
            Container(f"c{{number:03}}", f"10.0.6.{{number + 9}}", base, parts=[part])
            for number in range(1, {count} + 1)
        ],
        open=[Open(22)],
    )
)
'''


def write_fleet(folder: Path, count: int, *, plain: bool = False, host: str = "bench") -> None:
    """A fleet of equal containers c001 ...; ``plain`` with all that Debian starts, else as eyas trims it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = FLEET.format(count=count, enable=PLAIN if plain else [], host=host)
    (folder / "fleet.py").write_text(text, encoding="utf-8")
    # one choice of versions for all benchmarks, so that the image is built once
    lock = RESULTS / "plain.lock"
    if lock.is_file():
        shutil.copy(lock, folder / "eyas.lock")
    run([EYAS, "-C", str(folder), "build"])
    RESULTS.mkdir(exist_ok=True)
    shutil.copy(folder / "eyas.lock", lock)


def copy_garuda(folder: Path) -> None:
    """The example fleet of ten, with its lock where there is one."""
    shutil.copytree(REPOSITORY / "examples/garuda", folder, ignore=shutil.ignore_patterns(".eyas", "__pycache__"))


class BenchLab(Where):
    """A fleet in its lab, applied. Commands run in its host: ``succeed``, ``execute``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lab = find(folder)
        super().__init__(lab, next(iter(lab.hosts)))

    @property
    def root(self) -> Path:
        """The host's disk."""
        return self.lab.host(self.name).root

    def eyas(self, *words: str) -> list[str]:
        """The command line of eyas for this lab."""
        return [EYAS, "--lab", "-C", str(self.folder), *words]

    def settle(self) -> None:
        """Apply until nothing is left to do. Some kernel settings are one for all labs of a machine, so another lab's
        apply may come between."""
        if not any("no changes" in run(self.eyas("apply", "--yes")) for _ in range(6)):
            raise SystemExit(f"{self.folder}: there is always something left to do")

    def names(self) -> list[str]:
        return sorted(path.stem for path in (self.root / "etc/eyas/containers").glob("*.json"))

    def units(self, names: Sequence[str] | None = None) -> list[str]:
        return [f"systemd-nspawn@{name}.service" for name in (self.names() if names is None else names)]

    def invocations(self) -> dict[str, str]:
        """The invocation of each container: another one after a restart."""
        said = self.succeed("systemctl", "show", "--property=Id,InvocationID", *self.units())
        blocks = (dict(line.split("=", 1) for line in block.splitlines()) for block in said.split("\n\n"))
        return {block["Id"]: block["InvocationID"] for block in blocks if block}


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards, on a real disk."""
    with tempfile.TemporaryDirectory(prefix="eyas-bench-", dir="/var/tmp") as name:
        yield Path(name)


@contextmanager
def applied(folder: Path) -> Iterator[BenchLab]:
    """Boot the lab of a fleet directory and apply; taken down at the end, with all it left."""
    run([EYAS, "lab", "up", str(folder)])
    try:
        lab = BenchLab(folder)
        run(lab.eyas("apply", "--yes"))
        yield lab
    finally:
        run([EYAS, "-C", str(folder), "lab", "down"])
