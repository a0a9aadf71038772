"""What changes between two rule sets, in words: read from their sets and maps, whose elements say whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAP = re.compile(r"^\s*map (tcp|udp)([46])\w* \{")
ELEMENT = re.compile(r'(\d+) comment "([^"]*)" : (\S+) \. (\d+)')


def forwards(ruleset: str) -> dict[tuple[str, str], set[tuple[str, str, str]]]:
    """(port, protocol) to the places that a rule set sends it to: (container, address, port)."""
    found: dict[tuple[str, str], set[tuple[str, str, str]]] = {}
    protocol = ""
    for line in ruleset.splitlines():
        start = MAP.match(line)
        if start:
            protocol = start.group(1)
        for port, container, address, to in ELEMENT.findall(line):
            found.setdefault((port, protocol), set()).add((container, address, to))
    return found


def changed_forwards(old: str, new: str) -> list[str]:
    """In words: forwards that come, go or lead elsewhere."""
    before, after = forwards(old), forwards(new)
    said = []
    for key in sorted({*before, *after}, key=lambda k: (int(k[0]), k[1])):
        port, protocol = key
        was, now = before.get(key, set()), after.get(key, set())
        if was == now:
            continue
        names = ", ".join(sorted({place[0] for place in now or was}))
        if not was:
            said.append(f"forward {port}/{protocol} to {names} added")
        elif not now:
            said.append(f"forward {port}/{protocol} to {names} removed")
        else:
            said.append(f"forward {port}/{protocol} to {names} follows a new address or port")
    return said


SET = re.compile(r"^\s*(?:set|map) (\w+) \{")
COMMENTED = re.compile(r'((?:"[^"]*"|[^",{}])*?) comment "([^"]*)"')


def elements(ruleset: str) -> Iterator[tuple[str, str, str]]:
    """(set, element, comment) for each element that says whose it is."""
    name = ""
    for line in ruleset.splitlines():
        if start := SET.match(line):
            name = start.group(1)
        elif name:
            for element, comment in COMMENTED.findall(line.replace("elements = {", "")):
                yield name, element.strip(), comment
        if line == "\t}":
            name = ""


def rights(ruleset: str) -> dict[str, set[str]]:
    """Who may what, in words without a verb: by ``uses``, ``open``, ``untrusted`` and ``known``."""
    found: dict[str, set[str]] = {"uses": set(), "open": set(), "untrusted": set(), "known": set()}
    for name, element, comment in elements(ruleset):
        if name in ("uses4", "uses6"):
            client, _, server = comment.partition(" to ")
            found["uses"].add(f"{client} {server}:{element.rsplit(' ', 1)[-1]}")
        elif name in ("uses4_all", "uses6_all") and " to " in comment:
            found["uses"].add(comment.replace(" to ", " "))
        elif name == "open":
            proto, _, port = element.partition(" . ")
            found["open"].add(f"{port}/{proto}")
        elif name in ("open4", "open6"):
            network, proto, port = element.split(" . ")
            found["open"].add(f"{port}/{proto} to {network}")
        elif name in ("untrusted4", "untrusted6"):
            found["untrusted"].add(comment)
        elif name == "names":
            found["known"].add(comment)
    return found


def changed(old: str, new: str) -> list[str]:
    """In words, what a new rule set does otherwise; one general line where nothing of it can be said."""
    said = changed_forwards(old, new)
    before, after = rights(old), rights(new)
    said += [f"{name} comes" for name in sorted(after["known"] - before["known"])]
    said += [f"{name} goes" for name in sorted(before["known"] - after["known"])]
    both = before["known"] & after["known"]
    for use in sorted(after["uses"] - before["uses"]):
        client, server = use.split(" ")
        said.append(f"{client} may now use {server}")
    for use in sorted(before["uses"] - after["uses"]):
        client, server = use.split(" ")
        if client in both and server.partition(":")[0] in both:
            said.append(f"{client} may no longer use {server}; what is open stays open")
    said += [f"{name} may only reach the world" for name in sorted(after["untrusted"] - before["untrusted"])]
    said += [f"{name} is trusted" for name in sorted(both & before["untrusted"] - after["untrusted"])]
    said += [f"port {port} of the host opened" for port in sorted(after["open"] - before["open"])]
    said += [f"port {port} of the host closed" for port in sorted(before["open"] - after["open"])]
    return said or ["rules changed"]
