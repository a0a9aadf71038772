"""The Debian archive of a lab's internet: hosts of a lab install packages from it as servers do from a mirror.

One process per lab (``python -m eyas.lab.archive LAB BASE``). It listens in the lab's internet and asks, in the
namespace of this machine, the archive that this machine's own apt sources name; apt on the lab host checks the
signatures as ever. Lab hosts stay without any other way out.

Source: the layout that apt asks for (sources.list(5)): /debian and /debian-security, GET and HEAD over HTTP.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.server
import os
import shutil
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import launch
from eyas.image.sources import Archive, machine_archive
from eyas.lab import cgroup
from eyas.lab.place import Place
from eyas.lab.state import alive, read_json, start_time, write_json
from eyas.lab.wire import ARCHIVE

PORT = 80
TIMEOUT = 60.0  # seconds without a byte from the machine's archive
CLONE_NEWNET = 0x40000000  # setns(2)


def start(place: Place) -> None:
    """Start the archive of a lab unless it runs; a machine without Debian sources has none, and that is no error."""
    known = read_json(place.path / "archive.json")
    if known is not None and alive(known.get("pid"), known.get("start")):
        return
    with contextlib.suppress(Failed):
        machine_archive()
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        log = os.open(place.path / "archive.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            argv = [sys.executable, "-m", "eyas.lab.archive", place.id, str(place.base)]
            launch(argv, detach=True, output=log, env=proxies)
        finally:
            os.close(log)


def listen(namespace: Path) -> socket.socket:
    """A socket that listens at ARCHIVE in another network namespace; only the thread that makes it visits there."""
    made: list[socket.socket | OSError] = []

    def visit() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with namespace.open("rb") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                made.append(OSError(ctypes.get_errno(), "setns"))
                return
        try:
            made.append(socket.create_server((ARCHIVE, PORT)))
        except OSError as error:
            made.append(error)

    visitor = threading.Thread(target=visit)
    visitor.start()
    visitor.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


class Mirror(http.server.BaseHTTPRequestHandler):
    """Passes requests for the two archives on, and answers 404 to everything else."""

    archive: Archive
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass(body=True)

    def do_HEAD(self) -> None:
        self._pass(body=False)

    def _pass(self, *, body: bool) -> None:
        first, _, rest = self.path.lstrip("/").partition("/")
        base = {"debian": self.archive.main, "debian-security": self.archive.security}.get(first, "")
        if not base or ".." in rest:
            self._say(404)
            return
        request = urllib.request.Request(f"{base}/{rest}", method=self.command)  # noqa: S310 (the machine's own)
        for name in ("If-Modified-Since", "Range", "If-Range"):
            if name in self.headers:
                request.add_header(name, self.headers[name])
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                self.send_response(answer.status)
                for name in ("Content-Length", "Content-Type", "Content-Range", "Last-Modified", "ETag"):
                    if answer.headers.get(name):
                        self.send_header(name, answer.headers[name])
                if not answer.headers.get("Content-Length"):
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()
                if body:
                    shutil.copyfileobj(answer, self.wfile, 1 << 16)
        except urllib.error.HTTPError as error:
            self._say(error.code)
        except (OSError, urllib.error.URLError):
            self._say(502)

    def _say(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main(lab: str, base: str) -> None:
    place = Place(lab, Path(base))
    cgroup.join(f"{place.cgroup}/internet")
    Mirror.archive = machine_archive()
    server = http.server.ThreadingHTTPServer((ARCHIVE, PORT), Mirror, bind_and_activate=False)
    server.socket.close()
    server.socket = listen(Path("/run/netns") / place.internet)
    server.daemon_threads = True
    write_json(place.path / "archive.json", {"pid": os.getpid(), "start": start_time(os.getpid())}, sync=False)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
