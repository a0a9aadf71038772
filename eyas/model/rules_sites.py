"""Rules of sites: what their values cannot know of each other, and raw lines of nginx that would undo what the rest
promises. Findings name the line of the site or location; a line within ``extra`` is counted from its first."""

from __future__ import annotations

from collections.abc import Iterator

from eyas.core.errors import Diagnostic
from eyas.model.answers import Proxy, Upstream
from eyas.model.machines import Container, Host
from eyas.model.merge import merge
from eyas.model.sites import Location, Site

Findings = Iterator[Diagnostic]


def sites(host: Host) -> Findings:
    """All sites of a host, each by itself."""
    for container in host.containers:
        for site in merge(container)[0].sites:
            yield from _site(site, container)


def _site(site: Site, _container: Container) -> Findings:
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
