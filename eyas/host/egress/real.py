"""Outgoing connections of the machine we stand on: `eyas.core.egress`. Source: nft(8)."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eyas.core import paths
from eyas.core.egress import Loaded, Translated
from eyas.core.errors import Failed
from eyas.core.held import RESETS
from eyas.core.words import Json, digest
from eyas.host import neighbours
from eyas.host.command import CommandFailed, run
from eyas.host.disk import write_whole

FAMILY, TABLE = "inet", "eyas_egress"
KINDS = ("set", "map", "limit")
SETTINGS = f"{paths.EGRESS_RUNTIME}/settings.json"
VOLATILE = ("handle", "packets", "bytes", "expires", "index", "position")


class RealEgress:
    """`eyas.core.egress.Egress`."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        os.makedirs(paths.EGRESS_RUNTIME, mode=0o755, exist_ok=True)
        handle = os.open(f"{paths.EGRESS_RUNTIME}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def loaded(self) -> Loaded:
        listed = run(["nft", "-j", "-t", "list", "table", FAMILY, TABLE], check=False)
        if listed.code:
            if "No such file" in listed.error:
                return Loaded((), {}, "")
            raise Failed(f"cannot read the rules of outgoing connections: {listed.error}", "is nftables installed?")
        rows = json.loads(listed.text)["nftables"]
        return Loaded(
            tuple(str(row["chain"]["name"]) for row in rows if "chain" in row),
            {str(row[kind]["name"]): kind for row in rows for kind in KINDS if kind in row},
            digest([_normal(row) for row in rows if "metainfo" not in row]),
        )

    def load(self, transaction: str) -> None:
        try:
            run(["nft", "-f", "-"], input=transaction)
        except CommandFailed as error:
            why = " ".join(error.result.error.split("\n")[:2]) or error.message
            raise Failed(
                f"cannot load the rules of outgoing connections: {why}", "those that were there before are unchanged"
            ) from None

    def remove(self) -> None:
        name = f"{FAMILY} {TABLE}"
        run(["nft", "-f", "-"], input=f"table {name}\ndelete table {name}\n")
        _put_settings_back()

    def counted(self, name: str) -> dict[tuple[str, str], int]:
        table = "eyas" if name == RESETS else TABLE
        listed = run(["nft", "-j", "list", "set", FAMILY, table, name], check=False)
        if listed.code:
            return {}
        found = {}
        for row in json.loads(listed.text)["nftables"]:
            for element in row.get("set", {}).get("elem", ()):
                inner = element.get("elem", element) if isinstance(element, dict) else {}
                pair = inner.get("val", {}).get("concat", ())
                if len(pair) == 2:
                    found[(str(pair[0]), str(pair[1]))] = int(inner.get("counter", {}).get("packets", 0))
        return found

    def own(self) -> set[str]:
        return neighbours.own()

    def answering(self, uplink: str) -> set[str]:
        with _told(f"cannot tell which addresses are answered for on {uplink}"):
            return neighbours.proxied(uplink)

    def answer(self, uplink: str, more: Collection[str], less: Collection[str]) -> None:
        if more:
            _let_answer(uplink)
        with _told(f"cannot answer for addresses on {uplink}"):
            neighbours.proxy(uplink, more, less)

    def connections(self, addresses: Collection[str]) -> dict[str, int]:
        from eyas.host.conntrack import leaving_from

        return leaving_from(frozenset(addresses)) if addresses else {}

    def translated(self, sources: Collection[str]) -> list[Translated]:
        from eyas.host.conntrack import translations

        return sorted(translations(frozenset(sources)), key=lambda each: each.idle) if sources else []

    def find(self, uplink: str, address: str, targets: Sequence[str]) -> tuple[str, str]:
        from eyas.host.egress.find import find

        return find(uplink, address, targets)

    def resolve(self, server: str, names: Collection[str]) -> dict[str, dict[str, float]]:
        from eyas.host.egress.names import resolve

        return resolve(server, names)

    def probe(self, inbound: Sequence[tuple[str, int]], vantage: Sequence[str]) -> dict[tuple[str, int], str] | None:
        if vantage:
            asked = "".join(f"{address} {port}\n" for address, port in inbound)
            try:
                return _said(run(vantage, input=asked, timeout=30).text, inbound)
            except (Failed, OSError, ValueError):
                return None
        from eyas.host.asking import ask_all

        questions = [{"do": "connect", "address": address, "port": port, "timeout": 3} for address, port in inbound]
        answers = ask_all(questions, seconds=10)
        return {
            pair: "" if answer.get("ok") else str(answer.get("said"))
            for pair, answer in zip(inbound, answers, strict=True)
        }

    def tell(self, container: str, text: str) -> None:
        """systemd's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), at the socket of the container's journal."""
        from eyas.host.namespaces import leader

        body = f"MESSAGE={text}\nPRIORITY=4\nSYSLOG_IDENTIFIER=eyas-egress\n".encode()
        try:
            path = f"/proc/{leader(container)}/root/run/systemd/journal/socket"
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
                wire.settimeout(2)
                wire.sendto(body, path)
        except OSError:
            return  # it does not run, or keeps no journal: the host's own has it too


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(f"{what}: {error.strerror or error}", "is the uplink there (ip link)?") from None


def _let_answer(uplink: str) -> None:
    """The kernel's settings for that, and a note of what they were; both are gone after a boot."""
    from eyas.host.parts import RealKernel

    kernel, before = RealKernel(), {}
    for key, value in (
        (f"net.ipv6.conf.{uplink}.proxy_ndp", "1"),
        (f"net.ipv6.neigh.{uplink}.proxy_delay", "0"),  # or the first packets of each address are late
    ):
        old = (kernel.get(key) or value).strip()
        if old != value:
            before[key] = old
    if before:
        write_whole(Path(SETTINGS), json.dumps({**before, **_settings_before()}), 0o600)
        for key in before:
            kernel.set(key, "1" if key.endswith("proxy_ndp") else "0")


def _put_settings_back() -> None:
    from eyas.host.parts import RealKernel

    kernel = RealKernel()
    for key, value in _settings_before().items():
        kernel.set(key, value)
    Path(SETTINGS).unlink(missing_ok=True)


def _settings_before() -> dict[str, str]:
    try:
        return dict(json.loads(Path(SETTINGS).read_bytes()))
    except (OSError, ValueError):
        return {}


def _said(text: str, inbound: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """What a vantage point printed. ValueError when it did not answer for all."""
    found = {}
    for line in text.splitlines():
        address, port, *words = line.split()
        found[(address, int(port))] = "" if words == ["ok"] else " ".join(words) or "no answer"
    if set(found) < set(inbound):
        raise ValueError("not all was answered")
    return found


def _normal(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _normal(inner) for key, inner in value.items() if key not in VOLATILE}
    return [_normal(item) for item in value] if isinstance(value, list) else value
