"""Images of Compose stacks: which the definitions name, and their digests in eyas.lock."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from eyas import image
from eyas.core.events import Event, Listener, silent
from eyas.model import Container, File, System, merged

FIRST, LAST = "/etc/eyas/compose/", "/stack.json"
PINS = "pins.json"


def stacks(system: System) -> dict[str, list[str]]:
    """Names of images by the path of the stack's file, as the part `compose` writes it."""
    found = {}
    for path, file in system.files.items():
        if path.startswith(FIRST) and path.endswith(LAST) and isinstance(file, File):
            found[path] = [str(name) for name in json.loads(file.content)["images"]]
    return found


def named(containers: Iterable[Container]) -> list[str]:
    """Every image that a stack of these containers has from a registry; those with a digest in their name are exact."""
    found = {n for container in containers for names in stacks(merged(container)).values() for n in names}
    return sorted(name for name in found if "@" not in name)


def pinned(
    lock: image.Lock, names: Iterable[str], listener: Listener = silent, *, anew: Collection[str] = ()
) -> image.Lock:
    """The lock with a digest for each of these, and for no other; the registries are also asked for those of
    ``anew`` that it has. Raises Failed."""
    pins = {}
    for name in names:
        if name in anew or name not in lock.pins:
            from eyas.image.registry import digest

            listener(Event("resolve", name, f"asking the registry for {name}"))
            pins[name] = digest(name)
        else:
            pins[name] = lock.pins[name]
    return replace(lock, pins=pins)


def with_pins(system: System, pins: Mapping[str, str]) -> System:
    """The same, with the digests beside each stack: they are not known to the definitions."""
    files = dict(system.files)
    for path, names in stacks(system).items():
        spec = files[path]
        assert isinstance(spec, File)
        text = json.dumps({name: pins[name] for name in names if name in pins}, indent=1, sort_keys=True) + "\n"
        file = File(text, reload=spec.reload)
        file.__dict__.update({key: spec.__dict__[key] for key in ("_origin", "_statement") if key in spec.__dict__})
        files[path.removesuffix(LAST) + f"/{PINS}"] = file
    return system if len(files) == len(system.files) else system.model_copy(update={"files": files})
