"""What answers at a place, as lines of a location of nginx. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from eyas.model.answers import (
    LONG_HOLD,
    Answer,
    Answers,
    Backend,
    Choose,
    Linked,
    Proxy,
    Redirect,
    Rewrite,
    Static,
    Upstream,
    backends,
)
from eyas.model.nginx import literal, template, word
from eyas.model.sites import Identity, Location, Login, Site
from eyas.parts.front_text import Lines, block, flag, joined, symbol, time

MARGIN = 15
"""Seconds that nginx waits for a connection beyond the time for which its backend may be held."""
PATIENCE = 60
"""Seconds that a backend may be silent, when nobody says; nginx's own, and not written then."""

SENT: dict[str, str] = {
    "Host": "$host",
    "X-Real-IP": "$remote_addr",
    "X-Forwarded-For": "$remote_addr",
    "X-Forwarded-Proto": "$eyas_scheme",
    "X-Forwarded-Host": "$host",
    "Upgrade": "$http_upgrade",
    "Connection": "$eyas_connection",
}
"""What every backend is told."""

CLEARED = (
    "CF-Connecting-IP",
    "Client-IP",
    "Forwarded",
    "Proxy",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Forwarded",
    "X-Forwarded-Path",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-HTTP-Method-Override",
    "X-Original-Host",
    "X-Original-URL",
    "X-Rewrite-URL",
)
"""Headers that programs take for the word of a proxy: no visitor's gets through."""


@dataclass
class Shared:
    """What the locations of a site have in common, above its servers: upstreams and maps, each once."""

    site: Site
    blocks: list[Lines] = field(default_factory=list)
    cleared: tuple[str, ...] = CLEARED
    """Headers that no visitor sends to a backend."""

    @property
    def symbol(self) -> str:
        return symbol(self.site.name)

    def name(self, what: str) -> str:
        """A name for one more of its kind: ``wiki_example_org_linked``, then ``..._2``."""
        base = f"{self.symbol}_{what}" if what else self.symbol
        used = sum(1 for lines in self.blocks if re.search(rf"[ $]{base}(_\d+)? {{$", lines[0]))
        return f"{base}_{used + 1}" if used else base


def answered(place: Location, shared: Shared) -> Lines:
    """The lines that make a location answer."""
    return _answer(place.answer, place, shared)


def _answer(answer: Answers, place: Location, shared: Shared) -> Lines:
    match answer:
        case Proxy():
            return proxied(answer, place, shared)
        case Static():
            return static(answer, place)
        case Linked():
            return linked(answer, shared)
        case Choose():
            return chosen(answer, place, shared)
        case _:
            return [*typed(answer, place), *returned(answer)]


def returned(answer: Redirect | Answer | Rewrite) -> Lines:
    """What nginx says at once, also in an ``if``."""
    if isinstance(answer, Rewrite):
        return [f"rewrite ^ {literal(answer.to)} last;"]
    if isinstance(answer, Redirect):
        more = "$request_uri" if answer.keep_path else "$is_args$args" if answer.keep_query else ""
        return [f"return {answer.status} {template(answer.to + more)};"]
    return [f"return {answer.status}{' ' + literal(answer.body) if answer.body else ''};"]


def typed(answer: Answers, place: Location) -> Lines:
    """The type of a literal text, whatever the path that was asked for ends with."""
    if not isinstance(answer, Answer) or not answer.body:
        return []
    certain = place.match == "exact" and "." not in place.path.rpartition("/")[2]
    return [*([] if certain else ["types { }"]), f"default_type {word(answer.type)};"]


def chosen(choose: Choose, place: Location, shared: Shared) -> Lines:
    """By an argument of the query; ``if`` with nothing but ``return`` or ``rewrite`` in it is safe."""
    lines: Lines = []
    texts = [case for case in choose.cases.values() if isinstance(case, Answer) and case.body]
    if texts and not isinstance(choose.otherwise, Static | Answer):
        lines += typed(texts[0], place)
    for case, answer in choose.cases.items():
        if case == "*":
            test = '!= ""'
        elif case.startswith("~"):
            test = f"~ {word(case[1:])}"
        else:
            test = f"= {literal(case)}"
        lines += block(f"if ($arg_{choose.argument} {test})", returned(answer))
    return [*lines, *_answer(choose.otherwise, place, shared)]


def linked(answer: Linked, shared: Shared) -> Lines:
    """nginx resolves links in a root only: so the whole path is one, and what it leads to is the redirect's target."""
    name = shared.name("linked")
    base = re.escape(answer.root.rstrip("/"))
    found = f"{name}_path"
    target = template(answer.to.rstrip("/") + f"${found}")
    rule = f"{word(f'~^{base}(?<{found}>/.+)$')} {target};"
    shared.blocks.append(block(f"map $realpath_root ${name}", [rule]))
    path = joined(answer.root.rstrip("/"), "$uri")
    return [
        f"root {path};",
        f"if (!-e {path}) {{ return 404; }}",
        f'if (${name} = "") {{ return 404; }}',
        f"return {answer.status} ${name};",
    ]


# ---------------------------------------------------------------- files


def static(files: Static, place: Location) -> Lines:
    """Files below a folder; in a location that is not the whole site, its path stands for the folder."""
    lines: Lines = []
    replaced = place.match == "prefix" and place.path != "/"
    if replaced:
        lines.append(f"alias {literal(files.root.rstrip('/') + '/')};")
    else:
        lines.append(f"root {literal(files.root)};")
    if files.index != ("index.html",):
        lines.append(f"index {' '.join(literal(name) for name in files.index)};")
    if files.fallback:
        lines.append(f"try_files $uri $uri/ {literal(files.fallback)} =404;")
    lines += listing(files)
    if files.types:
        lines += [
            "include mime.types;",
            *block("types", (f"{kind} {end};" for end, kind in sorted(files.types.items()))),
        ]
    if files.hidden and place.match != "exact":
        lines += ["", *block(f"location ~ {word(f'/({hidden(files)})(/|$)')}", ["return 404;"])]
    return lines


def listing(files: Static) -> Lines:
    if files.listing is None:
        return []
    if files.listing == "json":
        return ["autoindex on;", "autoindex_format json;"]
    if files.listing == "plain":
        return ["autoindex on;", "autoindex_exact_size off;"]
    return [
        "fancyindex on;",
        "fancyindex_exact_size off;",
        "fancyindex_name_length 255;",
        # its own head: with one of ours, it leaves the list out (nginx-module-fancyindex 0.5.2)
        "fancyindex_footer /etc/nginx/eyas/listing-foot.html local;",
        *([f"fancyindex_ignore {word(f'^({hidden(files)})$')};"] if files.hidden else []),
    ]


def hidden(files: Static) -> str:
    """Names with * and ? in them as one regular expression."""
    parts = ("".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in name) for name in files.hidden)
    return "|".join(parts)


# ---------------------------------------------------------------- containers


def proxied(proxy: Proxy, place: Location, shared: Shared) -> Lines:
    """A container answers."""
    site = shared.site
    scheme = f"{'https' if proxy.https else 'http'}://{_peer(proxy, shared)}"
    path = literal(proxy.path) if proxy.path else ""
    quote, path = (path[0], path[1:]) if path[:1] in ("'", '"') else ("", path)
    lines = [f"proxy_pass {quote}{scheme}{path};"]
    timeout = place.timeout or (3600 if proxy.stream else None) or site.timeout or PATIENCE
    if timeout != PATIENCE:
        lines += [f"proxy_read_timeout {time(timeout)};", f"proxy_send_timeout {time(timeout)};"]
    longest = max(one.hold or 0 for one in backends(proxy))
    if longest > LONG_HOLD:
        lines.append(f"proxy_connect_timeout {time(longest + MARGIN)};")
    upload = site.upload if place.upload is None else place.upload
    if upload is not None:
        lines.append("proxy_request_buffering off;")
    buffering = place.buffering if place.buffering is not None else False if proxy.stream else site.buffering
    if buffering is False:
        lines.append("proxy_buffering off;")
    lines += _tls(proxy)
    lines += _told(proxy, place, shared)
    return lines


def _peer(proxy: Proxy, shared: Shared) -> str:
    if isinstance(proxy.to, Backend):
        return _address(proxy.to)
    lines = _upstream(proxy.to)
    for known in shared.blocks:
        if known[0].startswith("upstream ") and known[1:] == lines[1:]:
            return known[0].split()[1]
    name = shared.name("")
    shared.blocks.append([f"upstream {name} {{", *lines[1:]])
    return name


def _address(backend: Backend) -> str:
    return f"@{{{backend.container}.address}}:{backend.port}"


def _upstream(group: Upstream) -> Lines:
    lines = {"turns": [], "least": ["least_conn;"], "client": ["ip_hash;"]}[group.balance]
    fails = "" if (group.max_fails, group.fail_timeout) == (1, 10) else (
        f" max_fails={group.max_fails} fail_timeout={time(group.fail_timeout)}"
    )  # fmt: skip
    lines = [*lines, *(f"server {_address(one)}{fails};" for one in group.servers)]
    lines += [f"server {_address(one)}{fails} backup;" for one in group.backup]
    if group.keepalive:
        lines.append(f"keepalive {group.keepalive};")
    return block("upstream x", lines)


def _tls(proxy: Proxy) -> Lines:
    if not proxy.https:
        return []
    lines = ["proxy_ssl_server_name on;", f"proxy_ssl_name {proxy.verify_name or '$host'};"]
    if proxy.verify:
        lines += [f"proxy_ssl_trusted_certificate {word(proxy.verify)};", "proxy_ssl_verify on;"]
    return lines


def _told(proxy: Proxy, place: Location, shared: Shared) -> Lines:
    """The headers towards the backend, where they are not the usual ones: nginx takes all or none from above."""
    site = shared.site
    own: dict[str, str] = {}
    login = site.login if place.login is None else place.login
    if isinstance(login, Login) and not proxy.credentials:
        own["Authorization"] = ""  # the password is between the visitor and the front
    for one in identities(site):
        own |= {name: "" for name in (one.header, one.source) if name}
    if proxy.host is not None:
        own["Host"] = template(proxy.host)
    for name, text in proxy.headers.items():
        own[name] = template(text) if text else ""
    who = place.identity or site.identity
    if who is not None:
        own[who.header] = f"${identity_variable(who, site)}"
    if not own and not proxy.credentials:
        return []
    taken = {name.lower() for name in own}
    own = {**{name: "" for name in shared.cleared if name not in CLEARED and name.lower() not in taken}, **own}
    if taken & {name.lower() for name in (*SENT, *CLEARED)}:
        lines = [f"proxy_set_header {name} {value};" for name, value in SENT.items() if name.lower() not in taken]
        lines += [f'proxy_set_header {name} "";' for name in CLEARED if name.lower() not in taken]
    else:
        lines = ["include eyas/proxy-headers;"]
    lines += [f"proxy_set_header {name} {value or chr(34) * 2};" for name, value in own.items()]
    return [*lines, *([f"include {word(proxy.credentials)};"] if proxy.credentials else [])]


def identities(site: Site) -> list[Identity]:
    """Everything that tells who the visitor is, anywhere in the site."""
    found = (site.identity, *(place.identity for place in site.places))
    return [who for who in found if who is not None]


def identity_variable(who: Identity, site: Site) -> str:
    """The variable that has the visitor's name; empty for nobody."""
    if who.by == "login":
        return "remote_user"
    if who.by == "certificate":
        return f"{symbol(site.name)}_visitor"
    name = str(who.source).lower().replace("-", "_")
    return f"{symbol(site.name)}_{name}" if site.listen == "public" and not site.client_ca else f"http_{name}"


def containers(place: Location) -> list[str]:
    """The containers that answer at a place, each once."""
    return list(dict.fromkeys(backend.container for backend in backends(place.answer)))


def flags(place: Location, site: Site) -> Lines:
    """Maintenance of the site, and of the container that answers where it is one."""
    names = containers(place)
    return [flag(site.name), *([flag(f"@{names[0]}")] if len(names) == 1 else [])]
