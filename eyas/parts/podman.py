"""Podman: containers without a daemon.

It needs no grant: told to make no keyring, it stays within what every container may do (containers.conf(5)).
Services are best declared as Quadlet files (``/etc/containers/systemd/NAME.container``, podman-systemd.unit(5)):
systemd owns their restarts, and a change of such a file is a change of a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from eyas.model import Bind, File, System
from eyas.model.values import refuse
from eyas.parts.common import HEADER, join
from eyas.parts.engine import engine
from eyas.parts.given import given

STORAGE = HEADER + '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\ngraphroot = "{}"\n'
PLACE = "/var/lib/containers/storage"


def podman(
    storage: str,
    *,
    size: str | None = None,
    prune: str | None = "weekly",
    keep: str = "7d",
    settings: Mapping[str, Mapping[str, object]] | None = None,
) -> System:
    """Podman, with a self-test that runs a container with a published port before this container counts as ready.

    ``storage``: directory of the host for images and volumes (/var/lib/containers inside, kept over restarts);
    ``size``: how much it can hold (see Bind).
    ``prune``: when containers, images and networks that nothing uses for ``keep`` are removed (OnCalendar= of
    systemd.time(7)); None for never. ``settings``: tables of containers.conf(5) on top of ours.
    """
    tables: dict[str, dict[str, object]] = {
        "containers": {
            "keyring": False,  # the system call for it is a grant, and nothing here uses the keyring
            "pids_limit": 0,  # the limit of this container is theirs; a second one needs a controller
            "log_driver": "journald",
        },
        "engine": {"cgroup_manager": "systemd", "events_logger": "journald", "runtime": "crun"},
        "network": {"default_subnet": "10.88.0.0/16"},
    }
    for table, more in given("podman.settings", settings or {}, _settings).items():
        tables[table] = {**tables.get(table, {}), **more}
    place = Bind(storage, "/var/lib/containers", persistent=True, mode=0o711, size=size)
    return join(
        System(
            packages=["podman", "crun", "netavark", "aardvark-dns", "nftables", "iptables"],
            files={
                "/etc/containers/containers.conf.d/50-eyas.conf": File(HEADER + _toml(tables)),
                "/etc/containers/storage.conf": File(STORAGE.format(PLACE)),
            },
            enable=["podman-restart.service"],
        ),
        engine("podman", place, prune=prune, keep=keep),
    )


def _toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """The small part of TOML that containers.conf(5) is made of."""
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return str(refuse(f"containers.conf has no place for {value!r}", "it takes text, numbers, true, false and lists"))


def _settings(value: object) -> object:
    """Tables of plain values."""
    if not isinstance(value, Mapping) or not all(isinstance(table, Mapping) for table in value.values()):
        return refuse("it takes tables by name", 'write {"engine": {"retry": 5}}')
    for table in value.values():
        for one in table.values():
            _value(one)
    return value
