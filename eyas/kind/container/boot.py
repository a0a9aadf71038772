"""A container that is prepared for the next boot of the host, and stays until then what it is.

Its files on disk become the new ones. What runs is kept by copies of the old ones in /run: root-up and the probes read
them where they are, and systemd prefers the unit file there, also at a daemon-reload of somebody else. So a container
that crashes, or is restarted by hand, comes up as it was; a boot takes the copies away with all of /run.
"""

from __future__ import annotations

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, Json, Phase, Resource, Step
from eyas.kind import snapshot
from eyas.kind.common import Deed, table
from eyas.kind.slots import machine_of as name_of


def steps(
    change: Change, want: Resource | None, have: Resource | None, spec: dict[str, Json], runs: bool
) -> list[Step]:
    """The deeds that prepare a change: what runs is kept as it is, files are written, nothing is told to anybody."""
    if change.action is Action.start:
        return []  # it is enabled, and starts by itself
    if want is None:
        return [Step("container", "unlink", change.id, Phase.configure)] if runs else []
    keep = [Step("container", "keep", change.id, Phase.configure)] if runs and have is not None else []
    args: dict[str, Json] = {"spec": spec, "drift": False, "boot": True}
    return [*keep, Step("container", "configure", change.id, Phase.configure, args)]


def _pairs(name: str) -> list[tuple[str, str]]:
    """Files of a container, and where their copies are that count until the next boot."""
    return [
        (paths.unit(name), paths.now_unit(name)),
        (paths.limits(name), paths.now_limits(name)),
        (paths.env(name), paths.now_env(name)),
        (paths.spec(name), paths.now_spec(name)),
    ]


def copies(name: str) -> list[str]:
    """Paths of those copies."""
    return [copy for _path, copy in _pairs(name)]


def _look(system: System, step: Step, _folder: str) -> Json:
    return {"had": system.files.stat(paths.now_spec(name_of(step))) is not None}


def _keep(system: System, step: Step, saved: Json) -> None:
    """Copy what it runs from; where that was done before, it counts already. The spec last: it says that all are there,
    and a repetition goes on."""
    if table(saved)["had"]:
        return
    for path, copy in _pairs(name_of(step)):
        data = system.files.read(path)
        if data is not None:
            system.files.write(copy, data, 0o600 if copy.startswith(paths.NOW) else 0o644)


def _unkeep(system: System, step: Step, saved: Json, boot: bool) -> None:
    if not boot and not table(saved)["had"]:
        drop(system, name_of(step))


def drop(system: System, name: str) -> None:
    """What is on disk counts again."""
    for copy in reversed(copies(name)):
        system.files.remove(copy)
    folder = paths.now_limits(name).rpartition("/")[0]
    if system.files.stat(folder) is not None and not system.files.list(folder):
        system.files.remove(folder)


def _look_link(system: System, step: Step, folder: str) -> Json:
    return snapshot.take(system, paths.wanted(name_of(step)), folder)


def _unlink(system: System, step: Step, _saved: Json) -> None:
    system.files.remove(paths.wanted(name_of(step)))


def _link(system: System, _step: Step, saved: Json, _boot: bool) -> None:
    snapshot.put_back(system, saved)


keep = Deed(_keep, _look, _unkeep)
unlink = Deed(_unlink, _look_link, _link)
