"""Kernel settings that a host with many containers needs, from their number. Pure.

Each is a least value: what the kernel has already, or somebody has set higher, stays. Sources:
Documentation/networking/nf_conntrack-sysctl, ip-sysctl (``neigh/default/gc_thresh*``), inotify(7), keyrings(7),
Documentation/admin-guide/sysctl/kernel (``pid_max``) and fs (``aio-max-nr``).
"""

from __future__ import annotations

from eyas.model.machines import Host

CONNECTIONS = 16384  # that the kernel keeps track of, for each container
NEIGHBOURS = 8  # entries for each container and family: its addresses, on the wire and of the link, some that are old
INSTANCES = 256  # inotify, of all containers together: they count for root of the host
WATCHES = 32768
KEYS = 200


def needed(host: Host) -> dict[str, int]:
    """Setting to the least value that the containers of a host need."""
    count = sum(2 if container.stateless else 1 for container in host.containers)
    found = {
        "net.netfilter.nf_conntrack_max": max(262144, CONNECTIONS * count),
        "fs.inotify.max_user_instances": max(8192, INSTANCES * count),
        "fs.inotify.max_user_watches": max(524288, WATCHES * count),
        "fs.aio-max-nr": max(262144, 16384 * count),
        "kernel.keys.maxkeys": max(2000, KEYS * count),
        "kernel.keys.maxbytes": max(200000, 100 * KEYS * count),
        "kernel.pid_max": 4194304,
    }
    # Below the first the kernel never forgets a neighbour, above the last it takes no new one.
    least = max(1024, NEIGHBOURS * count)
    for family in ("ipv4", "ipv6"):
        for number in (1, 2, 3):
            found[f"net.{family}.neigh.default.gc_thresh{number}"] = least << (number - 1)
    return found
