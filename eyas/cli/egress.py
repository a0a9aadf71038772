"""`eyas egress`: how connections leave the host, what refuses them; a report of a refusal, and a rotation by hand."""

from __future__ import annotations

import ipaddress
import time

from eyas.cli.context import Context
from eyas.cli.session import Session
from eyas.core.errors import UsageError

USAGE = "write: eyas egress [report ADDRESS DESTINATION | rotate [RULE...]]"


def run(
    context: Context,
    *,
    action: str | None = None,
    names: tuple[str, ...] = (),
    everything: bool = False,
    json: bool = False,
) -> int:
    """Show it, after what was asked for was done."""
    _sensible(action, names)
    with Session(context) as session:
        answer = session.talk().egress(action or "list", names)
    if json:
        context.write_json(answer)
    else:
        from eyas.cli.view.egress import egress_text

        shown = egress_text(answer, time.time(), context.width(), context.paint(), everything=everything)
        context.write(shown)
    return 0


def _sensible(action: str | None, names: tuple[str, ...]) -> None:
    if action not in (None, "report", "rotate"):
        raise UsageError(f"cannot do {action} to outgoing connections: there are report and rotate", USAGE)
    if action == "report":
        if len(names) != 2:
            raise UsageError("cannot report a refusal: name the address that was refused, and the destination", USAGE)
        try:
            ipaddress.ip_address(names[0])
        except ValueError:
            raise UsageError(f"cannot report a refusal of {names[0]}: it is no address", USAGE) from None
        if "/" in names[1]:
            name = names[1].partition("://")[2].partition("/")[0] or names[1].partition("/")[0]
            why = f"cannot report a refusal by {names[1]}: a destination is a name or an address"
            raise UsageError(why, f"write: eyas egress report {names[0]} {name or 'github.com'}")
