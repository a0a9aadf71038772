"""A cache of what is fetched from others: files and git repositories, asked for once for all who need them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from eyas.model import Backend, Bind, Container, File, Probe, System
from eyas.model.values import duration, size
from eyas.parts.common import HEADER, LIB, dropin, join, script
from eyas.parts.given import given
from eyas.parts.nginx import SERVICE, nginx

PORT = 3128
INNER = 3129
PROGRAM = "/etc/nginx/source-cache.lua"
RESOLVER = f"{LIB}/source-cache-resolver"


def source_cache(
    directory: str,
    *,
    port: int = PORT,
    ceiling: int = 1000,
    fresh: str | int = "1h",
    git: str | int = "1m",
    pause: str | int = "1m",
    keep: str | int = "30d",
    space: str | int = "20G",
    tries: int = 6,
    destinations: Sequence[str] = (),
) -> System:
    """A cache for http(s) URLs and git repositories: who would ask ``https://github.com/a/b`` asks
    ``http://CACHE:3128/https/github.com/a/b``. Builders do when told so: ``package_builder(..., sources=CACHE)``.

    ``directory`` of the host holds at most ``space``; what nobody asks for within ``keep`` goes. A file counts as fresh
    for ``fresh``, or longer where its server says so, what a repository has for ``git``; after that it is asked for
    anew, with its ETag. Many who want one thing wait for one request; while a server is away, or refuses, what there is
    of it is served. ``ceiling``: requests an hour to each destination (0: any number); who wants more gets 429 with
    Retry-After, and the journal says so. A destination that answers 429 is left alone for as long as it says, else for
    ``pause``, doubled each time. Where connections leave by a pool of addresses (`Egress`), refusals are told to it,
    and ``tries`` addresses are tried before that. ``destinations``: these names only (``*.`` is all below one).
    """
    conf = SITE.format(
        directory=DIRECTORY,
        program=PROGRAM,
        port=port,
        inner=INNER,
        again="\n".join([f"    server 127.0.0.1:{INNER} max_fails=0;"] * (tries + 1)),
        keep=given("source_cache.keep", keep, duration),
        space=given("source_cache.space", space, size),
        settings=_lua(
            ceiling=ceiling,
            fresh=given("source_cache.fresh", fresh, duration),
            git=given("source_cache.git", git, duration),
            pause=given("source_cache.pause", pause, duration),
            tries=tries,
            destinations=[each.lower() for each in destinations],
        ),
    )
    text = (files(__package__) / "scripts" / "source-cache.lua").read_text()
    cache = System(
        packages=["ca-certificates", "libnginx-mod-http-lua"],
        files={
            PROGRAM: File(text, reload=(SERVICE,)),
            RESOLVER: script("source-cache-resolver"),
            "/etc/nginx/source-cache.fetch": File(FETCH, reload=(SERVICE,)),
            dropin(SERVICE, "source-cache"): SERVICE_TEXT,
        },
        binds=[Bind(directory, DIRECTORY, persistent=True, mode=0o700)],
        probes=[Probe.tcp(port)],
    )
    return join(nginx({"source-cache": conf}, port=port), cache)


def cache_url(of: Container | Backend | str) -> tuple[str, list[Backend]]:
    """Where a source cache is asked, and what of it has to be used. ``of`` is the container that it is in, the name of
    one, a port of one, or a URL."""
    if isinstance(of, str) and "://" in of:
        return of.rstrip("/"), []
    port = of if isinstance(of, Backend) else Backend(of if isinstance(of, str) else of.name, PORT)
    return f"http://@{{{port.container}.address}}:{port.port}", [port]


def _lua(**values: object) -> str:
    def one(value: object) -> str:
        return "{ " + ", ".join(f'"{each}"' for each in value) + " }" if isinstance(value, list) else str(value)

    return "{ " + ", ".join(f"{name} = {one(value)}" for name, value in values.items()) + " }"


DIRECTORY = "/var/cache/source-cache"

SERVICE_TEXT = f"""\
[Service]
ExecStartPre=
ExecStartPre={RESOLVER}
ExecStartPre=/usr/sbin/nginx -t -q -g 'daemon on; master_process on;'
ExecReload=
ExecReload={RESOLVER}
ExecReload=/usr/sbin/nginx -g 'daemon on; master_process on;' -s reload
"""

SITE = """\
lua_shared_dict source_memory 10m;
lua_socket_log_errors off;
init_by_lua_block {{
    source_cache = dofile("{program}")
    source_cache.set({settings})
}}
proxy_cache_path {directory} levels=2:2 keys_zone=source_cache:64m max_size={space} inactive={keep}s use_temp_path=off;
log_format source_cache_asked '$remote_addr $upstream_cache_status $status $body_bytes_sent $request';
log_format source_cache_said '$sc_said';

# The inner server, as often as it may be asked for one thing.
upstream source_fetch {{
{again}
}}

# What is asked by others: keeps, and passes on what it has not.
server {{
    listen {port};
    listen [::]:{port};
    # What it has costs nobody anything, and is not worth a line.
    access_log syslog:server=unix:/dev/log,nohostname,tag=source_cache_asked source_cache_asked if=$source_asked;
    client_max_body_size 64m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_read_timeout 15m;
    proxy_set_header X-Request-Id $request_id;
    proxy_next_upstream http_504 non_idempotent;
    proxy_cache source_cache;
    proxy_cache_key $request_uri;
    proxy_cache_lock on;
    proxy_cache_lock_age 15m;
    proxy_cache_lock_timeout 15m;
    proxy_cache_revalidate on;
    proxy_cache_background_update on;
    proxy_cache_use_stale error timeout invalid_header http_500 http_502 http_503 http_504 http_403 http_429;
    add_header X-Source-Cache $upstream_cache_status always;

    location / {{
        limit_except GET {{ deny all; }}
        proxy_pass http://source_fetch;
    }}
    location ~ /git-upload-pack$ {{
        set $sc_body "";
        client_body_buffer_size 64k;
        access_by_lua_block {{ source_cache.listing() }}
        proxy_cache_methods GET HEAD POST;
        proxy_cache_key "$request_uri $http_git_protocol $sc_body";
        proxy_cache_bypass $sc_contents;
        proxy_no_cache $sc_contents;
        proxy_pass http://source_fetch;
    }}
}}
map $upstream_cache_status $source_asked {{
    HIT 0;
    default 1;
}}
map $sc_body $sc_contents {{
    "" 1;
    default 0;
}}

# What asks others.
server {{
    listen 127.0.0.1:{inner};
    access_log syslog:server=unix:/dev/log,nohostname,severity=warn,tag=source_cache source_cache_said if=$sc_said;
    client_max_body_size 64m;
    recursive_error_pages on;

    location / {{
        set $sc_said "";
        set $sc_scheme "";
        set $sc_host "";
        set $sc_rest "";
        set $sc_target "";
        set $sc_port 0;
        set $sc_family "";
        set $sc_hops 0;
        access_by_lua_block {{ source_cache.begin() }}
    }}
    location @six {{
        include /run/source-cache/ipv6*.conf;
        set $sc_family 6;
        include source-cache.fetch;
        # The port is ours, so that a refusal can be told of the very connection.
        proxy_bind [::]:$sc_port;
        error_page 500 502 504 = @four;
        proxy_pass $sc_target;
    }}
    location @four {{
        include /run/source-cache/ipv4*.conf;
        set $sc_family 4;
        access_by_lua_block {{ source_cache.four() }}
        include source-cache.fetch;
        error_page 500 502 504 = @away;
        proxy_pass $sc_target;
    }}
    location @again {{
        access_by_lua_block {{ source_cache.again() }}
    }}
    location @follow {{
        access_by_lua_block {{ source_cache.follow() }}
    }}
    location @away {{
        access_by_lua_block {{ source_cache.away() }}
    }}
}}
"""

FETCH = (
    HEADER
    + """\
proxy_http_version 1.1;
proxy_set_header Connection close;
proxy_set_header Host $sc_host;
proxy_set_header Accept-Encoding "";
proxy_set_header Authorization "";
proxy_set_header Cookie "";
proxy_set_header X-Request-Id "";
proxy_ssl_server_name on;
proxy_ssl_verify on;
proxy_ssl_verify_depth 5;
proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
proxy_connect_timeout 5s;
proxy_read_timeout 60s;
proxy_next_upstream off;
proxy_max_temp_file_size 0;
proxy_intercept_errors on;
error_page 403 429 503 = @again;
error_page 301 302 303 307 308 = @follow;
header_filter_by_lua_block { source_cache.keep() }
"""
)
