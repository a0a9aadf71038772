"""Sites in a lab's internet that hosts and containers there fetch from, and that count, limit and refuse.

    with upstream.running(lab, Site(limit=20, ban=60), Site("four.example.net", families="4")) as up:
        ...                                            # somebody there gets http(s)://sources.example.net/files/a?size=9
        up.counts("sources.example.net")               # {"2001:db8:5:1::2": 1}: requests by source address
        up.set("sources.example.net", limit=0)         # any field of a Site, while it runs
        up.forget()                                    # no counts, no bans

Names are known to the lab's name server, and so on its hosts and in their containers, while the sites run. Each site
has addresses of its own, HTTP on port 80, TLS by the lab's authority on port 443, and lines that come back with the
address they came from on port 7 (TCP and UDP). What it serves:

    /files/NAME?size=BYTES&rate=BYTES&age=SECONDS   a file (`contents`), slowly with a rate, with a Cache-Control by age
    /moved?to=URL                                   a redirect to there
    /source                                         address and port that the request came from
    /git/tools.git, /dumb/tools.git                 a repository over the smart and the dumb protocol (`commit` adds)
    /count                                          requests by source address, as JSON; neither counted nor limited

The server is `eyas.lab.upstream_server`, one process for all sites of a lab, which ends with the lab.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from eyas.core.errors import Failed
from eyas.host.command import launch, run
from eyas.lab import authority, wire
from eyas.lab.lab import INTERNET, Lab
from eyas.lab.limiter import Site

__all__ = ["Row", "Site", "Upstream", "contents", "running", "start"]

FIRST = 60  # the last part of the first site's addresses
PATIENCE = 20.0  # seconds until all sites answer
REPOSITORY = "tools"
_WHO = "Up Stream <up@example.net>"


@dataclass(frozen=True)
class Row:
    """One request, also a refused one. ``status`` is 0 where the connection was reset instead."""

    at: float
    site: str
    source: str
    port: int
    method: str
    path: str
    status: int


def addresses(sites: tuple[Site, ...]) -> dict[str, list[str]]:
    """The addresses of each site, IPv4 first."""
    found: dict[str, list[str]] = {}
    for number, site in enumerate(sites, start=FIRST):
        both = {"4": f"198.51.100.{number}", "6": f"2001:db8:ffff::{number}"}
        found[site.name] = [both[family] for family in site.families]
    return found


def contents(name: str, size: int, version: int = 1) -> bytes:
    """What the file of a name holds."""
    block = hashlib.sha512(f"{name} {version}".encode()).digest()
    return (block * (size // len(block) + 1))[:size]


class Upstream:
    """The sites of a lab that run. What it says is asked of their process, past the network."""

    def __init__(self, lab: Lab, sites: tuple[Site, ...]) -> None:
        self.lab = lab
        self.sites = sites
        self.folder = lab.place.path / INTERNET / "upstream"
        self.addresses = addresses(sites)

    # ------------------------------------------------------------ what it saw

    def counts(self, site: str = "", what: str = "requests") -> dict[str, int]:
        """Source addresses with their ``requests`` (also those refused), ``refused`` ones, or ``connections``; of one
        site or of all."""
        found: dict[str, int] = {}
        for name, sources in self._ask("GET", "/count").items():
            for source, counted in sources.items() if site in ("", name) else ():
                if counted[what]:
                    found[source] = found.get(source, 0) + counted[what]
        return found

    def log(self, site: str = "") -> list[Row]:
        """Requests in the order that they came."""
        return [row for row in (Row(*each) for each in self._ask("GET", "/log")) if site in ("", row.site)]

    # ------------------------------------------------------------ what it is told

    def set(self, site: str, **changes: object) -> None:
        """Other fields of a site from now on; its counts and bans stay."""
        self._ask("POST", "/set", {"site": site, "changes": changes})

    def forget(self) -> None:
        """No counts, no log, no bans."""
        self._ask("POST", "/forget")

    def commit(self, text: str = "more") -> str:
        """Another commit on the branch main of the repository; its name."""
        return commit(self.folder / "git" / f"{REPOSITORY}.git", text)

    def url(self, path: str, site: str = "", scheme: str = "http", **query: object) -> str:
        words = f"?{urlencode(query)}" if query else ""
        return f"{scheme}://{site or self.sites[0].name}{path}{words}"

    # ------------------------------------------------------------ its life

    def stop(self) -> None:
        """End it, and wait until it is gone; nobody answers at its addresses then, and its names are unknown."""
        until = time.monotonic() + PATIENCE
        while found := self._running():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > until:
                raise Failed(f"cannot end the upstream of the lab {self.lab.id}: {found} do not end")
            time.sleep(0.02)
        run(["ip", "netns", "exec", self.lab.place.internet, "nft", "delete", "table", "inet", "upstream"], check=False)
        (self.folder / "control").unlink(missing_ok=True)

    def start(self) -> None:
        """Start it again, with the sites as they were declared, no counts and no bans."""
        self.stop()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        every = [each for some in self.addresses.values() for each in some]
        lines = [f"addr replace {each}" + ("/128 dev lo nodad" if ":" in each else "/32 dev lo") for each in every]
        wire.ip(self.lab.place.internet, lines)
        if not (self.folder / "server.pem").exists() or self._named() != sorted(self.addresses):
            chain, key = authority.issue(self.lab.ca_dir, sorted(self.addresses))
            (self.folder / "server.pem").write_text(chain + key)
        repository = self.folder / "git" / f"{REPOSITORY}.git"
        if not repository.is_dir():
            run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository)])
            commit(repository, "first")
        told = {"sites": [[asdict(site), self.addresses[site.name]] for site in self.sites]}
        (self.folder / "settings.json").write_text(json.dumps(told))
        argv = ["env", f"PYTHONPATH={Path(__file__).parents[2]}", sys.executable, "-m", "eyas.lab.upstream_server"]
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            launch(self.lab.command(INTERNET, [*argv, str(self.folder)]), detach=True, output=log)
        finally:
            os.close(log)
        self._wait()

    def _named(self) -> list[str]:
        try:
            known = json.loads((self.folder / "settings.json").read_text())
        except (OSError, ValueError):
            return []
        return sorted(site["name"] for site, _ in known["sites"])

    def _wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                self._ask("GET", "/count")
                return
            if time.monotonic() > until:
                said = (self.folder / "log").read_text(errors="replace").strip()
                raise Failed(f"cannot start the upstream of the lab {self.lab.id}: {said or 'it does not answer'}")
            time.sleep(0.02)

    def _running(self) -> list[int]:
        found = []
        for pid in run(["ip", "netns", "pids", self.lab.place.internet]).text.split():
            with contextlib.suppress(OSError):
                if os.fsencode(self.folder) + b"\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(int(pid))
        return found

    def _ask(self, method: str, path: str, value: object = None) -> Any:
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # the path of a socket is short, that of a lab need not be
            with socket.socket(socket.AF_UNIX) as made:
                made.settimeout(PATIENCE)
                made.connect(f"/proc/self/fd/{folder}/control")
                talk = http.client.HTTPConnection("upstream")
                talk.sock = made
                talk.request(method, path, json.dumps(value))
                answer = talk.getresponse()
                said = answer.read()
        finally:
            os.close(folder)
        if answer.status != 200:
            raise Failed(f"cannot tell the upstream of the lab {self.lab.id}: {said.decode(errors='replace')}")
        return json.loads(said)


def start(lab: Lab, *sites: Site) -> Upstream:
    """Start the sites of a lab, in place of those that run there; without any, `Site` as it is by default."""
    made = Upstream(lab, sites or (Site(),))
    made.start()
    lab.keep_names(made.addresses)
    return made


@contextlib.contextmanager
def running(lab: Lab, *sites: Site) -> Iterator[Upstream]:
    """`start`, for as long as the block lasts."""
    made = start(lab, *sites)
    try:
        yield made
    finally:
        made.stop()
        lab.keep_names({})


def commit(repository: Path, text: str) -> str:
    """A commit on main with another text in the file ``note``; its name."""
    git = ["git", "--git-dir", str(repository)]
    parent = run([*git, "rev-parse", "--verify", "--quiet", "refs/heads/main"], check=False).text
    note = f"{text}\n".encode()
    lines = [
        b"commit refs/heads/main",
        f"committer {_WHO} {int(time.time())} +0000".encode(),
        b"data %d\n%s" % (len(note), note),
        *([f"from {parent}".encode()] if parent else []),
        b"M 100644 inline note",
        b"data %d\n%s" % (len(note), note),
    ]
    run([*git, "fast-import", "--quiet"], input=b"\n".join(lines) + b"\n")
    run([*git, "update-server-info"])
    return run([*git, "rev-parse", "refs/heads/main"]).text
