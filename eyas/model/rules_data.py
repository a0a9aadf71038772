"""Rules about data, files and users of the containers of one host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import TypeAlias

from eyas.core.errors import Diagnostic
from eyas.model.files import User
from eyas.model.machines import Container, Host
from eyas.model.merge import merge
from eyas.model.pieces import Bind
from eyas.model.rules_limits import LIMIT_RULES

Findings: TypeAlias = Iterator[Diagnostic]

VOLATILE = ("/dev", "/proc", "/run", "/sys", "/tmp")  # noqa: S108  (names of mount points, nothing is written)
"""Mounted anew at every start of a container: what a layer holds there is never seen."""
OURS = ("/var/lib/eyas", "/run/eyas", "/etc/eyas")
SECRETS = ("/etc/machine-id", "/etc/hostname", "/etc/hosts")
"""Files of a container that eyas writes itself."""


def below(path: str, parent: str) -> bool:
    """Whether a path is another one or lies in it."""
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def _parts(host: Host) -> Findings:
    """Parts of one container that disagree."""
    for container in host.containers:
        yield from merge(container)[1]


def _archives(host: Host) -> Findings:
    """Packages for an image that takes none."""
    for container in host.containers:
        system = merge(container)[0]
        names = [*system.packages, *system.npm, *system.pip] if container.image.kind == "tarball" else []
        if names:
            message = (
                f"cannot install {names[0]} in container {container.name}: "
                f"image {container.image.name} ({container.image.origin}) is an archive, and takes no packages"
            )
            yield container.diagnostic("image", message, "put them into the archive, or use Image.debian")


def _mounts(host: Host) -> Findings:
    for container in host.containers:
        seen: dict[str, Bind] = {}
        for bind in merge(container)[0].binds:
            what = f"cannot bind {bind.source} to {bind.target} in container {container.name}"
            first = seen.setdefault(bind.target, bind)
            if first is not bind:
                hint = "a mount point is given once in a container"
                yield bind.diagnostic("target", f"{what}: {first.source} ({first.origin}) is bound there", hint)
            if bind.target == "/" or any(below(bind.target, place) for place in ("/proc", "/sys", "/dev")):
                yield bind.diagnostic("target", f"{what}: that is the container's own", "bind a directory of its own")
            if bind.source == "/" or any(below(bind.source, place) for place in OURS):
                yield bind.diagnostic("source", f"{what}: eyas keeps its own things there", "choose another directory")


def _carried(host: Host) -> Findings:
    """Binds that are to begin with what there is, where that cannot be."""
    for container in host.containers:
        for bind in (bind for bind in merge(container)[0].binds if bind.carry):
            what = f"cannot carry {bind.target} of container {container.name} to {bind.source}"
            if container.stateless:
                hint = "a new generation starts beside the old one, which stops only when nobody needs it"
                yield bind.diagnostic("carry", f"{what}: it is stateless, and never restarts", hint)
            elif not bind.persistent:
                yield bind.diagnostic("carry", f"{what}: it would not be its data", "write persistent=True")


def _persistent(host: Host) -> Findings:
    """Data that belongs to two containers: fine when said aloud, a disaster when not."""
    binds = [(c, b) for c in host.containers for b in merge(c)[0].binds if b.persistent]
    for (one, a), (other, b) in combinations(binds, 2):
        if one is other or a.shared or b.shared:
            continue
        if not below(a.source, b.source) and not below(b.source, a.source):
            continue
        if below(a.source, b.source) and a.source != b.source:
            (one, a), (other, b) = (other, b), (one, a)
        how = "it is also" if a.source == b.source else f"it lies inside {a.source},"
        message = (
            f"cannot keep data of container {other.name} in {b.source}: {how} "
            f"a persistent path of container {one.name} ({a.origin})"
        )
        yield b.diagnostic("source", message, "choose another directory, or say Bind(..., shared=True) if it is meant")


def _files(host: Host) -> Findings:
    """Files that nobody would ever see."""
    for container in host.containers:
        system = merge(container)[0]
        for path, file in system.files.items():
            what = f"cannot put the file {path} into container {container.name}"
            hidden = next((place for place in VOLATILE if below(path, place)), "")
            bind = next((bind for bind in system.binds if below(path, bind.target)), None)
            if hidden:
                hint = "let systemd-tmpfiles make it: System(tmpfiles=[...])"
                yield file.diagnostic("content", f"{what}: {hidden} is mounted anew at every start", hint)
            elif path in SECRETS:
                yield file.diagnostic("content", f"{what}: eyas writes it, from the definitions", "leave it out")
            elif bind is not None:
                message = f"{what}: {bind.source} of the host is mounted over it ({bind.origin})"
                yield file.diagnostic("content", message, f"put it into {bind.source} by other means")


def _units(host: Host) -> Findings:
    for container in host.containers:
        system = merge(container)[0]
        for name in system.mask:
            if name in system.enable or name in system.units:
                how = "enabled" if name in system.enable else "declared"
                message = f"cannot mask {name} in container {container.name}: it is {how} as well"
                yield container.diagnostic("parts", message, "leave one out")


def _users(host: Host) -> Findings:
    yield from _ids(host.users, f"host {host.name}")
    for container in host.containers:
        yield from _ids(merge(container)[0].users, f"container {container.name}")


def _ids(users: Iterable[User], where: str) -> Findings:
    ids: dict[int, User] = {}
    names: dict[str, User] = {}
    for user in users:
        first = names.setdefault(user.name, user)
        if first is not user:
            message = f"cannot have two users named {user.name} in {where}: the first is at {first.origin}"
            yield user.diagnostic("name", message)
            continue
        same = ids.setdefault(user.uid, user)
        if same is not user:
            message = f"cannot give user id {user.uid} to {user.name} in {where}: {same.name} ({same.origin}) has it"
            yield user.diagnostic("uid", message, "a user id is one person's")
        elif user.uid == 0 and user.name != "root":
            yield user.diagnostic("uid", f"cannot give user id 0 to {user.name} in {where}: it is root's")


def _shared_users(host: Host) -> Findings:
    """One name with two ids in containers that share a directory: the files of one belong to the other."""
    first: dict[tuple[str, str], tuple[User, Container]] = {}
    for container in host.containers:
        system = merge(container)[0]
        for source in dict.fromkeys(bind.source for bind in system.binds):
            for user in system.users:
                other, where = first.setdefault((source, user.name), (user, container))
                if other.uid != user.uid:
                    message = (
                        f"user {user.name} has id {user.uid} in container {container.name} and {other.uid} "
                        f"({other.origin}) in {where.name}, and both share {source}"
                    )
                    yield user.diagnostic("uid", message, "give the user one id everywhere", "warning")


DAEMONS = {"docker.io": "docker.service", "docker-ce": "docker.service"}
"""Packages whose service needs the grant ``docker``: the client alone (docker-cli) does not."""


def _grants(host: Host) -> Findings:
    """A Docker daemon that could run nothing: found out at the first container that it starts, minutes later."""
    for container in host.containers:
        system = merge(container)[0]
        for package in DAEMONS.keys() & set(system.packages):
            if "docker" not in system.grants and DAEMONS[package] not in system.mask:
                message = f"container {container.name} has {package} and not the grant docker: it can run no container"
                hint = 'write grants=["docker"], or use the part docker()'
                yield container.diagnostic("grants", message, hint, "warning")


STACK = re.compile(r"/etc/eyas/compose/([^/]+)/stack\.json")


def _stacks(host: Host) -> Findings:
    """A Compose stack that nothing runs: found out at its first start, when it has waited for a daemon in vain."""
    for container in host.containers:
        system = merge(container)[0]
        stacks = [
            path.split("/")[4] for path in system.files if re.fullmatch(r"/etc/eyas/compose/[^/]+/stack.json", path)
        ]
        if stacks and not DAEMONS.keys() & {*system.packages}:
            message = f"cannot run the stack {stacks[0]} in container {container.name}: there is no Docker in it"
            yield container.diagnostic("parts", message, "put docker(...) beside compose(...)")


def _sysctls(host: Host) -> Findings:
    for key in host.sysctls:
        if not re.fullmatch(r"[a-z0-9_]+([./][A-Za-z0-9_*-]+)+", key):
            message = f"cannot set {key!r}: a kernel setting is named like net.ipv4.ip_forward"
            yield host.diagnostic("sysctls", message, "sysctl -a lists them")


DATA_RULES: tuple[Callable[[Host], Findings], ...] = (
    _parts, _archives, _mounts, _carried, _persistent, _files, _units, _users, _shared_users, *LIMIT_RULES, _grants,
    _stacks,    _sysctls,
)  # fmt: skip
