"""Users and groups of a container: the packages' own accounts, and the declared ones on top.

Sources: passwd(5), group(5), shadow(5), gshadow(5). Declared users have fixed ids, the same everywhere, so that
shared directories mean the same people in each container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eyas.core.errors import DefinitionError
from eyas.model import Bind, File, User
from eyas.render.entries import Entry, text
from eyas.render.refs import at


def _lines(source: str) -> dict[str, list[str]]:
    return {line.split(":", 1)[0]: line.split(":") for line in source.splitlines() if ":" in line}


def _text(table: Mapping[str, list[str]]) -> str:
    return "".join(":".join(fields) + "\n" for fields in table.values())


def account_entries(facts: Mapping[str, str], users: Sequence[User]) -> list[Entry]:
    """The four account files and one file of SSH keys per user; nothing when no user is declared.

    A group named by a user that the packages do not have is made, with an id of 60000 and up in order of its name,
    so that two renderings agree.
    """
    if not users:
        return []
    passwd, group = _lines(facts.get("passwd", "")), _lines(facts.get("group", ""))
    shadow, gshadow = _lines(facts.get("shadow", "")), _lines(facts.get("gshadow", ""))
    wanted = sorted({g for user in users for g in user.groups if g not in group})
    for number, name in enumerate(wanted):
        group[name] = [name, "x", str(60000 + number), ""]
        gshadow[name] = [name, "!", "", ""]
    for user in users:
        passwd[user.name] = [user.name, "x", str(user.uid), str(user.uid), user.gecos, user.directory, user.shell]
        group.setdefault(user.name, [user.name, "x", str(user.uid), ""])
        # "*": no password ever matches, and SSH keys still do ("!" would lock the account for sshd)
        shadow[user.name] = [user.name, "*", "1", "0", "99999", "7", "", "", ""]
        gshadow.setdefault(user.name, [user.name, "!", "", ""])
        for name in user.groups:
            for table in (group, gshadow):
                if name in table:
                    members = [m for m in table[name][3].split(",") if m]
                    table[name] = [*table[name][:3], ",".join(sorted({*members, user.name}))]
    shadow_gid = int(group["shadow"][2]) if "shadow" in group else 0
    entries = [
        text("/etc/passwd", _text(passwd)),
        text("/etc/group", _text(group)),
        text("/etc/shadow", _text(shadow), 0o640, 0, shadow_gid),
        text("/etc/gshadow", _text(gshadow), 0o640, 0, shadow_gid),
    ]
    for user in users:
        if user.keys:
            body = "".join(key.strip() + "\n" for key in user.keys)
            entries.append(text(f"/etc/ssh/authorized_keys.d/{user.name}", body))
    return entries


def user_id(facts: Mapping[str, str], users: Sequence[User], who: str | int) -> int | None:
    """The numeric id of a user of the container, None when nobody has that name."""
    if isinstance(who, int):
        return who
    for user in users:
        if user.name == who:
            return user.uid
    fields = _lines(facts.get("passwd", "")).get(who)
    return int(fields[2]) if fields else None


def group_id(facts: Mapping[str, str], users: Sequence[User], who: str | int) -> int | None:
    """The numeric id of a group of the container, None when there is no such group."""
    if isinstance(who, int):
        return who
    for user in users:
        if user.name == who:
            return user.uid
    fields = _lines(facts.get("group", "")).get(who)
    return int(fields[2]) if fields else None


def owners(facts: Mapping[str, str], users: Sequence[User], thing: File | Bind) -> tuple[int, int]:
    """The numeric owner and group of a file or bind; DefinitionError when the container has nobody of that name."""
    owner, group = user_id(facts, users, thing.owner), group_id(facts, users, thing.group)
    if owner is not None and group is not None:
        return owner, group
    missing, who = ("owner", thing.owner) if owner is None else ("group", thing.group)
    message = f"no {missing} {who!r} among the container's packages and users"
    hint = "name one that a package or the definition brings, or give the number"
    raise DefinitionError([at(thing.origin, missing, message, hint)])
