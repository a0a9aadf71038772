"""The web front: TLS and name-based sites in front of the other containers.

Every site is one file of nginx. A changed file, or a new certificate, costs a reload, which is another nginx beside the
one that runs (`scripts/nginx-generation.sh`): new connections go to it, and what is open stays where it is, also
HTTP/3. What was only added leaves the others alone until they end by themselves; where a site changed, connections that
rest are asked to move, requests under way and WebSockets go on. /etc/nginx is an ordinary configuration: only the
addresses in listen/ are others in each nginx that runs.

Certificates come from a private authority, made in the persistent directory ``certificates`` (or put there:
``ca/ca.crt`` and ``ca/ca.key``); clients trust ``ca/ca.crt``. One certificate covers all names; it is renewed when the
names or the authority change, or 30 days before its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eyas.model import File, Probe, Site, System
from eyas.model.values import duration
from eyas.parts.common import HEADER, LIB, dropin, script
from eyas.parts.nginx import FILES, MAIN, SERVICE

NAMES = "/etc/eyas/front/names"
GENERATION = f"{LIB}/nginx-generation"


def front(
    *sites: Site,
    certificates: str = "/var/lib/acme",
    ports: Sequence[int] = (),
    upload: int = 16 << 20,
    http3: bool = True,
    linger: int | str = "1h",
) -> System:
    """nginx with TLS for these sites; HTTP is redirected to HTTPS, an unknown name is answered with 404.

    ``certificates``: directory for authority and certificate, below a persistent bind. ``ports``: further ports with
    TLS beside 443 (8448 for Matrix federation). ``upload``: bytes, the default of sites that do not say.
    ``http3``: also over QUIC (forward 443 as tcp and udp). ``linger``: how long connections may stay with what was
    before a reload, and how long WebSockets and requests under way then have to end.
    """
    hook = (SERVICE,)
    names = sorted({name for site in sites for name in (site.name, *site.aliases)})
    certs = f"{LIB}/front-certs {certificates} {NAMES}"
    patience = duration(linger)
    confs = {"conf.d/00-front.conf": common_conf(certificates, upload, http3)}
    confs |= {f"conf.d/{file_of(site)}.conf": site_conf(site, http3) for site in sites}
    confs |= {f"listen/{name}": text for name, text in listens(ports, http3).items()}
    confs["nginx.conf"] = MAIN.replace("\nevents", f"worker_shutdown_timeout {patience}s;\n\nevents", 1)
    return System(
        packages=["nftables", "nginx", "openssl"],
        files={
            **{f"/etc/nginx/{name}": File(text, reload=hook) for name, text in confs.items()},
            NAMES: File("".join(f"{name}\n" for name in names) or "localhost\n", reload=hook),
            f"{LIB}/front-certs": script("front-certs"),
            GENERATION: script("nginx-generation"),
            dropin(SERVICE, "eyas-front"): service_dropin(certs),
        },
        units={
            "nginx-retire.service": f"""\
[Unit]
Description=Ends what was nginx before reloads, when nobody uses it any more
PartOf={SERVICE}
StartLimitIntervalSec=0

[Service]
Environment=GRACE={patience}
ExecStart={GENERATION} retire
Restart=on-failure
""",
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
    """The certificate first, then nginx, in a generation: at start and at reload alike."""
    return f"""\
[Service]
ExecStartPre=
ExecStartPre={certs}
ExecStart=
ExecStart={GENERATION} start
ExecReload=
ExecReload={certs}
ExecReload={GENERATION} reload
ExecStopPost={GENERATION} clear
Restart=on-failure
{FILES}"""


def listens(ports: Sequence[int], http3: bool) -> Mapping[str, str]:
    """The files that servers include for what they listen on, by name: those for unknown names set the sockets up."""
    found = {"status": f"{HEADER}listen 127.0.0.1:8081;\n"}
    for suffix, flag, socket in (("", "", ""), ("-default", " default_server", " default_server reuseport")):
        lines: dict[str, list[str]] = {"http": [], "https": []}
        for family in ("", "[::]:"):
            lines["http"].append(f"listen {family}80{flag};")
            lines["https"] += [f"listen {family}{port} ssl{flag};" for port in (443, *ports)]
            if http3:
                lines["https"].append(f"listen {family}443 quic{socket};")
        for name, rows in lines.items():
            found[name + suffix] = HEADER + "".join(f"{row}\n" for row in rows)
    return found


def common_conf(certificates: str, upload: int, http3: bool) -> str:
    """What all sites share: TLS, headers towards backends, the redirect, the answer to unknown names."""
    quic = f"quic_host_key       {certificates}/front/quic.key;\n" if http3 else ""
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
{quic}
client_max_body_size {upload};
proxy_http_version 1.1;
# longer than connections to a container that restarts are held
proxy_connect_timeout 75s;
proxy_set_header Host $host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host $host;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $eyas_connection;

server {{
    include listen/http-default;
    server_name _;
    access_log off;
    return 404;
}}

server {{
    include listen/https-default;
    server_name _;
    access_log off;
    return 404;
}}

server {{
    include listen/status;
    access_log off;
    stub_status;
}}
"""


def site_conf(site: Site, http3: bool) -> str:
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
    include listen/http;
    server_name {names};
    return 301 https://$host$request_uri;
}}

server {{
    include listen/https;
    server_name {names};
{more}
    location / {{
{body}    }}
}}
"""
