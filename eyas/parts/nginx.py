"""nginx: the server with settings that fit a container, and configuration files by name."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.model import File, Probe, System
from eyas.parts.common import HEADER

SERVICE = "nginx.service"

MAIN = (
    HEADER
    + """\
user www-data;
worker_processes auto;
worker_rlimit_nofile 16384;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
include /etc/nginx/modules-enabled/*.conf;

events {
    worker_connections 8192;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    server_names_hash_bucket_size 128;
    server_tokens off;
    access_log /var/log/nginx/access.log;
    gzip on;
    include /etc/nginx/conf.d/*.conf;
}
"""
)


def nginx(confs: Mapping[str, str], *, port: int = 80) -> System:
    """An nginx with these files in /etc/nginx/conf.d (name without ``.conf`` to text, inside the ``http`` block).

    A changed file reloads nginx, which keeps every connection. ``port`` is probed. Addresses of other containers are
    written ``@{NAME.address}``: nginx would look up a name once only, and miss a container that is renumbered.
    """
    hook = (SERVICE,)
    return System(
        packages=["nginx"],
        files={
            "/etc/nginx/nginx.conf": File(MAIN, reload=hook),
            **{f"/etc/nginx/conf.d/{name}.conf": File(text, reload=hook) for name, text in confs.items()},
        },
        probes=[Probe.tcp(port)],
    )
