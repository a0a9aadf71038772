"""How a site of a lab's internet limits those who ask: values and arithmetic, no clock and no socket."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

REFUSALS = ("429", "403", "reset", "refused", "prohibited", "dropped")
"""What a banned client meets: an answer; a connection that is reset once it has asked; one that is refused, or
prohibited (ICMP), or lost at its first packet."""
AT_THE_DOOR = ("refused", "prohibited", "dropped")
"""Those that the packet filter of the internet gives."""


@dataclass(frozen=True)
class Site:
    """A site of an upstream, with addresses of its own.

    ``families`` is "46", "4" or "6". ``limit`` requests of one client are answered (0: all), within ``window`` seconds
    (0: ever); the next one is refused as ``refusal`` says, and so are all for ``ban`` seconds from then, with
    ``prolong`` from the last one that came in vain. A client is an ``address``, or with ``by="prefix"`` an IPv6 prefix
    of 64 bits. Answers 429 and 403 carry Retry-After unless ``retry_after`` is false. ``answer`` is a status that
    everybody gets, whatever is asked (0: none), ``version`` changes what files hold, ``delay`` is seconds before each
    answer.
    """

    name: str = "sources.example.net"
    families: str = "46"
    limit: int = 0
    by: str = "address"
    window: float = 0
    ban: float = 30
    refusal: str = "429"
    retry_after: bool = True
    prolong: bool = False
    answer: int = 0
    version: int = 1
    delay: float = 0

    def __post_init__(self) -> None:
        if (
            self.refusal not in REFUSALS
            or self.by not in ("address", "prefix")
            or self.families not in ("46", "4", "6")
        ):
            raise ValueError(f"no such site: {self}")


@dataclass
class _Client:
    """What is known of one client: when it asked within the window, and until when it is banned."""

    asked: list[float] = field(default_factory=list)
    until: float = 0


class Limiter:
    """The memory of one site. ``now`` are seconds of any clock that goes forward."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}

    def ask(self, site: Site, source: str, now: float) -> float:
        """A request: 0 when it is to be answered, else the seconds that the client is banned."""
        if not site.limit:
            return 0.0
        known = self._clients.setdefault(client(site, source), _Client())
        if known.until > now:
            if site.prolong:
                known.until = now + site.ban
            return known.until - now
        if known.until:  # a ban that is over begins from nothing
            known.until, known.asked = 0, []
        if site.window:
            known.asked = [at for at in known.asked if at > now - site.window]
        if len(known.asked) >= site.limit:
            known.until = now + site.ban
            return site.ban
        known.asked.append(now)
        return 0.0


def client(site: Site, source: str) -> str:
    """What of an address is limited together."""
    if site.by == "prefix" and ":" in source:
        return str(ipaddress.ip_network(f"{source}/64", strict=False))
    return source
