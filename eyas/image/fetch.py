"""Downloads kept by digest: a file that is in the cache was verified, and is never fetched again.

apt's own downloader does the work (apt-helper download-file), so proxies, credentials and certificates that are set
up for apt on this machine are used, and digests are checked by it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from eyas.core.errors import Failed
from eyas.core.events import Event, Listener, silent
from eyas.host.command import CommandFailed, run
from eyas.image.lock import Deb
from eyas.image.sources import Archive, machine_archive

HELPER = "/usr/lib/apt/apt-helper"
WORKERS = 4  # connections at a time; more gains nothing on a home line and is impolite to a mirror
BATCH_BYTES = 24 << 20  # what one process of the helper fetches
BATCH_FILES = 16


@dataclass(frozen=True)
class Download:
    """One file to fetch. ``digest`` is ``SHA256:<hex>`` or another kind that apt knows, '' for none."""

    url: str
    target: Path
    digest: str = ""


def download(wanted: Iterable[Download], timeout: float = 1800) -> None:
    """Fetches files with apt's helper, one after the other on one connection; raises CommandFailed."""
    words: list[str] = []
    for item in wanted:
        words += [item.url, str(item.target), item.digest]
    options = ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]
    run([HELPER, *options, "download-file", *words], timeout=timeout)


class Debs:
    """The folder of packages, and the downloads under way."""

    def __init__(self, cache: Path, listener: Listener = silent) -> None:
        self.folder = cache / "debs"
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in self.folder.glob(".*.part"):  # of builds that were killed
            if not Path(f"/proc/{part.name.split('.')[-2]}").exists():
                part.unlink(missing_ok=True)
        self._tell = listener
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch")
        self._coming: dict[str, Future[None]] = {}
        self._archive: Archive | None = None
        self._lock = threading.Lock()
        self._done = self._total = 0

    def path(self, deb: Deb) -> Path:
        return self.folder / f"{deb.sha256}.deb"

    def want(self, debs: Iterable[Deb]) -> None:
        """Starts fetching what is not there yet; `wait` for it."""
        batch: list[Deb] = []
        weight = 0
        for deb in debs:
            if deb.sha256 in self._coming or self._has(deb):
                continue
            batch.append(deb)
            weight += deb.size
            self._total += deb.size
            if weight >= BATCH_BYTES or len(batch) >= BATCH_FILES:
                self._start(batch)
                batch, weight = [], 0
        if batch:
            self._start(batch)

    def wait(self, debs: Iterable[Deb]) -> None:
        """Returns when all are there; raises Failed for the first that cannot be had."""
        for deb in debs:
            coming = self._coming.get(deb.sha256)
            if coming is not None:
                coming.result()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _has(self, deb: Deb) -> bool:
        try:
            return self.path(deb).stat().st_size == deb.size
        except FileNotFoundError:
            return False

    def _start(self, batch: Sequence[Deb]) -> None:
        if self._archive is None:
            self._archive = machine_archive()
        future = self._pool.submit(self._fetch, tuple(batch), self._archive)
        self._coming.update((deb.sha256, future) for deb in batch)

    def _fetch(self, batch: tuple[Deb, ...], archive: Archive) -> None:
        wanted = [
            Download(
                f"{archive.uri(deb.archive)}/{quote(deb.filename, safe='/+~')}", self._part(deb), f"SHA256:{deb.sha256}"
            )
            for deb in batch
        ]
        try:
            download(wanted)
        except CommandFailed as error:
            self._keep(batch)
            raise _explain(batch, self, error) from None
        self._keep(batch)

    def _keep(self, batch: Iterable[Deb]) -> None:
        """Gives verified files their name; the digest is checked here too, so the cache can be trusted always."""
        for deb in batch:
            part = self._part(deb)
            if part.exists() and hashlib.sha256(part.read_bytes()).hexdigest() == deb.sha256:
                part.chmod(0o644)
                part.replace(self.path(deb))
                with self._lock:
                    self._done += deb.size
                    self._tell(Event("fetch", deb.name, f"{deb.name} {deb.version}", self._done, self._total))
            else:
                part.unlink(missing_ok=True)

    def _part(self, deb: Deb) -> Path:
        return self.folder / f".{deb.sha256}.{os.getpid()}.part"


def _explain(batch: Sequence[Deb], debs: Debs, error: CommandFailed) -> Failed:
    lost = [deb for deb in batch if not debs._has(deb)]
    deb = lost[0] if lost else batch[0]
    lines = [line for line in error.result.error.splitlines() if line.startswith(("E:", "W:"))]
    why = lines[0][2:].strip() if lines else error.message
    gone = "404" in error.result.error
    hint = "it left the archive: run eyas update" if gone else "is the network there? what was fetched is kept"
    return FetchFailed(f"cannot fetch {deb.name} {deb.version}: {why}", hint, deb)


class FetchFailed(Failed):
    """A package could not be downloaded; ``deb`` is it."""

    def __init__(self, message: str, hint: str, deb: Deb) -> None:
        super().__init__(message, hint)
        self.deb = deb
