"""Names instead of addresses: ``@{postgres.address}`` in a file of a part becomes what the definition says.

Addresses are written once, where a container is declared; everything else refers to the container. The references
are filled when the host's resources are rendered, so a container that is renumbered takes its users along. A line
with ``@{postgres.address6?}`` is left out where the container has no such address.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from eyas.core.errors import DefinitionError, Diagnostic

REFERENCE = re.compile(r"@\{([A-Za-z0-9_-]+)\.([a-z0-9_]+)\??\}")
OPTIONAL = re.compile(r"@\{([A-Za-z0-9_-]+)\.([a-z0-9_]+)\?\}")
MAY_LACK = ("address6",)


@dataclass(frozen=True)
class Names:
    """Container name to its attributes (address, address6, name)."""

    table: Mapping[str, Mapping[str, str]]

    def fill(self, content: str | bytes, origin: str) -> str | bytes:
        """The content with references replaced; DefinitionError at ``origin`` for a reference to nothing."""
        if isinstance(content, bytes) or "@{" not in content:
            return content

        def value(match: re.Match[str]) -> str:
            name, attribute = match.groups()
            known = self.table.get(name)
            if known is None:
                raise DefinitionError([self._finding(origin, match.group(0), f"no container {name!r}", name)])
            if attribute not in known:
                known_ones = f"known are {', '.join(sorted(known))}"
                raise DefinitionError(
                    [at(origin, match.group(0), f"refers to nothing: no attribute {attribute!r}", known_ones)]
                )
            return known[attribute]

        return REFERENCE.sub(value, self._without(content) if "?}" in content else content)

    def _without(self, content: str) -> str:
        """The lines of a text without those that ask for what a container may have, and this one has not."""
        lines = content.splitlines(keepends=True)
        return "".join(line for line in lines if all(self._has(*asked) for asked in OPTIONAL.findall(line)))

    def _has(self, name: str, attribute: str) -> bool:
        return name not in self.table or attribute in self.table[name] or attribute not in MAY_LACK

    def _finding(self, origin: str, field: str, message: str, name: str) -> Diagnostic:
        near = difflib.get_close_matches(name, self.table, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"containers are {', '.join(sorted(self.table))}"
        return at(origin, field, f"refers to nothing: {message}", hint)


def at(origin: str, field: str, message: str, hint: str) -> Diagnostic:
    """A finding at an origin (``file:line``)."""
    file, _, line = origin.rpartition(":")
    return Diagnostic(file, int(line) if line.isdigit() else 0, field, message, hint)
