"""eyas.lock: the exact versions of everything that images hold, for people to read in a diff and for builds to obey.

The file has three tables. ``images`` says of which layers an image consists; ``layers`` says which packages a layer
adds to the one below it; ``packages`` has each package once, with the digest of its .deb. A package that many images
share stands there once, so moving it is one changed line. ``pins``, where there are any, has the digest of each image
that a Compose stack has from a registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eyas.core.errors import Failed
from eyas.image.recipe import Recipe

FORMAT = 1


@dataclass(frozen=True, order=True)
class Deb:
    """One binary package: what it is and the file it comes in. ``size`` in bytes; ``filename`` is relative to the
    archive, which is "main" or "security"."""

    name: str
    version: str
    arch: str
    sha256: str
    size: int
    filename: str
    archive: str = "main"

    @property
    def id(self) -> str:
        return f"{self.name} {self.version} {self.arch}"


@dataclass(frozen=True)
class Layer:
    """Packages installed in one go above another layer. ``request`` is what was asked for by name, ``packages`` are
    the ids (name, version, architecture) of all that this brought, sorted."""

    parent: str
    suite: str
    request: tuple[str, ...]
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Fetched:
    """One file from a registry other than apt. ``integrity`` is ``<algorithm>-<base64>`` (npm) or ``sha256-<hex>``."""

    name: str
    version: str
    integrity: str
    url: str = ""  # relative to the registry, where the registry allows it
    path: str = ""  # where it goes, for npm ("node_modules/express")


@dataclass(frozen=True)
class Locked:
    """One image: the layers it stands on, base first, and what comes on top of packages."""

    layers: tuple[str, ...] = ()
    npm_request: tuple[str, ...] = ()
    npm: tuple[Fetched, ...] = ()
    pip_request: tuple[str, ...] = ()
    pip: tuple[Fetched, ...] = ()
    tarball: str = ""  # sha256


@dataclass(frozen=True)
class Lock:
    """The whole file. Frozen: resolve returns a new one."""

    arch: str = ""
    images: Mapping[str, Locked] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)
    packages: Mapping[str, Deb] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)

    def debs(self, layer: str) -> list[Deb]:
        """What a layer adds, sorted by name."""
        return sorted(self.packages[name] for name in self.layers[layer].packages)

    def chain(self, layer: str) -> list[str]:
        """The layers up to and including this one, base first."""
        names: list[str] = []
        while layer:
            names.append(layer)
            layer = self.layers[layer].parent
        return names[::-1]

    def installed(self, image: str) -> dict[str, Deb]:
        """All packages of an image by name; a higher layer may hold a newer version."""
        found: dict[str, Deb] = {}
        for layer in self.images[image].layers:
            found.update((deb.name, deb) for deb in self.debs(layer))
        return found

    def holds(self, recipe: Recipe) -> bool:
        """Whether this lock answers all that the recipe asks."""
        locked = self.images.get(recipe.name)
        if locked is None:
            return False
        if recipe.kind == "tarball":
            return bool(locked.tarball)
        if locked.tarball or not self._stands_on(recipe, locked.layers):
            return False
        return locked.npm_request == tuple(sorted(recipe.npm)) and locked.pip_request == tuple(sorted(recipe.pip))

    def _stands_on(self, recipe: Recipe, names: tuple[str, ...]) -> bool:
        """Whether these layers bring what the recipe asks for and no more, in whatever cut."""
        layers = [self.layers[name] for name in names]
        asked = sorted(name for request in recipe.requests() for name in request)
        return (
            bool(layers)
            and all(layer.suite == recipe.suite for layer in layers)
            and layers[0].request == recipe.requests()[0]
            and sorted(name for layer in layers for name in layer.request) == asked
        )

    def pruned(self, images: Iterable[str] | None = None) -> Lock:
        """Without layers and packages that no image needs (and without images that are not among the given)."""
        keep = {n: i for n, i in self.images.items() if images is None or n in set(images)}
        used = {part for i in keep.values() for layer in i.layers for part in self.chain(layer)}
        layers = {n: layer for n, layer in self.layers.items() if n in used}
        debs = {name for layer in layers.values() for name in layer.packages}
        return replace(self, images=keep, layers=layers, packages={n: p for n, p in self.packages.items() if n in debs})


def read(path: Path) -> Lock:
    """The lock in a file; an empty one where there is no file. Raises Failed for what cannot be understood."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return Lock()
    except (OSError, ValueError) as error:
        raise Failed(f"cannot read {path}: {error}", "restore it from version control, or run eyas update") from None
    if data.get("version") != FORMAT:
        raise Failed(f"cannot read {path}: it has format {data.get('version')}, this eyas knows {FORMAT}")
    try:
        return from_json(data)
    except (KeyError, TypeError, ValueError) as error:
        raise Failed(f"cannot read {path}: {error!r} is missing or wrong", "restore it, or run eyas update") from None


def write(path: Path, lock: Lock) -> None:
    """Writes the lock as a whole or not at all."""
    from eyas.host.disk import write_whole

    text = json.dumps(to_json(lock), indent=1, sort_keys=True, ensure_ascii=False)
    write_whole(path, text + "\n", shared=True)


def to_json(lock: Lock) -> dict[str, Any]:
    return {
        "version": FORMAT,
        "arch": lock.arch,
        "images": {name: _image_json(image) for name, image in lock.images.items()},
        "layers": {
            name: {
                "parent": layer.parent,
                "suite": layer.suite,
                "request": list(layer.request),
                "packages": list(layer.packages),
            }
            for name, layer in lock.layers.items()
        },
        "packages": {
            name: {"sha256": deb.sha256, "size": deb.size, "filename": deb.filename, "archive": deb.archive}
            for name, deb in lock.packages.items()
        },
        **({"pins": dict(lock.pins)} if lock.pins else {}),
    }


def _image_json(image: Locked) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if image.layers:
        data["layers"] = list(image.layers)
    for kind, request, files in (("npm", image.npm_request, image.npm), ("pip", image.pip_request, image.pip)):
        if request:
            data[kind] = {
                "request": list(request),
                "files": [{k: v for k, v in vars(file).items() if v} for file in files],
            }
    if image.tarball:
        data["tarball"] = image.tarball
    return data


def from_json(data: Mapping[str, Any]) -> Lock:
    return Lock(
        arch=data["arch"],
        images={name: _image(image) for name, image in data["images"].items()},
        layers={
            name: Layer(v["parent"], v["suite"], tuple(v["request"]), tuple(v["packages"]))
            for name, v in data["layers"].items()
        },
        packages={key: Deb(*key.split(" "), **value) for key, value in data["packages"].items()},
        pins=data.get("pins", {}),
    )


def _image(data: Mapping[str, Any]) -> Locked:
    npm, pip = data.get("npm", {}), data.get("pip", {})
    return Locked(
        layers=tuple(data.get("layers", ())),
        npm_request=tuple(npm.get("request", ())),
        npm=tuple(Fetched(**file) for file in npm.get("files", ())),
        pip_request=tuple(pip.get("request", ())),
        pip=tuple(Fetched(**file) for file in pip.get("files", ())),
        tarball=data.get("tarball", ""),
    )


@dataclass(frozen=True)
class Moved:
    """One difference between two locks: ``old`` or ``new`` is '' for what was added or removed. ``kind`` is "apt",
    "npm", "pip", "tarball", or "docker" for an image of a registry; ``images`` are the images that it concerns."""

    kind: str
    name: str
    old: str
    new: str
    images: tuple[str, ...]

    def text(self) -> str:
        what = f"{self.name} {self.old or '(none)'} -> {self.new or '(none)'}"
        return f"{what}  ({', '.join(self.images)})" if self.images else what


def difference(old: Lock, new: Lock) -> list[Moved]:
    """What changed, sorted by kind and name; the same move in several images is one entry."""
    found: dict[tuple[str, str, str, str], set[str]] = {}
    for image in sorted({*old.images, *new.images}):
        before, after = _versions(old, image), _versions(new, image)
        for kind, name in sorted({*before, *after}):
            pair = (before.get((kind, name), ""), after.get((kind, name), ""))
            if pair[0] != pair[1]:
                found.setdefault((kind, name, *pair), set()).add(image)
    for name in {*old.pins, *new.pins}:
        pair = (old.pins.get(name, ""), new.pins.get(name, ""))
        if pair[0] != pair[1]:
            found["docker", name, _short(pair[0]), _short(pair[1])] = set()
    return [Moved(*key, tuple(sorted(images))) for key, images in sorted(found.items())]


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _versions(lock: Lock, image: str) -> dict[tuple[str, str], str]:
    if image not in lock.images:
        return {}
    locked = lock.images[image]
    found = {("apt", name): deb.version for name, deb in lock.installed(image).items()}
    for kind, files in (("npm", locked.npm), ("pip", locked.pip)):
        found.update({(kind, file.path or file.name): file.version for file in files})
    if locked.tarball:
        found["tarball", image] = locked.tarball[:12]
    return found
