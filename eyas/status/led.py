"""Where a front really leads: addresses that somebody typed, and whom it has asked. Pure.

A container that is renumbered takes along whatever refers to it by name. What was typed by hand stays behind, in
definitions or in the memory of an nginx that was never reloaded; the kernel knows whom it asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from eyas.status.declared import Declared, Served, Typed
from eyas.status.findings import Finding


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


def astray(
    declared: Declared, asked: Mapping[str, Iterable[tuple[str, int]]], answered: Sequence[str]
) -> Iterator[Finding]:
    """Sites whose backend was not asked although they were, while their front asked somebody whom no site leads to.
    ``asked`` by front, ``answered`` are the sites that were just asked through it."""
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


def _places(declared: Declared, container: str, port: int) -> list[tuple[str, int]]:
    home = declared.home.get(container)
    return [(address, port) for address in (home.address4, home.address6) if address] if home else []


def _astray(declared: Declared, site: Served, strangers: Sequence[tuple[str, int]]) -> Finding:
    assert site.to is not None
    # the port that is meant, where somebody else was asked for it
    same = [pair for pair in strangers if pair[1] == site.to[1]] or list(strangers)
    address, port = same[0]
    who = declared.owner(address)
    where: Typed | None = next((each for each in declared.typed if each.address == address), None)
    remedy = f"nginx in {site.front} has other settings than its files: reload it there"
    remedy = f"{remedy}, and see eyas plan for files that were changed by hand"
    if where is not None:
        remedy = f"write @{{{site.to[0]}.address}} in {where.path}"
    return Finding(
        "site", site.name,
        f"{site.front} leads {site.name} to {address}:{port}, which {f'is {who}' if who else 'no container has'}, "
        f"and not to {site.to[0]}",
        remedy, f"{where.origin}; {site.origin}" if where is not None else site.origin, key=("led", site.name),
    )  # fmt: skip
