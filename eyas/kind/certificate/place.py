"""Where certificates stand on a host, and how one pair takes another's place.

    /var/lib/eyas/certificates/NAME/certificate.json    what it is to be: the fields of its resource
                                   /made.ID/...         pairs: key.pem, fullchain.pem, about.json
                                   /current             link to the one in use; to self.ID while there is none
                                   /unseen              there are users that have not read the current one
                                   /state.json          what the last try to renew it led to
    /var/lib/eyas/certificates/.spare/NAME/made.ID      pairs that nobody uses and that are still good
    /var/lib/eyas/shown/CONTAINER/NAME/...              the same files by hard links: bound into the container
                                  /challenges/          what its port 80 answers to authorities

Everything is for root alone; containers see it read-only, with owner root, through their range of user ids.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Fields, Json
from eyas.kind.common import table

CURRENT = "current"
MADE, SELF = "made.", "self."
PAIR = ("key.pem", "fullchain.pem", "about.json")
SPARE = f"{paths.CERTIFICATES}/.spare"


def names(system: System) -> list[str]:
    """Certificates that eyas holds on this host."""
    return [name for name in system.files.list(paths.CERTIFICATES) if not name.startswith(".")]


def settings(system: System, name: str) -> dict[str, Json] | None:
    """What a certificate is to be; None when it is not ours, or half made."""
    data = system.files.read(f"{paths.certificate(name)}/certificate.json")
    try:
        found = json.loads(data) if data is not None else None
    except ValueError:
        return None
    return table(found.get("fields")) if isinstance(found, dict) else None


def write_settings(system: System, name: str, fields: Fields) -> None:
    body = json.dumps({"version": 1, "fields": dict(fields)}, sort_keys=True)
    path = f"{paths.certificate(name)}/certificate.json"
    if system.files.read(path) != body.encode():
        system.files.write(path, body.encode(), 0o600)


def make_folder(system: System, name: str) -> None:
    system.files.mkdir(paths.STATE, 0o700)
    system.files.mkdir(paths.CERTIFICATES, 0o700)
    system.files.mkdir(paths.certificate(name), 0o700)


def fresh(kind: str = MADE) -> str:
    """The name of a pair that is to be made."""
    return kind + os.urandom(6).hex()


def current(system: System, name: str) -> str:
    """The pair in use; '' when there is none."""
    return system.files.readlink(f"{paths.certificate(name)}/{CURRENT}") or ""


def about(system: System, name: str, pair: str = "") -> dict[str, Json]:
    """What is known of a pair, of the current one by default; {} when there is none."""
    pair = pair or current(system, name)
    return read_json(system, f"{paths.certificate(name)}/{pair}/about.json") if pair else {}


def read_json(system: System, path: str) -> dict[str, Json]:
    data = system.files.read(path)
    try:
        return table(json.loads(data)) if data is not None else {}
    except ValueError:
        return {}


def good(about_: Mapping[str, Json], fields: Fields) -> bool:
    """Whether a pair is what these fields ask for, as far as it does not concern time."""
    have, want = words(about_.get("names")), words(fields.get("names"))
    return bool(have) and set(want) <= set(have) and about_.get("directory") == fields.get("directory")


def due(about_: Mapping[str, Json], name: str, now: float) -> bool:
    return now >= renewal(about_, name)


def renewal(about_: Mapping[str, Json], name: str) -> float:
    """When a pair is to be renewed, in seconds since the epoch: when a third of its life is left, some earlier than
    others, so that not all ask at once."""
    from eyas.core.words import digest

    begin, end = number(about_.get("not_before")), number(about_.get("not_after"))
    life = max(0.0, end - begin)
    share = int(digest(name)[:8], 16) / 0xFFFFFFFF
    return end - life / 3 - share * life / 24


def use(system: System, name: str, pair: str) -> None:
    """Let a pair be the current one, for all who see the folder."""
    system.files.symlink(pair, f"{paths.certificate(name)}/{CURRENT}")


def users(fields: Fields) -> dict[str, list[str]]:
    """Containers that use a certificate, with the units that read it there."""
    rows = fields.get("users")
    found: dict[str, list[str]] = {}
    for row in rows if isinstance(rows, list) else []:
        found[str(table(row).get("container"))] = words(table(row).get("reload"))
    return found


def show(system: System, name: str, containers: Sequence[str]) -> None:
    """Let containers see the current pair: the same files, by hard links, and then the link."""
    pair = current(system, name)
    for container in containers:
        folder = f"{paths.shown(container)}/{name}"
        if system.files.readlink(f"{folder}/{CURRENT}") == pair:
            continue
        make_shown(system, container)
        system.files.mkdir(folder, 0o700)
        there = f"{folder}/{pair}"
        system.files.mkdir(there, 0o700)
        for file in PAIR:
            system.files.link(f"{paths.certificate(name)}/{pair}/{file}", f"{there}/{file}")
        system.files.symlink(pair, f"{folder}/{CURRENT}")


def tidy_shown(system: System, name: str, containers: Sequence[str]) -> None:
    """Take away what containers see of pairs that are not in use any more."""
    for container in containers:
        folder = f"{paths.shown(container)}/{name}"
        now = system.files.readlink(f"{folder}/{CURRENT}")
        for pair in system.files.list(folder):
            if pair.startswith((MADE, SELF)) and pair != now:
                system.files.remove_tree(f"{folder}/{pair}")


def unshow(system: System, name: str, containers: Sequence[str]) -> None:
    for container in containers:
        system.files.remove_tree(f"{paths.shown(container)}/{name}")


def make_shown(system: System, container: str) -> None:
    """The folder that is bound into a container. Who is in it may pass through, to the answers to challenges."""
    system.files.mkdir(paths.SHOWN, 0o700)
    system.files.mkdir(paths.shown(container), 0o755)
    system.files.mkdir(challenges(container), 0o755)


def challenges(container: str) -> str:
    return f"{paths.shown(container)}/{paths.CHALLENGES}"


def set_aside(system: System, name: str, pair: str) -> None:
    """A pair that is not used, for the next who wants its names: authorities count what they issue."""
    folder = f"{paths.certificate(name)}/{pair}"
    if not pair.startswith(MADE) or not read_json(system, f"{folder}/about.json"):
        system.files.remove_tree(folder)
        return
    system.files.mkdir(SPARE, 0o700)
    system.files.mkdir(f"{SPARE}/{name}", 0o700)
    system.files.rename(folder, f"{SPARE}/{name}/{pair}")


def take_spare(system: System, name: str, fields: Fields, now: float) -> str:
    """Take a pair that was set aside and is still good for long; its name, '' when there is none. What is not goes."""
    found = ""
    for pair in system.files.list(f"{SPARE}/{name}"):
        folder = f"{SPARE}/{name}/{pair}"
        known = read_json(system, f"{folder}/about.json")
        if not found and good(known, fields) and not due(known, name, now):
            system.files.rename(folder, f"{paths.certificate(name)}/{pair}")
            found = pair
        elif not known or due(known, name, now):
            system.files.remove_tree(folder)
    return found


def words(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
