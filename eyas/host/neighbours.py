"""Addresses of this host, and those that it answers neighbour solicitations for beside them. Sources: rtnetlink(7),
linux/neighbour.h, linux/if_addr.h; ip(8) asks the same, by a process for each question.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Collection

from eyas.host.netlink import ACK, CREATE, DUMP, REPLACE, answers, attribute, attributes

ADDRESSES = 22  # RTM_GETADDR
NEW, DELETE, NEIGHBOURS = 28, 29, 30  # RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH
WHERE, LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL; NDA_DST is 1 as well
PROXY = 0x08  # NTF_PROXY
PERMANENT = 0x80  # NUD_PERMANENT
ADDRESS = struct.Struct("=BBBBI")
NEIGHBOUR = struct.Struct("=BxxxiHBB")


def own() -> set[str]:
    """All addresses of both families that links of this network have."""
    found = set()
    with _kernel() as kernel:
        for body in answers(kernel, ADDRESSES, DUMP, ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
            row = attributes(body[ADDRESS.size :])
            if (data := row.get(LOCAL) or row.get(WHERE)) is not None and body[0] in (socket.AF_INET, socket.AF_INET6):
                found.add(socket.inet_ntop(body[0], data))
    return found


def proxied(link: str) -> set[str]:
    """IPv6 addresses that are answered for on a link. OSError when there is no such link."""
    index, found = socket.if_nametoindex(link), set()
    with _kernel() as kernel:
        for body in answers(kernel, NEIGHBOURS, DUMP, NEIGHBOUR.pack(socket.AF_INET6, 0, 0, PROXY, 0)):
            family, where, _state, flags, _type = NEIGHBOUR.unpack_from(body)
            data = attributes(body[NEIGHBOUR.size :]).get(WHERE)
            if (family, where) == (socket.AF_INET6, index) and flags & PROXY and data:
                found.add(socket.inet_ntop(family, data))
    return found


def proxy(link: str, more: Collection[str], less: Collection[str]) -> None:
    """Answer for these IPv6 addresses on a link too, and no longer for those. OSError when the kernel refuses."""
    index = socket.if_nametoindex(link)
    about = NEIGHBOUR.pack(socket.AF_INET6, index, PERMANENT, PROXY, 0)
    with _kernel() as kernel:
        for kind, flags, some in ((NEW, CREATE | REPLACE, more), (DELETE, 0, less)):
            for address in sorted(some):
                body = about + attribute(WHERE, socket.inet_pton(socket.AF_INET6, address))
                for _ in answers(kernel, kind, ACK | flags, body):
                    pass


def _kernel() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
