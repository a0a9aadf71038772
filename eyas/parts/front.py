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

from collections.abc import Iterable, Sequence

from eyas.model import Acme, Container, File, Probe, Site, System, Trust
from eyas.model.values import duration, size
from eyas.parts.common import LIB, dropin, script
from eyas.parts.front_shared import PAGE, rotation, shared_confs, styled, told_of_visitors
from eyas.parts.front_sites import Front, file_for, passwords, site_conf
from eyas.parts.front_tls import OWN, directory_of, own_names, uses_of
from eyas.parts.given import given
from eyas.parts.nginx import FILES, MAIN, SERVICE

NAMES = "/etc/eyas/front/names"
GENERATION = f"{LIB}/nginx-generation"
STYLED = ("libnginx-mod-http-fancyindex",)
"""What listings with a style need; another image, so only where one is asked for."""


def front(
    *sites: Site,
    certificates: str | Acme = "/var/lib/acme",
    ports: Sequence[int] = (),
    upload: int | str = 16 << 20,
    http3: bool = True,
    linger: int | str = "1h",
    trust: Trust | Iterable[str | Container] | None = None,
    maintenance: str = PAGE,
    logs: str = "14d",
) -> System:
    """nginx with TLS for these sites; HTTP is redirected to HTTPS, an unknown name is answered with 404.

    ``certificates``: an authority that issues one for each site, or the directory, below a persistent bind, of the
    front's own authority and its certificate. ``ports``: further ports with
    TLS beside 443, for all sites (a site alone: ``Site(tls_ports=...)``). ``upload``: the default of sites that do not
    say. ``http3``: also over QUIC (forward 443 as tcp and udp). ``linger``: how long connections may stay with what was
    before a reload, and how long WebSockets and requests under way then have to end. ``trust``: other proxies before
    all sites, whose word about the visitor's address is taken. ``maintenance``: page (HTML) of sites without one of
    their own. ``logs``: how long logs are kept.
    """
    hook = (SERVICE,)
    names, directory = own_names(sites, certificates), directory_of(certificates)
    certs = f"{LIB}/front-certs {directory} {NAMES}"
    patience = given("front.linger", linger, duration)
    believed = trust if trust is None or isinstance(trust, Trust) else Trust(trust)
    rules = Front(http3, believed, certificates, told_of_visitors(sites))
    confs = shared_confs(sites, rules, directory, given("front.upload", upload, size), ports, maintenance)
    confs |= {f"conf.d/{file_for(site)}": site_conf(site, rules) for site in sites}
    confs["nginx.conf"] = MAIN.replace("\nevents", f"worker_shutdown_timeout {patience}s;\n\nevents", 1)
    secrets = {name: text for site in sites for name, text in passwords(site).items()}
    return System(
        packages=["logrotate", "nftables", "nginx", "openssl", *(STYLED if styled(sites) else ())],
        files={
            **{f"/etc/nginx/{name}": File(text, reload=hook) for name, text in confs.items()},
            **{f"/etc/nginx/{n}": File(t, mode=0o640, group="www-data", reload=hook) for n, t in secrets.items()},
            NAMES: File("".join(f"{name}\n" for name in names), reload=hook),
            f"{LIB}/front-certs": script("front-certs"),
            GENERATION: script("nginx-generation"),
            "/etc/logrotate.d/nginx": rotation(given("front.logs", logs, duration) // 86400),
            dropin("logrotate.timer", "eyas-front"): "[Timer]\nOnCalendar=\nOnCalendar=hourly\n",
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
            f"eyas-try-{SERVICE}": f"""\
[Unit]
Description=Looks at files of nginx before they are used

[Service]
Type=oneshot
ExecStart={GENERATION} try
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
        enable=["logrotate.timer"],
        tmpfiles=["d /run/eyas-front/maintenance 0755"],
        probes=[Probe.tcp(80), Probe.tcp(443)],
        sites=sites,
        certificates=uses_of(sites, certificates),
        noise=[f"{OWN}/**"],
    )


def service_dropin(certs: str) -> str:
    """The certificate first, then nginx, in a generation: at start and at reload alike."""
    return f"""\
[Service]
ExecStartPre=
ExecStartPre={certs}
ExecStart=
ExecStart={GENERATION} start
ExecReload=
ExecReload={certs} {GENERATION} reload
ExecStopPost={GENERATION} clear
Restart=on-failure
{FILES}"""
