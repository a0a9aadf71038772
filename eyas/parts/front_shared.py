"""What all sites of a front share: TLS, compression, headers, what is listened on, the answer to unknown names, the
page that stands in for a backend that is away. Pure texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from eyas.model.answers import LONG_HOLD, Choose, Static
from eyas.model.sites import Site
from eyas.parts.common import HEADER, LIB
from eyas.parts.front_answers import CLEARED, MARGIN, SENT, identities
from eyas.parts.front_sites import Front, page_of, trusting
from eyas.parts.front_text import file_of
from eyas.parts.front_tls import CHALLENGES

PAGES = "/etc/nginx/eyas/pages"

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""TLS 1.2 with forward secrecy and authenticated encryption: Mozilla's "intermediate", without finite-field DHE."""

COMPRESSED = """
application/atom+xml application/javascript application/json application/ld+json application/manifest+json
application/rss+xml application/wasm application/xhtml+xml application/xml font/ttf image/svg+xml image/x-icon
text/css text/javascript text/plain text/vcard text/xml
"""  # not text/event-stream, which would wait for more to compress

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Back soon</title>
<style>
body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 0; display: grid; place-items: center; min-height: 100vh;
       background: Canvas; color: CanvasText; color-scheme: light dark; }
main { max-width: 32rem; padding: 2rem; }
</style>
</head>
<body>
<main>
<h1>Back soon</h1>
<p>This service is being worked on, or is away for a moment. Please try again in a minute.</p>
</main>
</body>
</html>
"""


def shared_confs(
    sites: Sequence[Site],
    front: Front,
    certificates: str,
    upload: int,
    ports: Sequence[int],
    page: str,
) -> dict[str, str]:
    """Files below /etc/nginx that are no site's own, by name."""
    more = sorted({port for site in sites for port in site.tls_ports} - {443, *ports})
    found = {"conf.d/00-front.conf": common_conf(front, certificates, upload, more)}
    found |= {f"listen/{name}": text for name, text in listens(ports, more, front.http3).items()}
    found["eyas/proxy-headers"] = HEADER + "".join(f"proxy_set_header {n} {v};\n" for n, v in SENT.items())
    found["eyas/proxy-headers"] += "".join(f'proxy_set_header {name} "";\n' for name in CLEARED)
    found["eyas/http"] = f"{HEADER}# What is answered over HTTP for any name, beside the way to HTTPS.\n{CHALLENGES}"
    found |= {"eyas/unavailable": UNAVAILABLE, "eyas/unavailable-page": page_conf("default")}
    found |= {"eyas/pages/default.html": page, "eyas/pages/plain.txt": "503 This service is away for a moment.\n"}
    for site in sites:
        if site.maintenance is not None:
            found[page_of(site)] = page_conf(file_of(site.name))
            found[f"eyas/pages/{file_of(site.name)}.html"] = site.maintenance
    if styled(sites):
        found["eyas/listing-foot.html"] = own("listing-foot.html")
    return found


def told_of_visitors(sites: Iterable[Site]) -> tuple[str, ...]:
    """The headers in which any site's backend is told who the visitor is."""
    headers = {name: None for site in sites for who in identities(site) for name in (who.header, who.source) if name}
    return tuple(sorted(headers, key=str.lower))


def own(name: str) -> str:
    """A file of this package."""
    return (files(__package__) / "pages" / name).read_text()


def styled(sites: Iterable[Site]) -> bool:
    """Whether any of them shows a folder with style."""
    answers = [place.answer for site in sites for place in site.places]
    answers = [one.otherwise if isinstance(one, Choose) else one for one in answers]
    return any(isinstance(one, Static) and one.listing == "styled" for one in answers)


UNAVAILABLE = f"""\
{HEADER}
# A backend that is away, or maintenance: browsers get a page, programs a line of text.
error_page 502 503 504 =503 $eyas_unavailable;

location = /.eyas/unavailable.txt {{
    internal;
    auth_basic off;
    allow all;
    access_log off;
    add_header Retry-After 30 always;
    add_header Cache-Control no-store always;
    default_type text/plain;
    alias {PAGES}/plain.txt;
}}
"""


def page_conf(name: str) -> str:
    """Leads to the page of a site."""
    return f"""\
{HEADER}
location = /.eyas/unavailable.html {{
    internal;
    auth_basic off;
    allow all;
    add_header Retry-After 30 always;
    add_header Cache-Control no-store always;
    default_type text/html;
    alias {PAGES}/{name}.html;
}}
"""


def rotation(days: int) -> str:
    """For logrotate(8): every generation of nginx opens its logs anew."""
    return f"""\
{HEADER}
/var/log/nginx/*.log {{
    daily
    maxsize 100M
    rotate {max(1, days)}
    maxage {max(1, days)}
    missingok
    notifempty
    compress
    delaycompress
    create 0640 www-data adm
    sharedscripts
    postrotate
        {LIB}/nginx-generation reopen
    endscript
}}
"""


def listens(ports: Sequence[int], more: Sequence[int], http3: bool) -> Mapping[str, str]:
    """The files that servers include for what they listen on, by name: those for unknown names set the sockets up.
    ``ports`` are for all sites beside 443, each of ``more`` for some."""
    found = {"status": f"{HEADER}listen 127.0.0.1:8081;\n"}
    for suffix, flag, socket in (("", "", ""), ("-default", " default_server", " default_server reuseport")):
        lines: dict[str, list[str]] = {"http": [], "https": [], **{f"tls-{port}": [] for port in more}}
        lines["loopback"] = [f"listen 127.0.0.1:8080{flag};", f"listen 127.0.0.1:8443 ssl{flag};"]
        for family in ("", "[::]:"):
            lines["http"].append(f"listen {family}80{flag};")
            lines["https"] += [f"listen {family}{port} ssl{flag};" for port in (443, *ports)]
            if http3:
                lines["https"].append(f"listen {family}443 quic{socket};")
            for port in more:
                lines[f"tls-{port}"].append(f"listen {family}{port} ssl{flag};")
        for name, rows in lines.items():
            found[name + suffix] = HEADER + "".join(f"{row}\n" for row in rows)
    return found


def common_conf(front: Front, certificates: str, upload: int, more: Sequence[int]) -> str:
    """What stands above all servers, and the servers of unknown names."""
    quic = f"quic_host_key       {certificates}/front/quic.key;\n" if front.http3 else ""
    believed = "\n" + "".join(f"{line}\n" for line in trusting(front.trust)) if front.trust else ""
    unknown = "".join(f"    include listen/tls-{port}-default;\n" for port in more)
    names = "".join(f'proxy_set_header {name} "";\n' for name in front.identities)
    types = _wrapped("gzip_types", COMPRESSED.split("\n"))
    return f"""\
{HEADER}
# A WebSocket, or else nothing about the connection.
map $http_upgrade $eyas_connection {{
    default upgrade;
    ''      '';
}}

# Who comes through a tunnel came to it by HTTPS.
map $server_port $eyas_scheme {{
    default $scheme;
    8080    https;
}}

# Browsers read pages, programs do not.
map $http_accept $eyas_unavailable {{
    default     /.eyas/unavailable.txt;
    ~text/html  /.eyas/unavailable.html;
}}

geo $eyas_dollar {{
    default "$";
}}

ssl_certificate     {certificates}/front/current/fullchain.pem;
ssl_certificate_key {certificates}/front/current/key.pem;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers {CIPHERS};
ssl_prefer_server_ciphers off;
ssl_session_cache shared:front:10m;
ssl_session_timeout 1d;
ssl_session_tickets off;
http2 on;
{quic}{believed}
gzip_vary on;
gzip_proxied any;
gzip_min_length 1024;
{types}

client_max_body_size {upload};
proxy_http_version 1.1;
# longer than connections to a container that restarts are held
proxy_connect_timeout {LONG_HOLD + MARGIN}s;
# who reads slowly makes the backend wait, and fills no disk
proxy_max_temp_file_size 0;
include eyas/proxy-headers;
{names}
server {{
    include listen/http-default;
    server_name _;
    access_log off;
    include eyas/http;

    location / {{
        return 404;
    }}
}}

server {{
    include listen/https-default;
{unknown}    include listen/loopback-default;
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


def _wrapped(name: str, words: Sequence[str]) -> str:
    """A directive with many values, on several lines."""
    return name + "".join(f"\n    {word}" for word in words if word) + ";"
