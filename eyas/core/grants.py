"""What a container can be given beyond the default: each grant, what it opens, and why nothing narrower works.

The one table that the definitions, the plan and the manual read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """``purpose`` is what it is for, ``gives`` what it opens, ``reason`` why it takes that; in words."""

    purpose: str
    gives: str
    reason: str


GRANTS = {
    "docker": Grant(
        "a Docker daemon",
        "the system calls `add_key` and `keyctl`, a sysfs that shows no network at /run/eyas-sysfs",
        "runc makes a session keyring for each container, and the kernel mounts sysfs in a user namespace only for who "
        "sees a whole one; Podman does without",
    ),
    "nspawn": Grant(
        "nested machines",
        "a mount of its own at /run/systemd/nspawn, its own packages to read at /run/eyas-packages, a sysfs that "
        "shows no network at /run/eyas-sysfs; no device, no capability",
        "the kernel locks the one that is inherited, roots are made of the packages, and sysfs is mounted in a user "
        "namespace only for who sees a whole one",
    ),
    "tun": Grant("tunnels", "the device /dev/net/tun", "tunnels are made by opening it"),
    "loop": Grant(
        "image files as disks",
        "/dev/loop-control and /dev/loop0 to 7, **and no user namespace**",
        "the kernel mounts disk formats only outside of user namespaces",
    ),
}


def reasons(names: Iterable[str]) -> str:
    """Grants with what each opens and why, for a plan: ``docker (the system calls ...: runc makes ...)``."""
    found = []
    for name in names:
        grant = GRANTS.get(name)
        found.append(f"{name} ({grant.gives}: {grant.reason})" if grant else name)  # one of another version
    return ", ".join(found).replace("`", "").replace("**", "")
