"""A stack's program beside a Docker that comes and goes."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from eyas.parts.scripts.compose.docker import Docker

EVENT = b'HTTP/1.0 200 OK\r\n\r\n{"Type":"container","Action":"die"}\n'
CHECK = b'HTTP/1.0 200 OK\r\n\r\n{"Type":"container","Action":"exec_start: true"}\n'


def daemon(path: str, said: bytes) -> threading.Thread:
    """Tells one who asks of something, and is away again. It listens when this returns."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(1)

    def serve() -> None:
        with server:
            guest, _ = server.accept()
            with guest:
                assert b"/events?" in guest.recv(4096)
                guest.sendall(said)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_a_docker_that_is_away_is_asked_again(tmp_path: Path) -> None:
    """Whether nobody listens, or nothing is there: whoever hears does so again, and hears then."""
    path, heard = tmp_path / "docker.sock", threading.Event()
    docker = Docker(str(path))
    docker.hear("wiki", heard)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    docker.hear("wiki", heard)
    path.unlink()
    assert not heard.is_set()
    for _ in range(2):
        server = daemon(str(path), EVENT)
        docker.hear("wiki", heard)
        server.join()
        path.unlink()
        assert heard.is_set()
        heard.clear()


def test_health_checks_wake_nobody(tmp_path: Path) -> None:
    heard = threading.Event()
    server = daemon(str(tmp_path / "docker.sock"), CHECK)
    Docker(str(tmp_path / "docker.sock")).hear("wiki", heard)
    server.join()
    assert not heard.is_set()
