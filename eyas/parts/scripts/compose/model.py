"""What eyas adds to a Compose model, and what it makes of the containers that run. Pure: no Docker here.

Copied into containers, as all of this package: the standard library of the container's own Python, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from .bases import exact

Model = dict[str, Any]

FILES, JOB, POLICY, HASH = "eyas.files", "eyas.job", "eyas.restart", "eyas.hash"
"""Labels of services: the files of the folder that they read, what a running job looks like, when they are started
again, and all that they are made from."""
FIRST, CALM = 1.0, 60.0
"""Seconds: the first pause before a restart, and how long a service is well until that is forgotten."""


def prepared(
    resolved: Model,
    directory: str,
    manifest: Mapping[str, str],
    pins: Mapping[str, str],
    recipes: Mapping[str, str] | None = None,
) -> Model:
    """The model as it is brought up: restarts are ours, images are exact, and a service differs when a file does that
    it is shown or built from.

    ``resolved`` is what ``docker compose config`` says; ``manifest`` has a digest for each file of the folder, by its
    path in it; ``pins`` a digest for each image; ``recipes`` the Dockerfiles by service. Raises ValueError for an
    image without one.
    """
    model: Model = json.loads(json.dumps(resolved))
    services: dict[str, Model] = model.get("services") or {}
    for name, text in (recipes or {}).items():
        _stand_on(services[name]["build"], text, pins)
    made = _built(services, model["name"], directory, manifest)
    for name, service in services.items():
        labels = service.setdefault("labels", {})
        labels[POLICY] = _policy(service)
        service["restart"] = "no"
        if name not in made:
            service["image"] = _pinned(name, service, pins, made)
        files = _digest(manifest, _shown(service, model, directory))
        if files:
            labels[FILES] = files
    for service in services.values():
        service["labels"][HASH] = _hash(service, model)
    return model


def _hash(service: Model, model: Model) -> str:
    """Of a service, with the networks and volumes that it uses; whom it starts after changes nothing in it. (Compose's
    own hash has that, and it makes a service anew when one does on which it depends.)"""
    own = {key: value for key, value in service.items() if key != "depends_on"}
    used = {n: (model.get("networks") or {}).get(n) for n in service.get("networks") or {}}
    kept = {v: (model.get("volumes") or {}).get(v) for v in volumes(service)}
    said = [own, used, kept]
    for kind in ("configs", "secrets"):  # their text may stand in the Compose file itself
        given = {use["source"]: (model.get(kind) or {}).get(use["source"]) for use in service.get(kind) or []}
        said += [given] if given else []
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def differing(model: Model, running: Mapping[str, list[Model]]) -> list[str]:
    """Services that have to be made, or made anew; ``running`` are inspected containers by service."""
    return sorted(
        name
        for name, service in (model.get("services") or {}).items()
        if len(running.get(name, [])) != wanted(service)
        or any(box["Config"]["Labels"].get(HASH) != service["labels"][HASH] for box in running[name])
    )


def wanted(service: Model) -> int:
    """How many containers a service is to have."""
    deploy = service.get("deploy") or {}
    return int(service.get("scale", deploy.get("replicas", 1)))


def renewed(new: Model, old: Model) -> list[str]:
    """Networks that are defined otherwise now: they have to go before they can come."""
    before, after = old.get("networks") or {}, new.get("networks") or {}
    return sorted(name for name in after if name in before and before[name] != after[name])


def _policy(service: Model) -> str:
    """no, on-failure or always; how often is not counted, for nothing is given up."""
    asked = str(service.get("restart") or "")
    deploy = service.get("deploy") or {}
    if not asked:
        asked = str((deploy.get("restart_policy") or {}).get("condition") or "no")
    if "restart_policy" in deploy:
        del deploy["restart_policy"]
    asked = asked.partition(":")[0]
    return {"any": "always", "unless-stopped": "always", "none": "no", "": "no"}.get(asked, asked)


def _stand_on(build: Model, text: str, pins: Mapping[str, str]) -> None:
    """A build from exact images: its Dockerfile with digests stands in the model itself."""
    given = {key: str(value or "").replace("$$", "$") for key, value in (build.get("args") or {}).items()}
    found = exact(text, given, pins, build.get("additional_contexts") or {})
    if found != text:
        build.pop("dockerfile", None)
        build["dockerfile_inline"] = found.replace("$", "$$")  # Compose fills it once more


def _built(services: Mapping[str, Model], project: str, directory: str, manifest: Mapping[str, str]) -> dict[str, str]:
    """Services that are built here get an image that is called by what it is built from."""
    made: dict[str, str] = {}
    called: dict[str, str] = {}
    for name, service in services.items():
        build = service.get("build")
        if not build:
            continue
        said = json.dumps(build, sort_keys=True)
        digest = _digest(manifest, [posixpath.relpath(str(build.get("context", "")), directory)], said)
        called[str(service.get("image") or f"{project}-{name}")] = made[name] = f"eyas/{project}-{name}:{digest}"
        service["image"] = made[name]
        service.pop("pull_policy", None)
    for name, service in services.items():
        if name not in made and service.get("image") in called:  # made by another service of the stack
            service["image"] = made[name] = called[service["image"]]
            service["pull_policy"] = "never"
    return made


def _pinned(name: str, service: Model, pins: Mapping[str, str], made: Mapping[str, str]) -> str:
    image = str(service.get("image") or "")
    if service.get("pull_policy") == "never" or "@" in image or image in made.values():
        return image
    if image not in pins:
        raise ValueError(f"image {image} of service {name} is not in eyas.lock")
    service.pop("pull_policy", None)  # an exact image is there or is fetched; there is no newer one
    return f"{image}@{pins[image]}"


def _shown(service: Model, model: Model, directory: str) -> list[str]:
    """Paths of the folder that a service is shown: binds, configurations and secrets from files."""
    found = [str(v.get("source", "")) for v in service.get("volumes") or [] if v.get("type") == "bind"]
    for kind in ("configs", "secrets"):
        for use in service.get(kind) or []:
            found.append(str(((model.get(kind) or {}).get(use.get("source")) or {}).get("file") or ""))
    inside = [posixpath.relpath(path, directory) for path in found if path.startswith(directory.rstrip("/") + "/")]
    return sorted(inside)


def emptied(gone: Iterable[str], directory: str, model: Model) -> list[str]:
    """Folders of files that are gone, the deepest first: they go too if nothing is left in them, but for those that a
    service is shown, whose running container would go on with one that is no more."""
    shown = {v.get("source") for s in (model.get("services") or {}).values() for v in s.get("volumes") or []}
    folders = {str(folder) for name in gone for folder in [*PurePosixPath(name).parents][:-1]}
    return sorted((f for f in folders if posixpath.join(directory, f) not in shown), key=lambda f: (-f.count("/"), f))


def _digest(manifest: Mapping[str, str], paths: Iterable[str], more: str = "") -> str:
    """Of all files of the folder at these paths or below them; '' when there is none, and nothing more."""
    lines = [more] if more else []
    for path in paths:
        below = "" if path == "." else f"{path}/"
        lines += [f"{f} {digest}" for f, digest in sorted(manifest.items()) if f == path or f.startswith(below)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12] if lines else ""


def held_back(new: Model, old: Model, busy: Iterable[str]) -> Model:
    """The new model with services that have a running job as they were, also those that it has no more."""
    model: Model = json.loads(json.dumps(new))
    for name in busy:
        if name not in old.get("services", {}):
            continue
        service = model["services"][name] = old["services"][name]
        for kind, own in (("networks", service.get("networks") or {}), ("volumes", volumes(service))):
            for used in own:
                if used not in (model.get(kind) or {}) and used in (old.get(kind) or {}):
                    model.setdefault(kind, {})[used] = old[kind][used]
        for needed in list(service.get("depends_on") or {}):
            if needed not in model["services"]:
                del service["depends_on"][needed]
    return model


def volumes(service: Model) -> list[str]:
    return [str(v.get("source")) for v in service.get("volumes") or [] if v.get("type") == "volume"]


class Backoff:
    """When a service is started again: after 1 s, 2 s, 4 s ... up to ``most``; from the start again when it was well
    for a minute, or twice as long as the last pause."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.tries = 0
        self.due: float | None = None
        self.well_since: float | None = None

    def ill(self, now: float) -> bool:
        """Note that it is not well; whether it is time to start it again."""
        self.well_since = None
        if self.due is None:
            self.due = now + self.pause
            return False
        return now >= self.due

    @property
    def pause(self) -> float:
        return min(self.most, FIRST * (1 << min(self.tries, 20)))

    def started(self) -> None:
        self.tries += 1
        self.due = None

    def well(self, now: float) -> None:
        """Note that it is well."""
        self.due = None
        if self.well_since is None:
            self.well_since = now
        if self.tries and now - self.well_since >= max(CALM, 2 * min(self.most, FIRST * (1 << min(self.tries, 20)))):
            self.tries = 0


def row(name: str, policy: str, containers: list[Model]) -> dict[str, Any]:
    """A service as status shows it, from ``docker inspect`` of its containers: the worst of them speaks for it.

    States: missing, created, running, exited, done (a job that ended well), restarting, paused, dead.
    """
    if not containers:
        return {"name": name, "state": "missing", "health": "", "exit": None, "well": False, "ready": False}
    rows = [_one(name, policy, container) for container in containers]
    return min(rows, key=lambda r: (r["well"], r["ready"]))


def _one(name: str, policy: str, container: Model) -> dict[str, Any]:
    state = container["State"]
    status, code = str(state["Status"]), int(state.get("ExitCode") or 0)
    health = str((state.get("Health") or {}).get("Status") or "")
    health = "" if health == "none" or status != "running" else health
    done = status == "exited" and code == 0 and policy in ("no", "on-failure")
    return {
        "name": name,
        "state": "done" if done else status,
        "health": health,
        "exit": code if status == "exited" else None,
        "well": done or (status == "running" and health != "unhealthy"),
        "ready": done or (status == "running" and health in ("", "healthy")),
    }


def restarts(service: Mapping[str, Any], policy: str) -> bool:
    """Whether it is ours to start this service again: what is unhealthy always, what ended by its policy."""
    if service["well"]:
        return False
    if service["state"] == "exited":
        return policy == "always" or (policy == "on-failure" and bool(service["exit"]))
    return bool(service["state"] in ("running", "dead", "created"))
