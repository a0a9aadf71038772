"""Redis: one server on persistent data."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.model import File, Probe, System
from eyas.parts.common import HEADER, dropin


def redis(
    directory: str = "/var/lib/redis", *, port: int = 6379, settings: Mapping[str, str | int] | None = None
) -> System:
    """A Redis server that listens inside its container only. ``directory``: where its data goes, below a persistent
    bind. ``settings``: lines of redis.conf on top of ours. The host should set ``vm.overcommit_memory=1``."""
    values: dict[str, str | int] = {
        "bind": "127.0.0.1 -::1",
        "port": port,
        "protected-mode": "yes",
        "dir": directory,
        "dbfilename": "dump.rdb",
        "appendonly": "yes",
        "logfile": '""',
        "pidfile": "/run/redis/redis-server.pid",
        **(settings or {}),
    }
    unit = "redis-server.service"
    drop = f"[Service]\nExecStartPre=+/usr/bin/install -d -o redis -g redis -m 0750 {directory}\n"
    if directory != "/var/lib/redis":
        drop += f"ReadWritePaths=-{directory}\n"
    return System(
        packages=["redis-server"],
        files={
            "/etc/redis/redis.conf": File(
                HEADER + "".join(f"{key} {value}\n" for key, value in values.items()), restart=(unit,)
            ),
            dropin(unit, "eyas"): File(drop, restart=(unit,)),
        },
        probes=[Probe.unit(unit)],
    )
