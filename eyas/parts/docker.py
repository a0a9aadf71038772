"""Docker: a daemon inside a container, and services that it runs.

The daemon needs the grant ``docker`` (which this part asks for) and a directory of its own on a real file system:
on the discarded root Docker would copy every layer in full. With the bind it runs overlay2 in the user namespace.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from eyas.model import Bind, File, Probe, System
from eyas.model.values import refuse
from eyas.parts.common import LIB, join, script
from eyas.parts.engine import engine
from eyas.parts.given import given

POOLS = [{"base": "172.20.0.0/14", "size": 24}]
"""Networks for Docker's own bridges: private, and away from the usual bridges of a fleet."""

NOISE = ("/var/lib/containerd/io.containerd.metadata.v1.bolt/**", "/root/.docker/buildx/**")
"""What Docker makes anew at each start: containerd's list of what runs (images and containers are Docker's own, in its
storage), and notes of builds. Logins in /root/.docker/config.json are somebody's."""


def docker(
    storage: str,
    *,
    size: str | None = None,
    prune: str | None = "weekly",
    keep: str = "7d",
    settings: Mapping[str, object] | None = None,
) -> System:
    """A Docker daemon, with a self-test that runs a container with a published port before this container counts as
    ready.

    ``storage``: directory of the host for images and volumes (/var/lib/docker inside, kept over restarts); ``size``:
    how much it can hold (see Bind), without which it can fill the host's disk.
    ``prune``: when containers, images, networks and caches that nothing uses for ``keep`` are removed (OnCalendar= of
    systemd.time(7)), None for never; volumes never are. ``settings``: keys of daemon.json on top of ours, see
    dockerd(8).
    """
    config: dict[str, object] = {
        "bip": "172.19.255.1/24",
        "default-address-pools": POOLS,
        "live-restore": True,
        "log-driver": "journald",
        "storage-driver": "overlay2",
        **given("docker.settings", settings or {}, _settings),
    }
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    place = Bind(storage, "/var/lib/docker", persistent=True, mode=0o711, size=size)
    return join(
        System(
            packages=["docker.io", "docker-cli", "iptables"],
            files={"/etc/docker/daemon.json": File(text, restart=("docker.service",))},
            grants=["docker"],
            noise=NOISE,
        ),
        engine("docker", place, prune=prune, keep=keep, unit="docker.service"),
    )


def _settings(value: object) -> object:
    """What JSON can say."""
    try:
        json.dumps(value)
    except TypeError as error:
        return refuse(f"daemon.json has no place for it ({str(error)[:1].lower()}{str(error)[1:]})")
    return value if isinstance(value, Mapping) else refuse("it takes keys of daemon.json with their values")


def published(
    name: str,
    port: int,
    pages: Mapping[str, str],
    *,
    volumes: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
) -> System:
    """A web service in a container of Docker, published at ``port``; the image is built in place from Debian's
    static busybox and ``pages`` (file name to text), so it needs no registry.

    ``volumes``: directory in this container to path in Docker's. ``options``: more of docker-run(1).
    The unit owns the restarts (``systemctl restart docker-NAME``), Docker does none of its own.
    """
    unit = f"docker-{name}.service"
    binds = "".join(f" --volume={source}:{target}" for source, target in (volumes or {}).items())
    more = "".join(f" {option}" for option in options)
    text = f"""\
[Unit]
Description=Service {name}, run by Docker
Requires=docker.service
After=docker.service
StartLimitIntervalSec=0

[Service]
Type=exec
Restart=on-failure
RestartSec=2
TimeoutStartSec=120
ExecStartPre={LIB}/docker-publish {name}
ExecStart=/usr/bin/docker run --rm --name={name} --stop-signal=KILL --publish={port}:80{binds}{more} \\
    eyas/{name}:current /bin/busybox httpd -f -p 80 -h /www
ExecStartPost={LIB}/docker-wait {port}
ExecStop=/usr/bin/docker stop --time=3 {name}

[Install]
WantedBy=multi-user.target
"""
    return System(
        packages=["busybox-static"],
        files={
            **{f"/etc/eyas/docker/{name}/{page}": File(body, restart=(unit,)) for page, body in pages.items()},
            f"{LIB}/docker-publish": script("docker-publish"),
            f"{LIB}/docker-wait": script("docker-wait"),
        },
        units={unit: text},
        probes=[Probe.http(port)],
    )
