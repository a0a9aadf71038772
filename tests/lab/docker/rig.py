"""A lab with containers that run containers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.lab.rig import Rig

ENGINES = {"dock": "docker", "pod": "podman"}
SELFTEST = "/usr/local/lib/eyas/container-selftest"
PUBLIC = "203.0.113.112"


@dataclass
class Docks(Rig):
    declared = Path(__file__).parent / "fleet"

    def selftest(self, name: str) -> str:
        """What the self-test says when a person runs it."""
        return self.succeed(name, SELFTEST, ENGINES[name], timeout=90)

    def probed(self, name: str) -> list[list[str]]:
        """What the probes of the last start saw: ok or failed, which, what."""
        rows = self.host.succeed("cat", f"/run/eyas/probes/{name}").splitlines()
        return [row.split("\t") for row in rows]

    def well(self, name: str) -> bool:
        """Whether the self-test has passed before the container counted as ready."""
        title = f"command {SELFTEST} {ENGINES[name]}"
        return self.probed(name) == [
            ["ok", title, f"exit status 0: {ENGINES[name]} runs a container, and publishes its port"]
        ]

    def image(self, name: str) -> str:
        """The image of the self-test: a busybox."""
        said = self.succeed(name, ENGINES[name], "image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
        (found,) = [line for line in said.splitlines() if "eyas/selftest:" in line]
        return found

    def publish(self, name: str, port: int = 8088) -> None:
        """A service that its engine starts again by itself. In a scope: what watches it outlives the command."""
        page = f"echo from {name} >/www/index.html; exec /bin/busybox httpd -f -p 80 -h /www"
        run = (ENGINES[name], "run", "--detach", "--restart=always", "--stop-signal=KILL", f"--publish={port}:80")
        image = (self.image(name), "/bin/busybox", "sh", "-c", page)
        self.succeed(name, "systemd-run", "--quiet", "--scope", *run, "--name=page", *image)

    def asked(self, place: str, url: str, text: str) -> None:
        """Wait until a URL answers this."""
        argv = ("curl", "-sS", "--fail", "--max-time", "3", url)
        self.host.wait_until(lambda: self.execute(place, *argv).text == text, f"{text!r} at {url} from {place}", 30)
