"""A link of our own, by which packets come into the host: a tun device (Linux, Documentation/networking/tuntap)."""

from __future__ import annotations

import os
import socket
import struct

from eyas.host.proc import read

DEVICE = "/dev/net/tun"
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI, IFF_UP = 0x0001, 0x1000, 0x1
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
PROC = "/proc/sys/net"


class Tun:
    """Up from the beginning, gone when it is closed or its process ends. Raises OSError when it cannot be."""

    def __init__(self, name: str) -> None:
        import fcntl

        self._file = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.ioctl(self._file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
            for key, value in settings(read(f"{PROC}/ipv4/conf/all/rp_filter")):
                _write(f"{PROC}/{key}".format(name), value)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                request = struct.pack("16sH22x", name.encode(), 0)
                flags = struct.unpack("16sH22x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
                fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), flags | IFF_UP))
        except OSError:
            os.close(self._file)
            raise

    def write(self, packet: bytes) -> None:
        """Let a packet come in."""
        os.write(self._file, packet)

    def close(self) -> None:
        os.close(self._file)


def settings(strict: str) -> tuple[tuple[str, str], ...]:
    """What the link needs: packets of anybody come by it, also of this host. ``strict`` is the rp_filter of all links;
    the higher of the two holds, and 2 is the less strict one (ip-sysctl)."""
    return (
        ("ipv4/conf/{}/rp_filter", "2" if strict == "1" else "0"),
        ("ipv4/conf/{}/accept_local", "1"),
        ("ipv4/conf/{}/forwarding", "1"),
        ("ipv6/conf/{}/disable_ipv6", "0"),
        ("ipv6/conf/{}/addr_gen_mode", "1"),  # no address: it has nobody to talk to
        ("ipv6/conf/{}/forwarding", "1"),
    )


def _write(path: str, value: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(value)
    except OSError:  # a host without IPv6; or a setting that it will do without
        pass
