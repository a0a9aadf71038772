"""A site as a file of nginx: what stands above its servers, the redirect from HTTP, the server with its locations.

Everything is written where a person would look for it: settings of the site in its server, those of a location in the
location. Where nginx takes all lines of a kind or none from above (headers), a location that has its own repeats them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eyas.core.words import digest
from eyas.model.answers import Answer, Choose, Linked, Proxy, Redirect, Rewrite, Static
from eyas.model.certificates import Acme
from eyas.model.nginx import literal, word
from eyas.model.site_values import words_of
from eyas.model.sites import Location, Login, Settings, Site, Trust
from eyas.parts.common import HEADER
from eyas.parts.front_answers import CLEARED, Shared, answered, flags, identities, identity_variable
from eyas.parts.front_text import Lines, apart, block, file_of, header, joined, networks, raw, said, space, symbol, time
from eyas.parts.front_tls import tls_lines

LOGS = "/var/log/nginx"
AT_ONCE = (Redirect, Answer, Rewrite, Linked)
"""What nginx answers before it asks who may."""


@dataclass(frozen=True)
class Front:
    """What the front says about all sites, as far as one site has to know."""

    http3: bool = True
    trust: Trust | None = None
    certificates: str | Acme = ""
    identities: tuple[str, ...] = ()
    """Headers in which a site tells its backend who the visitor is: no visitor says that himself, to any site."""

    @property
    def cleared(self) -> tuple[str, ...]:
        """Headers that no visitor sends to a backend."""
        return (*CLEARED, *self.identities)


def site_conf(site: Site, front: Front) -> str:
    """The file of a site."""
    shared = Shared(site, cleared=front.cleared)
    server = _server(site, front, shared)
    name = said(site, f"Site({literal(site.name) if '*' in site.name else chr(34) + site.name + chr(34)})")
    blocks: list[Sequence[str]] = [[HEADER.rstrip("\n"), name], *_visitors(site, front), *shared.blocks]
    if site.listen == "public" and not site.plain:
        blocks.append(_redirect(site))
    return "\n".join([*apart([*blocks, server]), ""])


def file_for(site: Site) -> str:
    """The name of its file in conf.d."""
    return f"site-{file_of(site.name)}.conf"


def passwords(site: Site) -> dict[str, str]:
    """Files with hashed passwords: name below /etc/nginx/eyas to content."""
    logins = [one.login for one in (site, *site.places) if isinstance(one.login, Login)]
    return {
        _users(login): "".join(f"{name}:{hashed}\n" for name, hashed in sorted(login.users.items()))
        for login in logins
        if login.users
    }


def _redirect(site: Site) -> Lines:
    return block(
        "server",
        [
            "include listen/http;",
            f"server_name {' '.join(site.names)};",
            "include eyas/http;",
            "",
            *block("location /", ["return 301 https://$host$request_uri;"]),
        ],
    )


def _server(site: Site, front: Front, shared: Shared) -> Lines:
    listens = ["include listen/loopback;"] if site.listen == "loopback" else ["include listen/https;"]
    if site.plain and site.listen == "public":
        listens = ["include listen/http;", *listens, "include eyas/http;"]
    listens[-1:] = [*listens[-1:], *(f"include listen/tls-{port};" for port in site.tls_ports)]
    log = "off" if site.access_log is False else f"{LOGS}/{file_of(site.name)}.log"
    lines = [
        *listens,
        f"server_name {' '.join(site.names)};",
        "include eyas/unavailable;",
        f"include {'eyas/unavailable-page' if site.maintenance is None else page_of(site)};",
        f"access_log {log};",
    ]
    lines += tls_lines(site, front.certificates)
    if site.client_ca:
        lines += [f"ssl_client_certificate {word(site.client_ca)};", "ssl_verify_client on;"]
    if site.trust:
        lines += trusting(site.trust)
    lines += _settings(site, site, shared)
    lines += _headers(site, None, front)
    if site.extra.strip():
        lines += ["", *raw(site.extra)]
    places = [_location(place, site, front, shared, number) for number, place in enumerate(site.places, 1)]
    if not any(place.match == "prefix" and place.path == "/" for place in site.places):
        places.append(block("location /", ["return 404;"]))
    return block("server", apart([lines, *places]))


def page_of(site: Site) -> str:
    """The file that leads to a site's own page, below /etc/nginx."""
    return f"eyas/unavailable-{file_of(site.name)}"


def trusting(trust: Trust) -> Lines:
    """Who is believed about the visitor's address; the last one in the header whom nobody trusts is the visitor."""
    return [
        *(f"set_real_ip_from {network};" for network in networks(trust.sources)),
        f"real_ip_header {trust.header};",
        "real_ip_recursive on;",
    ]


def _visitors(site: Site, front: Front) -> list[Lines]:
    """Who the visitor is, where a certificate or a trusted proxy tells it."""
    found: list[Lines] = []
    trust = site.trust or front.trust
    for who in {identity_variable(who, site): who for who in identities(site)}.values():
        name = identity_variable(who, site)
        if who.by == "certificate":
            common = rf"~(?:^|(?<!\\),)CN=(?<{name}_cn>[^,\\+]+)"
            rule = f"{word(common)} ${name}_cn;"
            found.append(block(f"map $ssl_client_s_dn ${name}", [rule]))
        elif not name.startswith(("http_", "remote_")):
            peers = networks(trust.sources) if trust else []
            said_by = f"{symbol(site.name)}_trusted"
            if not any(lines[0].startswith("geo") for lines in found):
                rules = ["default 0;", *(f"{peer} 1;" for peer in peers)]
                found.append(block(f"geo $realip_remote_addr ${said_by}", rules))
            variable = str(who.source).lower().replace("-", "_")
            found.append(block(f"map ${said_by} ${name}", [f"1 $http_{variable};", 'default "";']))
    return found


# ---------------------------------------------------------------- settings


def _settings(one: Settings, site: Site, shared: Shared) -> Lines:
    """What stands in a server or location because it was said there."""
    lines = [f"deny {network};" for network in networks(one.deny)]
    lines += [f"allow {network};" for network in networks(one.allow)]
    if one.allow:
        lines.append("deny all;")
    elif one.deny and one is not site:
        lines.append("allow all;")
    if isinstance(one.login, Login):
        place = one.login.file or f"/etc/nginx/{_users(one.login)}"
        lines += [f"auth_basic {literal(one.login.realm)};", f"auth_basic_user_file {literal(place)};"]
    elif one.login is False and one is not site:
        lines.append("auth_basic off;")
    if one.upload is not None:
        lines.append(f"client_max_body_size {space(one.upload)};")
    if one.expires is not None:
        lines.append(f"expires {_expires(one.expires, shared)};")
    return lines


def _users(login: Login) -> str:
    return f"eyas/users-{digest({**login.users})[:12]}"


def _expires(lifetime: str | dict[str, str], shared: Shared) -> str:
    """A time, or a map by kind of answer."""
    if isinstance(lifetime, str):
        return _lifetime(lifetime)
    endings = {kind: text for kind, text in lifetime.items() if kind.startswith(".")}
    types = {kind: text for kind, text in lifetime.items() if not kind.startswith(".") and kind != "default"}
    rules = [f"{_kind(kind)} {_lifetime(text)};" for kind, text in sorted(types.items(), key=lambda i: "*" in i[0])]
    name = shared.name("expires")
    rest = f"default {_lifetime(lifetime['default']) if 'default' in lifetime else 'off'};"
    if endings:
        by_path = [f"~{_escape(kind)}$ {_lifetime(text)};" for kind, text in sorted(endings.items())]
        below = f"${name}_by_type" if types else None
        last = f"default {below};" if below else rest
        shared.blocks.append(block(f"map $uri ${name}", [*by_path, last]))
        if below:
            shared.blocks.append(block(f"map $sent_http_content_type {below}", [*rules, rest]))
    else:
        shared.blocks.append(block(f"map $sent_http_content_type ${name}", [*rules, rest]))
    return f"${name}"


def _escape(ending: str) -> str:
    return ending.replace(".", r"\.")


def _kind(kind: str) -> str:
    """A type of content as it is sent, with or without a charset behind it."""
    head, _, tail = kind.partition("/")
    escaped = kind.replace(".", r"\.").replace("+", r"\+")
    return f"~^{head}/" if tail == "*" else word(f"~^{escaped}(;|$)")


def _lifetime(text: str) -> str:
    return {"never": "epoch", "forever": "max"}.get(text) or time(int(text.removesuffix("s")))


def _headers(site: Site, place: Location | None, front: Front) -> Lines:
    """Headers of answers: all of them in the server, and again where a location has its own."""
    if place is not None and not place.headers:
        return []
    wanted: dict[str, tuple[str, str | None]] = {}
    if front.http3 and site.listen == "public":
        wanted["alt-svc"] = ("Alt-Svc", 'h3=":443"; ma=86400')
    if site.hsts:
        wanted["strict-transport-security"] = ("Strict-Transport-Security", f"max-age={site.hsts}")
    for name, text in (*words_of(site.headers), *(words_of(place.headers) if place else ())):
        wanted[name.lower()] = (name, text)
    lines = [header(name, text) for name, text in wanted.values() if text]
    own = {name.lower() for one in (site, place) if one for name in one.headers}
    own |= {"strict-transport-security"} if site.hsts else set()
    if any(isinstance(_last(p), Proxy) for p in ([place] if place else site.places)):
        lines += [f"proxy_hide_header {name};" for key, (name, _) in wanted.items() if key in own]
    return lines


def _last(place: Location) -> object:
    return place.answer.otherwise if isinstance(place.answer, Choose) else place.answer


# ---------------------------------------------------------------- locations

SIGNS = {"prefix": "", "exact": "= ", "regex": "~ ", "regex-any-case": "~* "}


def head_of(place: Location) -> str:
    """How its block begins."""
    return f"location {SIGNS[place.match]}{word(_folder(place))}"


def _folder(place: Location) -> str:
    """The path; where it stands for a folder with a slash at its end, or ``/docs../`` would lead out of it."""
    alone = place.match == "prefix" and isinstance(_last(place), Static)
    return place.path if not alone or place.path.endswith("/") else f"{place.path}/"


def _location(place: Location, site: Site, front: Front, shared: Shared, number: int) -> Lines:
    lines: Lines = ["internal;"] if place.internal else []
    lines += flags(place, site)
    methods = place.methods or site.methods
    if methods:
        refused = [f'add_header Allow "{", ".join(methods)}" always;', "return 405;"]
        lines += block(f'if ($request_method !~ "^({"|".join(methods)})$")', refused)
    who = place.identity or site.identity
    if who is not None and who.by != "login":
        lines.append(f'if (${identity_variable(who, site)} = "") {{ return 403; }}')
    log = place.access_log
    if log is not None and log != (site.access_log is not False):
        lines.append(f"access_log {f'{LOGS}/{file_of(site.name)}.log' if log else 'off'};")
    lines += _settings(place, site, shared)
    if isinstance(place.answer, Redirect) and place.answer.expires is not None:
        lines.append(f"expires {_expires(place.answer.expires, shared)};")
    headers = _headers(site, place, front)
    head = head_of(place)
    guard = _guarded(place, site)
    after: Lines = []
    if guard:
        name = f"@answer-{number}"
        # nginx asks who may only after it has returned: so what returns stands one step further.
        lines += [*headers, f"try_files /dev/null {name};"]
        after = ["", *block(f"location {name}", [*headers, *answered(place, shared)])]
    else:
        lines += [*headers, *answered(place, shared)]
    if place.extra.strip():
        lines += ["", *raw(place.extra)]
    found = [*_comment(place, site), *block(head, lines), *after]
    if _folder(place) != place.path:
        away = f"return 301 {joined(_folder(place), '$is_args$args')};"
        found += ["", *block(f"location = {word(place.path)}", [away])]
    return found


def _comment(place: Location, site: Site) -> Lines:
    """Where the location was written, when that is not where the site was."""
    return [said(place, "Location")] if place.origin.partition(":")[0] != site.origin.partition(":")[0] else []


def _guarded(place: Location, site: Site) -> bool:
    """Whether somebody has to be asked who he is before an answer that nginx gives without asking."""
    asked = place.allow or place.deny or site.allow or site.deny
    login = place.login if place.login is not None else site.login
    at_once = isinstance(place.answer, (*AT_ONCE, Choose))
    return bool(at_once and (asked or isinstance(login, Login)))
