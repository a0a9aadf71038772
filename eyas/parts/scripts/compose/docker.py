"""Docker's own API, over its socket, and systemd's words: all that the stack's program says to others."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

SOCKET = "/run/docker.sock"
LABEL = "com.docker.compose"


class Refused(Exception):
    """It cannot be done; the message says why."""


class Docker:
    """The daemon's API, over its socket."""

    def __init__(self, path: str = SOCKET) -> None:
        self.path = path

    def ask(self, method: str, path: str, timeout: float = 60) -> Any:
        connection = http.client.HTTPConnection("docker", timeout=timeout)
        connection.sock = _socket(self.path, timeout)
        try:
            connection.request(method, path, headers={"Content-Length": "0"} if method == "POST" else {})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"cannot ask Docker: {error}") from None
        finally:
            connection.close()
        said = json.loads(data) if data else None
        if answer.status >= 400:
            raise Refused(f"cannot {method} {path.partition('?')[0]}: {said.get('message') if said else answer.status}")
        return said

    def containers(self, project: str) -> dict[str, list[dict[str, Any]]]:
        """What ``docker inspect`` tells of each container of a project, by service."""
        found: dict[str, list[dict[str, Any]]] = {}
        for entry in self.ask("GET", f"/containers/json?all=1&filters={_filter(project)}"):
            if entry["Labels"].get(f"{LABEL}.oneoff") == "True":
                continue
            try:
                found.setdefault(entry["Labels"].get(f"{LABEL}.service", ""), []).append(
                    self.ask("GET", f"/containers/{entry['Id']}/json")
                )
            except Refused:  # gone meanwhile
                continue
        return found

    def networks(self, project: str) -> dict[str, str]:
        """Networks of a project: the name in the file to the id."""
        found = self.ask("GET", f"/networks?filters={_filter(project)}")
        return {network["Labels"].get(f"{LABEL}.network", ""): network["Id"] for network in found}

    def volumes(self, project: str) -> dict[str, str]:
        """Volumes of a project: the name in the file to the name in Docker."""
        found = self.ask("GET", f"/volumes?filters={_filter(project)}")["Volumes"] or []
        return {volume["Labels"].get(f"{LABEL}.volume", ""): volume["Name"] for volume in found}

    def listen(self, project: str, heard: threading.Event) -> None:
        """Set ``heard`` whenever something happens to a container of the project; for a thread, never ends."""
        while True:
            self.hear(project, heard)
            time.sleep(1)

    def hear(self, project: str, heard: threading.Event) -> None:
        """The same, until Docker is away: it restarts."""
        with suppress(OSError, Refused), _socket(self.path, None) as sock:
            wanted = quote(json.dumps({"label": [f"{LABEL}.project={project}"], "type": ["container"]}))
            sock.sendall(f"GET /events?filters={wanted} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            while data := sock.recv(65536):
                if b'"exec_' not in data:  # those of health checks would wake us all the time
                    heard.set()


def _socket(path: str, timeout: float | None) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout)
    try:
        made.connect(path)
    except OSError as error:
        made.close()
        raise Refused(f"cannot reach Docker: {error.strerror}") from None
    return made


def _filter(project: str) -> str:
    return quote(json.dumps({"label": [f"{LABEL}.project={project}"]}))


def systemctl(*words: str) -> str:
    return subprocess.run(["systemctl", *words], capture_output=True, text=True).stdout.strip()


def write(path: Path, text: str) -> None:
    """A file for root alone, whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    new.replace(path)


def notify(text: str) -> None:
    """Tell systemd (sd_notify(3))."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(text.encode(), "\0" + where[1:] if where.startswith("@") else where)
