"""Attempts to connect that wait, and how they are handed back to the kernel when the wait is over.

Whose client has asked again meanwhile, and got through, is left out: its old packet would be one of a new connection to
the packet filter where that has seen the end of the real one, and the rest of that would be dropped.

Best effort: whatever fails here means no more than that a client waits for its own next attempt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from eyas.core import held
from eyas.host.conntrack import Known
from eyas.host.nflog import SETTLE, Listener
from eyas.host.packet import Flow, flow, whole
from eyas.host.tun import Tun

MOST = 16384  # attempts that are kept; a flood is not
PIECE = 32  # packets at once, so that neither a neighbour's nor a listener's queue runs over
PIECES = 40  # at most so many with a pause between
PAUSE = 0.004  # seconds
# They come in again in the order in which they came, but faster: who has waited longest is served before the next ones
# compete with it, and nobody waits longer than the first. Much faster would be a crowd that those who serve it share
# their time among: then all wait for the last one.
FASTER = 2
LONGEST = 2.0  # seconds for all of them at most


class Handover:
    """Keeps the last packet of every attempt while it lives."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._tun: Tun | None = None
        self._known: Known | None = None
        self._opened = 0.0
        self._kept: dict[Flow, bytes] = {}

    def open(self) -> None:
        """Begin to listen; nothing happens when it does already."""
        if self._listener is None:
            self._opened = time.monotonic()
            try:
                self._listener = Listener(held.GROUP)
                self._tun = Tun(held.LINK)
                self._known = Known()
            except OSError:
                self.close()

    def take(self, wanted: Callable[[Flow], bool]) -> list[bytes]:
        """The packets of the attempts that are wanted; they are not kept any more."""
        if self._listener is not None:
            for packet in self._listener.packets():
                key = flow(packet)
                if key is not None and (key in self._kept or len(self._kept) < MOST):
                    self._kept[key] = packet
        return [self._kept.pop(key) for key in [*self._kept] if wanted(key)]

    def settle(self) -> None:
        """Wait until all has come that was told until now."""
        if self._listener is not None:
            time.sleep(SETTLE)

    def give(self, packets: list[bytes], waited: float = 0.0) -> int:
        """Hand packets over that came within ``waited`` seconds; how many the kernel took."""
        given = 0
        seconds = min(waited / FASTER, LONGEST, len(packets) * PAUSE)
        parts = list(pieces(packets, seconds))
        pause = max(PAUSE, seconds / max(1, len(parts) - 1))
        for index, piece in enumerate(parts):
            if index:
                time.sleep(pause)
            for packet in piece:
                try:
                    if self._tun is not None and not self._is_through(packet):
                        self._tun.write(whole(packet))
                        given += 1
                except OSError:
                    continue
        return given

    def _is_through(self, packet: bytes) -> bool:
        """Only what was used since we listen counts: a client may have had a connection from the same port before."""
        key = flow(packet)
        return key is not None and self._known is not None and self._known.has(key, time.monotonic() - self._opened)

    def close(self) -> None:
        for part in (self._listener, self._tun, self._known):
            if part is not None:
                part.close()
        self._listener = self._tun = self._known = None
        self._kept.clear()


def pieces(packets: list[bytes], seconds: float = 0.0) -> Iterator[list[bytes]]:
    """The first alone: its answer shows where the container is, and the others need not queue for that. Where there
    are ``seconds`` for all of them, the pieces are small."""
    if packets:
        yield packets[:1]
    number = max(PIECES, int(seconds / PAUSE))
    size = max(1 if seconds else PIECE, -(-len(packets) // number))
    for at in range(1, len(packets), size):
        yield packets[at : at + size]
