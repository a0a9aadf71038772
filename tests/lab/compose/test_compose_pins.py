"""Images of a registry, also below those built in place, are pinned in eyas.lock; `eyas update` alone moves them, never
under a running job."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from eyas.lab.testing import retry
from tests.lab.compose.rig import Stacks

pytestmark = pytest.mark.long

PORT = 45871
IMAGE = f"localhost:{PORT}/page:1"
BOX = "pinned-page-1"


@contextmanager
def registry(stacks: Stacks) -> Iterator[None]:
    """The registry in the container, also at this machine's loopback, where `eyas update` looks for it."""

    def serve(client: socket.socket) -> None:
        command = stacks.command("stacks", "busybox", "nc", "127.0.0.1", str(PORT))
        with client, suppress(OSError):
            asked = client.recv(65536)
            said = subprocess.run(command, input=asked, capture_output=True, timeout=30).stdout
            client.sendall(said)

    with socket.create_server(("127.0.0.1", PORT)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)


def push(stacks: Stacks, text: str) -> str:
    """Another image under the same name; its digest."""
    recipe = f"FROM tiny:1\nENV TEXT={text}\n"
    stacks.succeed("stacks", "sh", "-c", f"printf '{recipe}' | docker build --quiet --tag {IMAGE} - >&2")
    said = stacks.docker("push", IMAGE)
    return next(word for word in said.split() if word.startswith("sha256:") and len(word) == 71)


def running(stacks: Stacks) -> str:
    return stacks.docker("inspect", "--format", "{{.Config.Image}}", BOX).strip()


def stands_on(stacks: Stacks) -> str:
    """The text in the image that the service `built` stands on."""
    environment = stacks.docker("inspect", "--format", "{{json .Config.Env}}", "pinned-built-1")
    values = dict(word.split("=", 1) for word in json.loads(environment))
    assert values["OWN"] == "yes"
    return str(values["TEXT"])


def test_pinned_and_moved_by_update_but_not_under_a_job(stacks: Stacks) -> None:
    first = push(stacks, "one")
    stacks.edit("tiny, twenty, features]", 'tiny, twenty, features, compose("pinned")]')
    assert f"cannot pin {IMAGE}" in stacks.run("apply", "--yes").err  # nobody there to ask
    with registry(stacks):
        stacks.apply()
        assert json.loads((stacks.directory / "eyas.lock").read_text())["pins"] == {IMAGE: first}
        assert running(stacks) == f"{IMAGE}@{first}"
        assert stands_on(stacks) == "one"
        second = push(stacks, "two")
        assert first != second
        stacks.apply()
        assert running(stacks) == f"{IMAGE}@{first}"
        recipe = "compose/pinned/built/Dockerfile"
        stacks.edit("ENV OWN=yes", "ENV OWN=yes MORE=1", recipe)
        stacks.apply()
        assert stands_on(stacks) == "one", (
            "also when it is built anew, and the registry has another one under that name"
        )
        stacks.docker("exec", BOX, "touch", "/tmp/job")
        assert f"{first[7:19]} -> {second[7:19]}" in stacks.eyas("update", IMAGE)
    stacks.apply()  # without anybody to ask: the lock says it all
    assert running(stacks) == f"{IMAGE}@{first}"
    assert stands_on(stacks) == "two", "what is built here moves with what it stands on"
    assert stacks.state("pinned")["waiting"] == ["page"]
    stacks.docker("exec", BOX, "/bin/busybox", "rm", "/tmp/job")
    retry(lambda: running(stacks) == f"{IMAGE}@{second}", "the image moves when the job has ended", 60)
