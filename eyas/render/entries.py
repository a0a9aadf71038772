"""Entries of a configuration layer: what a container has on top of its packages.

An entry is a JSON object: path (absolute, inside the container), type (file, link, dir), mode, uid, gid, and
content (text), b64 (bytes) or target (of a link). ``reload`` and ``restart`` name the units inside the container
that must notice when the entry changes. A layer is a list of entries in order of their paths; its digest names it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence

from eyas.core.words import Json, digest

Entry = dict[str, Json]


def text(
    path: str,
    content: str | bytes,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    reload: Sequence[str] = (),
    restart: Sequence[str] = (),
) -> Entry:
    """A regular file."""
    entry: Entry = {"path": path, "type": "file", "mode": mode, "uid": uid, "gid": gid}
    if isinstance(content, bytes):
        try:
            entry["content"] = content.decode()
        except UnicodeDecodeError:
            entry["b64"] = base64.b64encode(content).decode()
    else:
        entry["content"] = content
    return hooks(entry, reload, restart)


def link(path: str, target: str, reload: Sequence[str] = (), restart: Sequence[str] = ()) -> Entry:
    """A symbolic link."""
    entry: Entry = {"path": path, "type": "link", "mode": 0o777, "uid": 0, "gid": 0, "target": target}
    return hooks(entry, reload, restart)


def hooks(entry: Entry, reload: Sequence[str], restart: Sequence[str]) -> Entry:
    if reload:
        entry["reload"] = list(reload)
    if restart:
        entry["restart"] = list(restart)
    return entry


def merge(ours: Iterable[Entry], theirs: Iterable[Entry]) -> list[Entry]:
    """All entries, one per path, ordered by path. What a user declared (``theirs``) wins over what eyas adds."""
    by_path = {str(entry["path"]): entry for entry in ours}
    by_path.update((str(entry["path"]), entry) for entry in theirs)
    return [by_path[path] for path in sorted(by_path)]


def layer_digest(entries: Sequence[Entry]) -> str:
    """The name of a layer: SHA-256 over its entries without their hooks (a hook changes no byte of the root)."""
    bare: list[Json] = [{k: v for k, v in e.items() if k not in ("reload", "restart")} for e in entries]
    return digest({"entries": bare})


def manifest(entries: Sequence[Entry]) -> dict[str, Json]:
    """Path to what matters when layers are compared: a digest of the entry, and its hooks."""
    files: dict[str, Json] = {}
    for entry in entries:
        body = {k: v for k, v in entry.items() if k not in ("path", "reload", "restart")}
        files[str(entry["path"])] = {
            "digest": digest(body)[:16],
            "type": entry["type"],
            "mode": entry["mode"],
            "uid": entry["uid"],
            "gid": entry["gid"],
            "reload": entry.get("reload", []),
            "restart": entry.get("restart", []),
        }
    return files


def install_links(unit: str, content: str) -> list[tuple[str, str]]:
    """The symbolic links that enabling a unit makes, from its [Install] section (systemd.unit(5)).

    Returns (path, target) pairs for WantedBy=, RequiredBy= and Alias=; a template without DefaultInstance= gives none.
    """
    section, links = "", []
    base = "/etc/systemd/system"
    for raw in content.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        elif section == "[Install]" and "=" in line and not line.startswith(("#", ";")):
            key, value = (part.strip() for part in line.split("=", 1))
            for name in value.split():
                if key in ("WantedBy", "RequiredBy"):
                    suffix = "wants" if key == "WantedBy" else "requires"
                    links.append((f"{base}/{name}.{suffix}/{unit}", f"{base}/{unit}"))
                elif key == "Alias":
                    links.append((f"{base}/{name}", f"{base}/{unit}"))
    return links


def by_text(value: Mapping[str, Json], key: str) -> str:
    """A field that must be text."""
    found = value[key]
    assert isinstance(found, str)
    return found
