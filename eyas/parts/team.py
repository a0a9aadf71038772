"""People: the users of a team with their SSH keys, and the SSH server that lets them in."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from eyas.model import File, System, User
from eyas.model.origin import user_frame

SSHD = """\
# Written by eyas. Keys only; the host key outlives the discarded root.
HostKey /etc/ssh/eyas/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u .ssh/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


def members(keys: str, uids: Mapping[str, int], *, groups: Iterable[str] = ()) -> list[User]:
    """One user for each of ``uids``, with the public keys in ``KEYS/NAME.pub`` (one a line, relative to the file of
    the caller). Ids are given, never counted: they own files in shared directories. Raises OSError for a missing file.
    """
    frame = user_frame(sys._getframe(1))
    folder = (Path(frame.f_code.co_filename).parent if frame is not None else Path()) / keys
    groups = tuple(groups)
    users = []
    for name, uid in uids.items():
        lines = (folder / f"{name}.pub").read_text().splitlines()
        found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        users.append(User(name, uid, groups=groups, keys=found))
    return users


def team(users: Iterable[User], *, sudo: bool = True) -> System:
    """These users in a container; with ``sudo`` each may become root without a password (there are none)."""
    users = tuple(users)
    if not sudo:
        return System(users=users)
    rules = "".join(f"{user.name} ALL=(ALL:ALL) NOPASSWD: ALL\n" for user in users)
    return System(packages=["sudo"], users=users, files={"/etc/sudoers.d/eyas-team": File(rules, mode=0o440)})


def ssh(*, settings: str = "") -> System:
    """An SSH server with a host key that stays the same although the root is discarded, and no passwords.
    ``settings``: further lines of sshd_config(5)."""
    return System(
        packages=["openssh-server"],
        files={"/etc/ssh/sshd_config.d/10-eyas.conf": File(SSHD + settings, reload=("ssh.service",))},
        mask=["sshd-keygen.service"],
    )
