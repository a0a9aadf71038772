"""`eyas writes NAME`: what a container wrote outside its persistent paths, and a restart would lose."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from eyas.cli.context import Context
from eyas.cli.inside import known
from eyas.cli.session import Session
from eyas.core.errors import UsageError
from eyas.core.words import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyas.model import Container, Host

FORMAT = 2


def run(context: Context, *, name: str, everything: bool = False, json: bool = False) -> int:
    """List what the writable layer of a running container holds, without what eyas wrote there itself."""
    from eyas.cli.view.writes import writes_text
    from eyas.core.written import Written
    from eyas.model import merged
    from eyas.status.writes import proposals

    known(context, name)
    with Session(context) as session:
        host, container = _declared(session, name)
        answer = session.talk().writes(name, list(merged(container).noise), everything=everything)
    items = [Written.from_json(row) for row in _rows(answer, "written")]
    noise, more = _rows(answer, "noise"), answer.get("more")
    found = proposals(host, container, items, _rows(answer, "places"))
    if json:
        said: dict[str, Json] = {
            "version": FORMAT, "name": name, "written": [item.to_json() for item in items], "noise": [*noise],
            "more": more, "proposals": [proposal.to_json() for proposal in found],
        }  # fmt: skip
        context.write_json(said)
        return 0
    left = more if isinstance(more, int) else 0
    text = writes_text(
        name, items, noise, found, time.time(), context.width(), context.paint(), everything=everything, more=left
    )
    context.write(text)
    return 0


def _declared(session: Session, name: str) -> tuple[Host, Container]:
    """The container in the definitions, and its host."""
    host = session.definitions.fleet.host(session.host)
    container = host.container(name) if host is not None else None
    if host is None or container is None:
        raise UsageError(f"cannot find a container called {name!r} on {session.host}", "see: eyas status")
    return host, container


def _rows(answer: Mapping[str, Json], key: str) -> list[dict[str, Json]]:
    rows = answer.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
