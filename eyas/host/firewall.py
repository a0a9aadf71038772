"""The kernel's packet filter, by nft(8): one table of ours, loaded in one transaction."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from eyas.core import held, paths
from eyas.core.errors import Failed
from eyas.core.words import Json, digest
from eyas.host.command import CommandFailed, Running, run, start
from eyas.host.held import carried

FAMILY, TABLE = "inet", "eyas"
LIST = ("nft", "-j", "list", "table", FAMILY, TABLE)
# What differs between two listings of one rule set: numbers of the kernel, and traffic.
VOLATILE = ("handle", "packets", "bytes", "index", "expires")
DELETE = f"table {FAMILY} {TABLE}\ndelete table {FAMILY} {TABLE}\n"  # made first, so that there is one to delete


def normal(listing: Json) -> Json:
    """A listing without what changes by itself, elements of sets and maps in a fixed order."""
    if isinstance(listing, dict):
        if listing.get("name") in held.TYPES:
            listing = {key: value for key, value in listing.items() if key != "elem"}  # traffic too
        if "counter" in listing and isinstance(listing["counter"], dict):
            listing = {**listing, "counter": None}
        inner: dict[str, Json] = {key: normal(value) for key, value in listing.items() if key not in VOLATILE}
        if isinstance(inner.get("elem"), list):
            inner["elem"] = sorted(_list(inner["elem"]), key=lambda item: json.dumps(item, sort_keys=True))
        return inner
    if isinstance(listing, list):
        return [normal(item) for item in listing if not (isinstance(item, dict) and "metainfo" in item)]
    return listing


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def listing_digest(text: str) -> str:
    """Digest of what ``nft -j list table`` printed."""
    return digest(normal(json.loads(text)))


class RealFirewall:
    """`eyas.core.system.Firewall`."""

    def __init__(self) -> None:
        self._ahead: Running | None = None

    def ahead(self) -> None:
        """Begin a listing; the next `digest` takes its answer."""
        self._ahead = start(LIST)

    def check(self, text: str) -> None:
        self._nft(["nft", "-c", "-f", "-"], text)

    def load(self, text: str) -> None:
        if os.path.exists(paths.HELD):
            # In the same transaction, so that connections go on waiting.
            listed = run(LIST, check=False)
            text += carried(listed.text, text) if listed.code == 0 else ""
        self._nft(["nft", "-f", "-"], text)

    @staticmethod
    def _nft(argv: Sequence[str], text: str) -> None:
        try:
            run(argv, input=text)
        except CommandFailed as error:
            why = " ".join(error.result.error.split("\n")[:2]) or error.message
            raise Failed(f"cannot load the firewall: {why}", "the table that was there before is unchanged") from None

    def digest(self) -> str:
        begun, self._ahead = self._ahead, None
        result = (begun or start(LIST)).wait(check=False)
        if result.code == 0:
            return listing_digest(result.text)
        if "No such file" in result.error:
            return ""
        raise Failed(f"cannot read the firewall: {result.error}", "run it as root; is nftables installed?")

    def digest_of(self, listing: str) -> str:
        try:
            return listing_digest(listing)
        except ValueError:
            return ""

    def delete(self) -> None:
        run(["nft", "-f", "-"], input=DELETE)
