"""Outgoing connections: that part of a host (`eyas.core.system`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Protocol
else:
    Protocol = object  # nobody asks at run time, and making protocols takes a host longer than looking at its files


@dataclass(frozen=True)
class Loaded:
    """The table ``inet eyas_egress`` as the kernel has it: names of its chains, objects by name with their kinds (set,
    map, limit), and a digest of its rules; '' where there is no table."""

    chains: tuple[str, ...] = ()
    objects: Mapping[str, str] = ()  # type: ignore[assignment]
    digest: str = ""


@dataclass(frozen=True)
class Translated:
    """A connection that left from another address than it was made from. ``idle``: of those that are equal otherwise,
    the one with the least of it was there last (seconds since its last packet cannot be told; this is how much of the
    time is gone that the kernel remembers it)."""

    source: str
    source_port: int
    destination: str
    port: int
    address: str
    idle: float


class Egress(Protocol):
    """Where outgoing connections leave from. Addresses are in canonical form (RFC 5952)."""

    def locked(self) -> AbstractContextManager[None]:
        """One change at a time: of the service, of a run, of a command. Waits for its turn."""

    def loaded(self) -> Loaded: ...

    def load(self, transaction: str) -> None:
        """Load rules in one transaction (nft(8)). Failed when they are refused: nothing has changed then."""

    def remove(self) -> None:
        """Take the table away, if there is one, and answer for no address any more."""

    def counted(self, name: str) -> dict[tuple[str, str], int]:
        """Packets by pair of addresses (of ``used``: of the mark of an address and a destination), in one of the sets
        that the kernel fills; none when it is not there."""

    def own(self) -> set[str]:
        """Addresses that are on links of this host."""

    def answering(self, uplink: str) -> set[str]:
        """Addresses that the host answers neighbour solicitations for on a link, beside its own (ip-neighbour(8),
        "proxy")."""

    def answer(self, uplink: str, more: Collection[str], less: Collection[str]) -> None:
        """Answer for these too, at once, and no longer for those."""

    def connections(self, addresses: Collection[str]) -> dict[str, int]:
        """How many connections leave from each of these addresses."""

    def translated(self, sources: Collection[str]) -> list[Translated]:
        """Connections over TCP that these sources have made and that left from another address, the latest first."""

    def find(self, uplink: str, address: str, targets: Sequence[str]) -> tuple[str, str]:
        """How an address of the prefix that nobody has is reached from outside: "routed", "on-link" or "unknown", and
        in words by what that was seen. Some of ``targets`` are asked for an echo from it."""

    def resolve(self, server: str, names: Collection[str]) -> dict[str, dict[str, float]]:
        """Addresses of both families by name, each with the seconds that it is good for; a name that nobody answers for
        is not there."""

    def probe(self, inbound: Sequence[tuple[str, int]], vantage: Sequence[str]) -> dict[tuple[str, int], str] | None:
        """Whether (address, port) pairs of this host accept connections, '' or why not: asked by the command
        ``vantage``, from here when there is none. None when that command fails."""

    def tell(self, container: str, text: str) -> None:
        """Put a line into the journal of a running container, as a warning of eyas-egress."""
