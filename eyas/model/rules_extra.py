"""Raw lines of nginx in a site or location (``extra``): read as nginx reads them, and held to what the rest promises.

What is looked for: directives that take away what every site has (the headers that tell backends who asks, what is
listened on), ``if`` with more in it than nginx can do there, variables that do not exist, files that can be reached
past an ``alias``, addresses of containers typed by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from eyas.model import nginx
from eyas.model.nginx import Directive
from eyas.model.values import nearest

FORBIDDEN: Mapping[str, str] = {
    "access_log": "write access_log=False; each site has a log of its own",
    "error_page": "the page for a backend that is away is the site's `maintenance`",
    "include": "a file beside the definition is read by File.read, and what it says can stand here",
    "listen": "write listen=, tls_ports= of the site, or ports= of the front",
    "proxy_set_header": "write Proxy(..., headers={...}): one line here takes all usual headers away",
    "quic_host_key": "it belongs to the front",
    "real_ip_header": "write trust=Trust([...], HEADER)",
    "real_ip_recursive": "write trust=[...]",
    "server": "write another Site",
    "server_name": "write aliases=[...]",
    "set_real_ip_from": "write trust=[...]",
    "ssl_certificate": "certificates are the front's affair",
    "ssl_certificate_key": "certificates are the front's affair",
    "ssl_client_certificate": "write client_ca=FILE",
    "ssl_verify_client": "write client_ca=FILE",
    "underscores_in_headers": "X_Real_IP would be taken for X-Real-IP by a backend",
}
"""What may not stand there, and what to write instead."""

IN_IF = {"return", "rewrite", "set", "break", "access_log", "limit_rate", "limit_rate_after", "add_header"}
"""What nginx can do in an ``if`` without surprises."""

DEFINING = {"set": 1, "map": 2, "geo": -1, "auth_request_set": 1, "split_clients": 2, "perl_set": 1, "js_set": 1}

Above = tuple[Directive, ...]
Problem = tuple[int, str, str]
"""Line within the text (from 1), what is wrong, what to do."""


def problems(text: str, addresses: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with raw lines. ``addresses`` of containers to their names."""
    found = nginx.parse(text)
    every = list(_all(found, ()))
    own = {name for directive, _ in every for name in _defined(directive)}
    for directive, above in every:
        yield from _forbidden(directive, above)
        yield from _unknown(directive, own)
        yield from _typed(directive, addresses)


def _all(
    directives: Iterable[Directive], above: tuple[Directive, ...]
) -> Iterator[tuple[Directive, tuple[Directive, ...]]]:
    for directive in directives:
        yield directive, above
        yield from _all(directive.block or (), (*above, directive))


def _defined(directive: Directive) -> set[str]:
    """Variables that a directive makes: ``set $x``, ``(?<x>...)`` in an expression."""
    names = {name for word in directive.words for name in re.findall(r"\(\?P?[<'](\w+)[>']", word)}
    place = DEFINING.get(directive.name)
    if place is not None and len(directive.words) > abs(place):
        names.add(directive.words[place].lstrip("$"))
    return names


def _forbidden(directive: Directive, above: Above) -> Iterator[Problem]:
    name, words, line = directive.name, directive.words, directive.line
    inside = above[-1] if above else None
    if name in FORBIDDEN:
        yield line, f"{name} may not stand here", FORBIDDEN[name]
    if inside is not None and inside.name == "if" and name not in IN_IF:
        yield line, f"nginx cannot do {name} in an if reliably", "return or rewrite there, or use Choose"
    if inside is not None and inside.name == "location" and name == "alias" and len(words) > 1:
        path = inside.words[-1]
        if len(inside.words) == 2 and words[1].endswith("/") and not path.endswith("/"):
            yield line, f"{path}../ leads out of {words[1]}", f"write location {path}/, or Static(...)"
    if inside is not None and inside.name == "location" and name == "proxy_pass" and len(words) > 1:
        expression = len(inside.words) > 2 and inside.words[1] in ("~", "~*")
        if expression and re.match(r"https?://[^/]+/", words[1]):
            yield line, "in a location with an expression, nginx takes no path in proxy_pass", "leave the path out"
    target = words[-1] if name == "rewrite" or (name == "return" and words[1:2] and words[1].startswith("3")) else ""
    if name == "add_header" or target.startswith(("http", "/", "$")):
        said = " ".join(words[1:])
        if re.search(r"\$\{?(document_)?uri\b", said):
            yield line, "$uri is decoded: a line break in it makes another header", "write $request_uri"


def _unknown(directive: Directive, own: set[str]) -> Iterator[Problem]:
    for word, raw in zip(directive.words[1:], directive.raw[1:], strict=False):
        for name in nginx.variables(word):
            if name and not nginx.known(name) and name not in own and not raw.startswith(("~",)):
                near = nearest(name, sorted(nginx.VARIABLES | own))
                yield directive.line, f"there is no variable ${name}", f'did you mean "${near}"?' if near else ""


def _typed(directive: Directive, addresses: Mapping[str, str]) -> Iterator[Problem]:
    for word in directive.words[1:]:
        for address in re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d.])", word):
            if address in addresses:
                name = addresses[address]
                yield (
                    directive.line,
                    f"{address} is container {name}, which may be renumbered",
                    f"write @{{{name}.address}}",
                )
