"""Binds of a container: what a difference costs, and how a running container gets it.

Most come and go while it runs. These cost a restart, each for its reason:

- one above or below another bind: which of the two is mounted first decides what is seen;
- one in a place that systemd-nspawn or eyas itself keeps (`PLACES`), but for what eyas adds there by itself (`OURS`);
- one that a grant of the container is made of (`GRANTED`): what uses it does so all the time;
- a persistent one with another source: its services would go on with open files of the old data beside new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import System
from eyas.core.words import FieldChange, Fields, Impact, Json
from eyas.kind.common import integer
from eyas.kind.container.text import id_base, tables, words

Bind = Mapping[str, Json]

PLACES = ("/dev", "/etc/ssh/eyas", "/proc", "/run", "/sys", "/var/log/journal")
OURS = (paths.EGRESS_SEEN,)
GRANTED = {"docker": ("/var/lib/containerd", "/var/lib/docker")}
SHOWN = ("source", "target", "readonly")
"""What of a bind can be seen in a container; owner, group and mode count when its directory is made."""


def compare(want: Fields, have: Fields) -> list[FieldChange]:
    """The differences between the binds of two specs."""
    before, after = _by_target(have), _by_target(want)
    grants = sorted({*words(want.get("grants")), *words(have.get("grants"))})
    found = []
    for target in sorted({*before, *after}):
        was, now = before.get(target), after.get(target)
        if was == now:
            continue
        note = f"bind {target} {'added' if was is None else 'removed' if now is None else 'changed'}"
        if _shown(was) == _shown(now):
            own = was is not None and now is not None and bool(now.get("size")) and not was.get("size")
            impact, note = (Impact.restart, f"{note} (it gets a disk of its own)") if own else (Impact.none, note)
            found.append(FieldChange(f"binds.{target}", _json(was), _json(now), impact, note))
            continue
        why = _needs_restart(target, was, now, {*before, *after}, grants)
        impact = Impact.restart if why else Impact.live
        found.append(FieldChange(f"binds.{target}", _json(was), _json(now), impact, f"{note} ({why})" if why else note))
    return found


def _by_target(spec: Fields) -> dict[str, Bind]:
    return {str(bind.get("target") or bind["source"]): bind for bind in tables(spec.get("binds"))}


def _shown(bind: Bind | None) -> Sequence[Json] | None:
    return None if bind is None else [bind.get(key) or None for key in SHOWN]


def _json(bind: Bind | None) -> Json:
    return None if bind is None else dict(bind)


def _needs_restart(target: str, was: Bind | None, now: Bind | None, targets: Iterable[str], grants: list[str]) -> str:
    """Why a bind cannot change in a running container, '' when it can."""
    if now is not None and now.get("carry") and (was is None or was["source"] != now["source"]):
        return "what is there now is carried over"
    other = next((other for other in sorted(targets) if other != target and _touch(other, target)), "")
    if other:
        return f"{other} is bound {'below' if other.startswith(target) else 'above'} it"
    place = next((place for place in PLACES if _touch(place, target)), "") if target not in OURS else ""
    if place:
        return f"{place} is mounted at the start"
    grant = next((grant for grant in grants for place in GRANTED.get(grant, ()) if _touch(place, target)), "")
    if grant:
        return f"the grant {grant} uses it"
    if was is not None and now is not None and was["source"] != now["source"] and _data(was, now):
        return "other data for services that have the old data open"
    return ""


def _data(*binds: Bind) -> bool:
    return any(bind.get("persistent") for bind in binds)


def _touch(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)


def missing(system: System, old: Fields, new: Fields) -> list[str]:
    """Sources that `move` will have to make."""
    before = _by_target(old)
    added = [bind for target, bind in _by_target(new).items() if _shown(before.get(target)) != _shown(bind)]
    return sorted({str(bind["source"]) for bind in added if system.files.stat(str(bind["source"])) is None})


def move(system: System, name: str, old: Fields, new: Fields) -> None:
    """Let a running container have the binds of one spec instead of another. What is so already stays so."""
    before, after, base = _by_target(old), _by_target(new), id_base(new)
    for target, bind in before.items():
        if target in OURS and target not in after:
            # What stands there since the start is locked, on a file system of the container's own: it goes when the
            # container stops, and is a folder with nobody behind it until then.
            with suppress(Failed):
                system.containers.unbind(name, base, str(bind["source"]), target)
        elif target not in after:
            system.containers.unbind(name, base, str(bind["source"]), target)
    for target, bind in after.items():
        was = before.get(target)
        if _shown(was) == _shown(bind):
            continue
        source = str(bind["source"])
        if system.files.stat(source) is None:
            _make(system, name, bind, source)
        instead = str(was["source"]) if was is not None else ""
        if was is not None and bind.get("readonly") and not was.get("readonly"):
            system.containers.unbind(name, base, instead, target)  # nothing to write to may stay below
        system.containers.bind(name, base, source, target, bool(bind.get("readonly")), instead)


def _make(system: System, name: str, bind: Bind, source: str) -> None:
    """As root-up does at a start: a directory with data is never made here."""
    if bind.get("persistent"):
        raise Failed(
            f"cannot bind {source} in {name}: the data is missing",
            "is its disk mounted? eyas apply makes the directory where it should begin empty",
        )
    system.files.mkdir(source, integer(bind.get("mode"), 0o755), integer(bind.get("owner")), integer(bind.get("group")))
