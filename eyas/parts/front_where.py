"""From a line of the front's configuration, as nginx names it, to the definition that it was written from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from eyas.model.sites import Location, Site
from eyas.parts.front_sites import file_for, head_of

CONFS = "/etc/nginx/conf.d/"


def asked_by(sites: Iterable[Site], path: str, text: str, line: int) -> Site | Location | None:
    """The site or location that a line of a file is there for; None when it is no site's. ``text`` is the file."""
    site = next((site for site in sites if CONFS + file_for(site) == path), None)
    if site is None:
        return None
    heads = {f"    {head_of(place)} {{": place for place in site.places}
    for row in reversed(text.splitlines()[:line]):
        if row in heads:
            return heads[row]
        if re.match(r"( {4}\}|\S)", row):
            break  # a location that ended before, or the beginning of the server
    return site
