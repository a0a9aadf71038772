"""The kernel's packet filter, by nft(8): two tables of ours, `inet eyas` for what passes the host's IP layer and
`bridge eyas` for what does not, always loaded in one transaction."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from eyas.core import held, paths
from eyas.core.errors import Failed
from eyas.core.words import Json, digest
from eyas.host.command import CommandFailed, Running, run, start
from eyas.host.held import carried
from eyas.host.wires import left

# nft lists one table for each process: of several it would read the last one only.
LISTS = (("nft", "-j", "list", "table", "inet", "eyas"), ("nft", "-j", "list", "table", "bridge", "eyas"))
# What differs between two listings of one rule set: numbers of the kernel, and traffic.
VOLATILE = ("handle", "packets", "bytes", "index", "expires")
DELETE = paths.NO_TABLES


def normal(listing: Json) -> Json:
    """A listing without what changes by itself, elements of sets and maps in a fixed order."""
    if isinstance(listing, dict):
        if listing.get("name") in held.TRAFFIC:
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
    """Digest of what ``nft -j list table`` printed for each of our tables, one after the other."""
    return digest([normal(listing) for listing in listings(text)])


def listings(text: str) -> list[Json]:
    """The JSON documents that stand in a text one after the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


class RealFirewall:
    """`eyas.core.system.Firewall`."""

    def __init__(self) -> None:
        self._ahead: list[Running] = []

    def ahead(self) -> None:
        """Begin a listing; the next `digest` takes its answer."""
        self._ahead = [start(argv) for argv in LISTS]

    def check(self, text: str) -> None:
        self._nft(["nft", "-c", "-f", "-"], text)

    def load(self, text: str) -> None:
        text = DELETE + text  # also where it was written by an older version, which knew of one table only
        if os.path.exists(paths.HELD):
            # In the same transaction, so that connections go on waiting.
            listed = run(LISTS[0], check=False)
            text += carried(listed.text, text) if listed.code == 0 else ""
        listed = run(LISTS[1], check=False)
        text += left(listed.text, text) if listed.code == 0 else ""
        self._nft(["nft", "-f", "-"], text)

    @staticmethod
    def _nft(argv: Sequence[str], text: str) -> None:
        try:
            run(argv, input=text)
        except CommandFailed as error:
            why = " ".join(error.result.error.split("\n")[:2]) or error.message
            raise Failed(f"cannot load the firewall: {why}", "the table that was there before is unchanged") from None

    def digest(self) -> str:
        begun, self._ahead = self._ahead, []
        results = [running.wait(check=False) for running in begun or [start(argv) for argv in LISTS]]
        for result in results:
            if result.code and "No such file" not in result.error:
                raise Failed(f"cannot read the firewall: {result.error}", "run it as root; is nftables installed?")
        return "" if any(result.code for result in results) else listing_digest("".join(r.text for r in results))

    def digest_of(self, listing: str) -> str:
        try:
            return listing_digest(listing)
        except ValueError:
            return ""

    def delete(self) -> None:
        run(["nft", "-f", "-"], input=DELETE)
