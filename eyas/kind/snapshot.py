"""One path as it was, kept in a step's folder, so that undo can put it back. Contents never go into the journal."""

from __future__ import annotations

from eyas.core.system import System
from eyas.core.words import Json, digest
from eyas.kind.common import PARTIAL


def slot(folder: str, path: str) -> str:
    """Where a path is kept: a name of its own in the step's folder, readable for a person who looks for it."""
    return f"{folder}/{digest(path)[:8]}-{path.rsplit('/', 1)[-1][:100] or 'root'}"


def take(system: System, path: str, folder: str) -> Json:
    """Look at a file or link, and copy a file's content into the folder."""
    stat = system.files.stat(path)
    if stat is None:
        return {"path": path, "type": "absent"}
    seen: dict[str, Json] = {"path": path, "type": stat.type, "mode": stat.mode, "uid": stat.uid, "gid": stat.gid}
    if stat.type == "link":
        seen["target"] = system.files.readlink(path)
    elif stat.type == "file":
        kept = slot(folder, path)
        system.files.write(kept, system.files.read(path) or b"", 0o600)
        seen["kept"] = kept
    return seen


def put_back(system: System, seen: Json) -> None:
    """Make a path what `take` saw. May be repeated: the copy stays where it is."""
    assert isinstance(seen, dict)
    path = str(seen["path"])
    match seen["type"]:
        case "absent":
            system.files.remove(path)
        case "link":
            if system.files.readlink(path) != seen["target"]:
                system.files.symlink(str(seen["target"]), path)
        case "file":
            data = system.files.read(str(seen["kept"]))
            assert data is not None, f"{seen['kept']} is gone"
            mode, uid, gid = _int(seen["mode"]), _int(seen["uid"]), _int(seen["gid"])
            now = system.files.stat(path)
            same = now is not None and (now.type, now.mode, now.uid, now.gid) == ("file", mode, uid, gid)
            # Not written when it is the same: systemd would ask for a daemon-reload for the time of a unit file alone.
            if not same or system.files.read(path) != data:
                system.files.write(path, data, mode, uid, gid)
            else:
                system.files.remove(path + PARTIAL)  # of a write that was cut off
        case _:
            return  # a directory: steps of files never replace one


def put_away(system: System, path: str, folder: str) -> None:
    """Remove a path by moving it into the folder. Nothing happens when it is not there (any more)."""
    if system.files.stat(path) is None:
        return
    kept = slot(folder, path) + ".away"
    if system.files.stat(kept) is not None:
        system.files.rename(kept, _free(system, kept))  # an earlier try; what somebody put there since goes too
    system.files.rename(path, kept)


def take_back(system: System, path: str, folder: str) -> None:
    """The opposite of `put_away`; nothing happens when nothing was put away, or it is back already."""
    kept = slot(folder, path) + ".away"
    if system.files.stat(kept) is not None and system.files.stat(path) is None:
        system.files.rename(kept, path)


def _free(system: System, path: str) -> str:
    number = 1
    while system.files.stat(f"{path}.{number}") is not None:
        number += 1
    return f"{path}.{number}"


def _int(value: Json) -> int:
    assert isinstance(value, int)
    return value
