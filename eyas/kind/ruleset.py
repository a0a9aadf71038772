"""The text of the packet filter as it stands on disk and as nft loads it: a head, the defines, the rule set.

The rule set is what definitions say; the defines in front of it lead the connections of each stateless container to
its current slot (`eyas.kind.slots`), and are the host's own. Loaded is always the whole text, in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.core.system import Files, System
from eyas.core.words import digest
from eyas.kind.slots import defines, named, without_defines

HEAD = f"""\
#!/usr/sbin/nft -f
# made by eyas; loaded at boot by eyas-firewall.service. Other tables are never touched.
# Made if they are not there, deleted, made anew: all in the one transaction of this file.
{paths.NO_TABLES}"""


def file_text(files: Files, ruleset: str, moved: Mapping[str, str] | None = None) -> str:
    """What nft loads, by us and at boot. ``moved`` as in `eyas.kind.slots.defines`."""
    return HEAD + defines(files, ruleset, moved) + ruleset


def ruleset_of(body: str) -> str:
    """The rule set of such a text."""
    return without_defines(body.removeprefix(HEAD))


def load(system: System, body: str) -> None:
    """Into the kernel, then on disk: a text that the kernel refuses is never there for the next boot."""
    system.firewall.load(body)
    system.files.write(paths.FIREWALL, body.encode(), 0o600)
    note(system, body)


def note(system: System, body: str) -> None:
    """The print that ties what is loaded to its text."""
    seen = {"text_digest": digest(body.encode()), "listing_digest": system.firewall.digest()}
    system.files.write(paths.FIREWALL_PRINT, json.dumps(seen).encode(), 0o600)


def refresh(system: System) -> None:
    """Load the rule set that is there with the lines of today: a container has got another address."""
    data = system.files.read(paths.FIREWALL)
    body = file_text(system.files, ruleset_of(data.decode())) if data is not None else ""
    if data is not None and body.encode() != data:
        load(system, body)


def lead(system: System, container: str, slot: str, boot: bool = False) -> None:
    """Let new connections to a container go to one of its slots. ``boot``: on disk alone, it is loaded in a moment."""
    data = system.files.read(paths.FIREWALL)
    if data is None:
        raise Failed(f"cannot lead connections to {container}: {paths.FIREWALL} is missing", "eyas apply puts it back")
    ruleset = ruleset_of(data.decode())
    if container not in named(ruleset):
        raise Failed(
            f"cannot lead connections to {container}: the packet filter does not know that it is stateless",
            "apply all of the definitions, not a part of them",
        )
    body = file_text(system.files, ruleset, {container: slot})
    if boot:
        if body.encode() != data:
            system.files.write(paths.FIREWALL, body.encode(), 0o600)
        return
    load(system, body)
