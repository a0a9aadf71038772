"""nginx: the server with settings that fit a container, and configuration files by name."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.model import File, Probe, System
from eyas.parts.common import HEADER, dropin

SERVICE = "nginx.service"

MAIN = (
    HEADER
    + """\
user www-data;
worker_processes auto;
error_log /var/log/nginx/error.log;
include modules-enabled/*.conf;

events {
    # Requests to a container that restarts wait, each with two connections: 200 a second for 30 s are 12000.
    worker_connections 16384;
}

http {
    include mime.types;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    server_names_hash_bucket_size 128;
    server_tokens off;
    access_log /var/log/nginx/access.log;
    gzip on;
    include conf.d/*.conf;
}
"""
)

FILES = "LimitNOFILE=65536\n"
"""Open files for MAIN; systemd takes what it may have where that is less, nginx's own setting would be ignored."""


def nginx(confs: Mapping[str, str], *, port: int = 80) -> System:
    """An nginx with these files in /etc/nginx/conf.d (name without ``.conf`` to text, inside the ``http`` block).

    A changed file reloads nginx, which keeps what is under way over TCP, also WebSockets. (HTTP/3 does not outlive
    nginx's own reload: who speaks it is a `front`.) ``port`` is probed. Addresses of other containers are written
    ``@{NAME.address}``: nginx would look up a name once only, and miss a container that is renumbered.
    """
    hook = (SERVICE,)
    return System(
        packages=["nginx"],
        files={
            "/etc/nginx/nginx.conf": File(MAIN, reload=hook),
            **{f"/etc/nginx/conf.d/{name}.conf": File(text, reload=hook) for name, text in confs.items()},
            dropin(SERVICE, "eyas-nginx"): f"[Service]\n{FILES}",
        },
        probes=[Probe.tcp(port)],
    )
