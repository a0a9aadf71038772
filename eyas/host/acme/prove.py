"""Proofs that names are ours: a file that is answered on port 80 (RFC 8555, 8.3), a record in DNS (8.4)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from eyas.host.acme.words import Refused

if TYPE_CHECKING:
    from eyas.host.acme.dns import Dns

OLD = 3600.0  # seconds; a token that is older was left by somebody who was killed


class Web:
    """Folders whose files are answered below /.well-known/acme-challenge/, whatever name is asked for."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = [str(folder) for folder in folders]

    def clean(self) -> None:
        for folder in self._folders:
            with suppress(OSError):
                for entry in list(os.scandir(folder)):
                    if time.time() - entry.stat().st_mtime > OLD:
                        os.unlink(entry.path)

    @contextmanager
    def shown(self, client: Any, chosen: Sequence[Any]) -> Iterator[None]:
        """Within the block the answers are there."""
        if chosen and not self._folders:
            raise Refused("nobody on this host answers on port 80")
        paths = []
        try:
            for offered in chosen:
                name = offered.chall.encode("token")
                if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                    raise Refused("the authority sent a token that is none")
                paths += [
                    self._write(folder, name, offered.chall.validation(client.net.key)) for folder in self._folders
                ]
            yield
        finally:
            for path in paths:
                with suppress(OSError):
                    os.unlink(path)

    @staticmethod
    def _write(folder: str, name: str, text: str) -> str:
        path, new = f"{folder}/{name}", f"{folder}/.{name}"
        with open(new, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        os.rename(new, path)
        return path


@contextmanager
def proved_by_dns(client: Any, chosen: Sequence[tuple[Any, Any]], dns: Dns) -> Iterator[None]:
    """Within the block the records are there, and all name servers of their zones say so."""
    records = [
        (
            offered.chall.validation_domain_name(authorization.body.identifier.value),
            offered.chall.validation(client.net.key),
        )
        for authorization, offered in chosen
    ]
    added = []
    try:
        for record, value in records:
            added.append((record, value))
            dns.add(record, value)
        for record, value in records:
            dns.wait(record, value)
        yield
    finally:
        for record, value in added:
            with suppress(Exception):  # whatever it is, the others go too; what stays proves nothing to anybody
                dns.remove(record, value)
