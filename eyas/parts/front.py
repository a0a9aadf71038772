"""The web front: TLS and name-based sites in front of the other containers.

Every site is one file of nginx. A site that is added, changed or removed, and a container behind one that gets another
address, cost a reload of nginx, which keeps all connections. Certificates come from a private authority, made in the
persistent directory ``certificates`` (or put there: ``ca/ca.crt`` and ``ca/ca.key``); clients trust ``ca/ca.crt``.
One certificate covers all names; it is renewed when the names or the authority change, or 30 days before its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from eyas.model import File, Probe, Site, System
from eyas.parts.common import HEADER, LIB, dropin, script
from eyas.parts.nginx import MAIN, SERVICE

NAMES = "/etc/eyas/front/names"


def front(
    *sites: Site,
    certificates: str = "/var/lib/acme",
    ports: Sequence[int] = (),
    upload: int = 16 << 20,
    http3: bool = True,
) -> System:
    """nginx with TLS for these sites; HTTP is redirected to HTTPS, an unknown name is answered with 404.

    ``certificates``: directory for authority and certificate, below a persistent bind. ``ports``: further ports with
    TLS beside 443 (8448 for Matrix federation). ``upload``: bytes, the default of sites that do not say.
    ``http3``: also over QUIC (forward 443 as tcp and udp).
    """
    hook = (SERVICE,)
    names = sorted({name for site in sites for name in (site.name, *site.aliases)})
    certs = f"{LIB}/front-certs {certificates} {NAMES}"
    confs = {"00-front": common_conf(certificates, ports, upload, http3)}
    confs |= {file_of(site): site_conf(site, ports, http3) for site in sites}
    return System(
        packages=["nginx", "openssl"],
        files={
            "/etc/nginx/nginx.conf": File(MAIN, reload=hook),
            **{f"/etc/nginx/conf.d/{name}.conf": File(text, reload=hook) for name, text in confs.items()},
            NAMES: File("".join(f"{name}\n" for name in names) or "localhost\n", reload=hook),
            f"{LIB}/front-certs": script("front-certs"),
            dropin(SERVICE, "eyas-front"): service_dropin(certs),
        },
        units={
            "eyas-front-certs.service": f"""\
[Unit]
Description=Certificate of the front, renewed in time

[Service]
Type=oneshot
ExecStart={certs} --reload
""",
            "eyas-front-certs.timer": """\
[Unit]
Description=Certificate of the front, renewed in time

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h

[Install]
WantedBy=timers.target
""",
        },
        probes=[Probe.tcp(80), Probe.tcp(443)],
        sites=sites,
    )


def file_of(site: Site) -> str:
    """The name of a site's file: its own, with the star of a wildcard spelled out."""
    return "site-" + site.name.replace("*", "any")


def service_dropin(certs: str) -> str:
    """The certificate first, then a test, then nginx: at start and at reload alike."""
    test = "/usr/sbin/nginx -t -q -g 'daemon on; master_process on;'"
    return f"""\
[Service]
ExecStartPre=
ExecStartPre={certs}
ExecStartPre={test}
ExecReload=
ExecReload={certs}
ExecReload={test}
ExecReload=/usr/sbin/nginx -g 'daemon on; master_process on;' -s reload
"""


def listen(ports: Sequence[int], http3: bool, flag: str = "") -> str:
    """The TLS listeners of a server block; ``flag`` marks the one for unknown names."""
    lines = []
    for family in ("", "[::]:"):
        for port in (443, *ports):
            lines.append(f"    listen {family}{port} ssl{flag};")
        if http3:
            # the socket itself is set up once, by the default server
            lines.append(f"    listen {family}443 quic{flag + ' reuseport' if flag else ''};")
    return "\n".join(lines)


def common_conf(certificates: str, ports: Sequence[int], upload: int, http3: bool) -> str:
    """What all sites share: TLS, headers towards backends, the redirect, the answer to unknown names."""
    return f"""\
{HEADER}
map $http_upgrade $eyas_connection {{
    default upgrade;
    ''      '';
}}

ssl_certificate     {certificates}/front/current/fullchain.pem;
ssl_certificate_key {certificates}/front/current/key.pem;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:front:10m;
ssl_session_timeout 1d;
ssl_session_tickets off;
http2 on;

client_max_body_size {upload};
proxy_http_version 1.1;
proxy_set_header Host $host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $host;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $eyas_connection;

server {{
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name _;
    access_log off;
    return 404;
}}

server {{
{listen(ports, http3, " default_server")}
    server_name _;
    access_log off;
    return 404;
}}
"""


def site_conf(site: Site, ports: Sequence[int], http3: bool) -> str:
    """The two server blocks of a site: the redirect from HTTP, and the proxy."""
    names = " ".join((site.name, *site.aliases))
    lines = []
    if http3:
        lines.append("    add_header Alt-Svc 'h3=\":443\"; ma=86400' always;")
    if site.upload is not None:
        lines.append(f"    client_max_body_size {site.upload};")
    if not site.access_log:
        lines.append("    access_log off;")
    lines += [f"    {line}" if line else "" for line in site.extra.strip().splitlines()]
    more = "".join(f"{line}\n" for line in lines)
    proxy = [
        f"proxy_pass {'https' if site.https else 'http'}://@{{{site.to.container}.address}}:{site.to.port};",
        f"proxy_read_timeout {site.timeout}s;",
        f"proxy_send_timeout {site.timeout}s;",
    ]
    if site.upload is not None:
        proxy.append("proxy_request_buffering off;")
    if not site.buffering:
        proxy.append("proxy_buffering off;")
    body = "".join(f"        {line}\n" for line in proxy)
    return f"""\
{HEADER}
server {{
    listen 80;
    listen [::]:80;
    server_name {names};
    return 301 https://$host$request_uri;
}}

server {{
{listen(ports, http3)}
    server_name {names};
{more}
    location / {{
{body}    }}
}}
"""
