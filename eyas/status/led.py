"""Where a front really leads: addresses that somebody typed, and whom it has asked. Pure.

A container that is renumbered takes along whatever refers to it by name. What was typed by hand stays behind, in
definitions or in the memory of an nginx that was never reloaded; the kernel knows whom it asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from eyas.status.declared import Declared, Served, Typed
from eyas.status.findings import Finding
from eyas.status.sites import AWAY, held_back
from eyas.status.topics import Answers, Ask, Topic

ERRORS = "/var/log/nginx/*error*.log"
LAST = 'for log in $2; do tail -n 500 -- "$log"; done | grep -F -- "host: \\"$1\\"" | tail -n 1'
UPSTREAM = re.compile(r'upstream: "https?://\[?([0-9a-fA-F.:]+?)\]?:(\d+)[/"]')

Place: TypeAlias = tuple[str, int]
Contact: TypeAlias = tuple[int, str, int]
"""A connection that was asked for: from which port, to which address and port."""


def typed(declared: Declared) -> Iterator[Finding]:
    """Addresses of the containers' network in what people wrote: those that lead to nobody, and those that will when
    somebody is renumbered."""
    for each in declared.typed:
        who = declared.owner(each.address)
        if who == each.container:
            continue
        what = f"{each.path} in {each.container} names {each.address}"
        reference = f"@{{{who or 'NAME'}.{'address6' if ':' in each.address else 'address'}}}"
        if who:
            yield Finding(
                "address", each.container, f"{what}, which is {who} as long as nobody renumbers it",
                f"write {reference}", each.origin, "warning",
            )  # fmt: skip
        else:
            yield Finding(
                "address", each.container, f"{what}, which no container has",
                f"write {reference} with the NAME of the container that is meant", each.origin,
                key=("address", each.container, each.address),
            )  # fmt: skip


def fresh(
    before: Mapping[str, set[Contact]], after: Mapping[str, set[Contact]], own: Iterable[int]
) -> dict[str, set[Place]]:
    """Whom fronts have asked in between, but for what we asked ourselves from there (``own``: from these ports)."""
    ours = set(own)
    return {
        front: {(address, port) for source, address, port in seen - before.get(front, set()) if source not in ours}
        for front, seen in after.items()
    }


def astray(declared: Declared, asked: Mapping[str, Iterable[Place]], answered: Sequence[str]) -> Iterator[Finding]:
    """Sites whose backend was not asked although they were, while their front asked somebody whom no site leads to.
    ``asked`` by front since a moment before, ``answered`` are the sites that were asked through it then."""
    for front, seen in asked.items():
        inner = {(address, port) for address, port in seen if declared.inner(address)}
        meant = {
            pair for use in declared.uses if use.by == front for pair in _places(declared, use.container, use.port)
        }
        strangers = sorted(pair for pair in inner - meant if (pair[0], 0) not in meant)
        for site in declared.sites:
            if site.front != front or site.to is None or site.name not in answered or not strangers:
                continue
            if not inner & set(_places(declared, site.to[0], site.to[1])):
                yield _astray(declared, site, strangers)


def upstreams(
    declared: Declared, topics: Sequence[Topic], answers: Sequence[Answers], flags: Mapping[str, Sequence[str]]
) -> Iterator[Topic]:
    """For sites whose front says that nobody answers: whom it asked, by the last line of its log of errors."""
    sites = {site.name: site for site in declared.sites}
    for topic, got in zip(topics, answers, strict=True):
        site = sites.get(topic.about) if topic.kind == "site" else None
        if site is None or held_back(site, flags.get(site.front, ())):
            continue
        if any(answer.get("status") in AWAY for name, answer in got.items() if name != "direct"):
            ask = Ask(site.front, {"do": "command", "argv": ["/bin/sh", "-c", LAST, "sh", site.name, ERRORS]})
            yield Topic("upstream", site.name, {"": ask}, partial(_upstream, declared, site))


def _upstream(declared: Declared, site: Served, answers: Answers) -> Iterator[Finding]:
    found = UPSTREAM.search(str(answers[""].get("output") or ""))
    if found is None or site.to is None:
        return
    place = found[1], int(found[2])
    if place not in _places(declared, site.to[0], site.to[1]):
        yield _astray(declared, site, [place])


def _places(declared: Declared, container: str, port: int) -> list[Place]:
    home = declared.home.get(container)
    return [(address, port) for address in (home.address4, home.address6) if address] if home else []


def _astray(declared: Declared, site: Served, strangers: Sequence[Place]) -> Finding:
    assert site.to is not None
    # the port that is meant, where somebody else was asked for it
    same = [pair for pair in strangers if pair[1] == site.to[1]] or list(strangers)
    address, port = same[0]
    who = declared.owner(address)
    where: Typed | None = next((each for each in declared.typed if each.address == address), None)
    look = f"eyas exec {site.front} -- grep -rn {address} /etc/nginx"
    remedy = f"see where that stands ({look}); if nowhere, nginx there only has to be reloaded"
    if where is not None:
        remedy = f"write @{{{site.to[0]}.address}} in {where.path}"
    return Finding(
        "site", site.name,
        f"{site.front} leads {site.name} to {address}:{port}, which {f'is {who}' if who else 'no container has'}, "
        f"and not to {site.to[0]}",
        remedy, f"{where.origin}; {site.origin}" if where is not None else site.origin, key=("led", site.name),
    )  # fmt: skip
