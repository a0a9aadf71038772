"""A package repository: static files over plain HTTP and rsync, read-only."""

from __future__ import annotations

from eyas.model import File, Probe, System, Unit
from eyas.model.values import path as absolute
from eyas.parts.common import HEADER, LIB, join, script
from eyas.parts.given import calendar, count, given
from eyas.parts.nginx import nginx


def repository(root: str = "/srv/http", *, modules: dict[str, str] | None = None, connections: int = 80) -> System:
    """Everything below ``root`` over HTTP on port 80, with listings. ``modules``: names of rsync modules to their
    directories, served on port 873 to at most ``connections`` clients at a time each; none, no rsync."""
    web = nginx({"repository": http_conf(root)})
    if not modules:
        return web
    given("repository.connections", connections, count)
    rsync = System(
        packages=["rsync"],
        # rsync reads its configuration for every connection: nothing to reload
        files={"/etc/rsyncd.conf": File(rsyncd_conf(modules, connections))},
        enable=["rsync.service"],
        probes=[Probe.tcp(873)],
    )
    return join(web, rsync)


def mirror(name: str, source: str, directory: str, *, when: str = "*:0/15") -> System:
    """Follows a repository: ``source`` (``rsync://HOST/MODULE/``) into ``directory``, at the times ``when``
    (systemd.time(7)). What is there can be served on; its clients never see a database without its packages."""
    unit = f"mirror-{name}"
    given("mirror.directory", directory, absolute)
    given("mirror.when", when, calendar)
    service = (
        f"[Unit]\nDescription=Mirror of {source}\nAfter=network.target\nRequiresMountsFor={directory}\n\n"
        f"[Service]\nType=oneshot\nExecStart={LIB}/rsync-mirror {source} {directory}\n"
    )
    timer = (
        f"[Unit]\nDescription=Mirror of {source}\n\n[Timer]\nOnCalendar={when}\nRandomizedDelaySec=30\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return System(
        packages=["rsync"],
        files={f"{LIB}/rsync-mirror": script("rsync-mirror")},
        units={f"{unit}.service": Unit(service, enable=False), f"{unit}.timer": Unit(timer)},
    )


def http_conf(root: str) -> str:
    return f"""\
server {{
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name _;
    root {root};
    access_log off;
    add_header X-Served-By $hostname;

    location / {{
        autoindex on;
        autoindex_exact_size off;
        try_files $uri $uri/ =404;
    }}
    # what says which packages there are is asked for anew; the packages themselves never change
    location ~* \\.(db|sig|files|gz|xz)$ {{
        add_header X-Served-By $hostname;
        add_header Cache-Control "no-cache";
    }}
}}
"""


def rsyncd_conf(modules: dict[str, str], connections: int) -> str:
    """rsyncd.conf(5): read-only modules."""
    lines = ["use chroot = no", "uid = nobody", "gid = nogroup", "read only = yes"]
    lines += ["lock file = /run/rsyncd.lock", f"max connections = {connections}", "timeout = 600", ""]
    for name, path in modules.items():
        lines += [f"[{name}]", f"    path = {path}", ""]
    return HEADER + "\n".join(lines)
