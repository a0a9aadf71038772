"""Where in the definitions stands what a program on the host refused, in a file that eyas wrote for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyas.model import Fleet

REFUSED = re.compile(r"cannot use the new files of \S+ in (\S+): .* in (/\S+):(\d+)$")


def placed(message: str, fleet: Callable[[], Fleet]) -> str:
    """``fleet.py:31`` for a refusal that names a file and a line; '' for anything else. The fleet is loaded when it
    has to be."""
    match = REFUSED.search(message)
    if match is None:
        return ""
    from eyas.model import Link, merged
    from eyas.parts.front_where import asked_by

    name, path, line = match[1], match[2], int(match[3])
    for host in fleet().hosts:
        container = host.container(name)
        file = merged(container).files.get(path) if container is not None else None
        if container is None or file is None or isinstance(file, Link):
            continue
        text = file.content if isinstance(file.content, str) else ""
        return (asked_by(merged(container).sites, path, text, line) or file).origin
    return ""
