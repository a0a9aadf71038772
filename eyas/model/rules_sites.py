"""Rules of sites: what their values cannot know of each other, and raw lines of nginx that would undo what the rest
promises. Findings name the line of the site or location; a line within ``extra`` is counted from its first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from eyas.core.errors import Diagnostic
from eyas.model.answers import LONG_HOLD, Proxy, Redirect, Static, Upstream
from eyas.model.machines import Host
from eyas.model.merge import merge
from eyas.model.rules_extra import problems
from eyas.model.sites import Location, Login, Site

Findings = Iterator[Diagnostic]


def sites(host: Host) -> Findings:
    """All sites of a host, each by itself."""
    addresses = {container.address: container.name for container in host.containers}
    holds = {container.name: container.hold for container in host.containers}
    for container in host.containers:
        for site in merge(container)[0].sites:
            yield from _site(site)
            yield from _known(site)
            yield from _held(site, holds)
            yield from _raw(site, site, addresses)
            for place in site.places:
                yield from _raw(place, site, addresses)


def _raw(one: Site | Location, site: Site, addresses: Mapping[str, str]) -> Findings:
    """What is wrong with raw lines, by their number."""
    if one.extra.strip():
        lines = one.extra.splitlines()
        for line, why, hint in problems(one.extra, addresses):
            said = lines[line - 1].strip() if line <= len(lines) else ""
            message = f"cannot serve {site.name} with line {line} of extra ({said}): {why}"
            yield one.diagnostic("extra", message, hint)


def _held(site: Site, holds: Mapping[str, int]) -> Findings:
    """A front waits for as long as a backend may be held, which a name does not tell."""
    for backend in site.backends:
        seconds = holds.get(backend.container, 0)
        if backend.hold is None and seconds > LONG_HOLD:
            message = (
                f"visitors of {site.name} do not wait for {backend.container} as long as it is held ({seconds} s): "
                f"its name does not tell"
            )
            hint = f"write to={backend.container}.port({backend.port}), of the container itself"
            yield site.diagnostic("to" if backend is site.to else "locations", message, hint, "warning")


def _known(site: Site) -> Findings:
    """Whoever a backend is told of has to be known by something that a visitor cannot make up."""
    what = f"cannot tell the backends of {site.name} who asks"
    for one in (site, *site.places):
        who = one.identity
        if who is None:
            continue
        login = one.login if one.login is not None else site.login
        if who.by == "login" and not isinstance(login, Login):
            yield one.diagnostic("identity", f"{what}: nobody logs in", "add login=Login(...)")
        if who.by == "certificate" and site.client_ca is None:
            yield one.diagnostic("identity", f"{what}: no certificate is asked for", "add client_ca=FILE to the site")
        if who.by == "header" and site.listen == "public" and site.client_ca is None and site.trust is None:
            message = f"{what}: anybody could send {who.source}"
            yield one.diagnostic(
                "identity", message, 'add trust=[...], client_ca=FILE or listen="loopback" to the site'
            )


def _site(site: Site) -> Findings:
    what = f"cannot serve {site.name}"
    if not site.places and not site.partial:
        hint = "write Site(NAME, to=container.port(80)), or give it locations"
        yield site.diagnostic("locations", f"{what}: nobody answers", hint)
    if site.https and site.to is None and not site.partial:
        yield site.diagnostic("https", f"{what}: https says how `to` is spoken to", "write Proxy(..., https=True)")
    if site.plain and site.hsts:
        message = f"{what}: it cannot answer over plain HTTP and tell browsers never to use that"
        yield site.diagnostic("hsts", message, "leave plain or hsts out")
    seen: dict[tuple[str, str], Location] = {}
    for place in site.places:
        first = seen.setdefault(place.key, place)
        if first is not place:
            message = f"{what}: {place.path} has an answer already ({first.origin})"
            yield place.diagnostic("path", message, "leave one of them out")
        yield from _place(place, site)


def _place(place: Location, site: Site) -> Findings:
    answer, what = place.answer, f"cannot answer {place.path} of {site.name}"
    if isinstance(answer, Static):
        shown = [name for name in answer.hidden if not name.startswith(".")]
        if shown and answer.listing in ("plain", "json"):
            message = f"{what}: nginx's own listing shows names such as {shown[0]}, and answers them with 404"
            yield answer.diagnostic("hidden", message, 'write listing="styled"', "warning")
    if isinstance(answer, Redirect) and re.search(r"\$\{?(document_)?uri\b", answer.to):
        message = f"{what}: $uri is decoded, and a line break in it makes another header"
        yield answer.diagnostic("to", message, "write $request_uri, or keep_path=True")
    if not isinstance(answer, Proxy):
        return
    if isinstance(answer.to, Upstream) and not (answer.to.servers or answer.to.partial):
        yield answer.to.diagnostic("servers", f"{what}: the upstream has no server", "write Upstream([one.port(80)])")
    if answer.path is not None and place.match.startswith("regex"):
        message = f"{what}: the path of a regular expression cannot be replaced by {answer.path}"
        yield answer.diagnostic("path", message, "leave path out, or use Location(PATH, ...)")
    elif answer.path is not None and place.match == "prefix" and place.path.endswith("/") != answer.path.endswith("/"):
        right = answer.path + "/" if place.path.endswith("/") else answer.path.rstrip("/") or None
        message = f"{what}: {place.path} and {answer.path} are exchanged letter by letter, and one ends with /"
        yield answer.diagnostic(
            "path", message, f'write path="{right}"' if right else f'write Location("{place.path}/", ...)'
        )
