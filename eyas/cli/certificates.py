"""`eyas certificates`: which there are, how long they last; and two things to do to them at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from eyas.cli.context import Context
from eyas.cli.session import Session
from eyas.core.errors import Failed, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eyas.core.words import Json

ACTIONS = ("renew", "revoke")


def run(
    context: Context,
    *,
    action: str | None = None,
    names: tuple[str, ...] = (),
    everything: bool = False,
    json: bool = False,
) -> int:
    """List them, after the renewal or revocation of some."""
    from eyas.status.certificates import VERSION, rows

    _sensible(action, names, everything)
    with Session(context) as session:
        answer = session.talk().certificates(action or "list", names)
    now = time.time()
    found = rows(answer.get("certificates"), now)
    if json:
        context.write_json({"version": VERSION, "certificates": [row.to_json() for row in found]})
    else:
        from eyas.cli.view.certificates import certificates_text

        context.write(certificates_text(found, now, context.width(), context.paint()))
    _raise(answer.get("errors"))
    return 0


def _sensible(action: str | None, names: tuple[str, ...], everything: bool) -> None:
    usage = "write: eyas certificates [renew NAME... | renew --all | revoke NAME]"
    if action is not None and action not in ACTIONS:
        raise UsageError(f"cannot do {action} to certificates: there are renew and revoke", usage)
    if action is None and everything:
        raise UsageError("cannot tell what to do with all certificates", usage)
    if action == "renew" and bool(names) == everything:
        raise UsageError("cannot tell which certificates to renew: name some, or give --all", usage)
    if action == "revoke" and (len(names) != 1 or everything):
        raise UsageError("cannot revoke: name one certificate", usage)


def _raise(errors: Json) -> None:
    """Failed with what went wrong, the first three of it."""
    found: Mapping[str, Json] = errors if isinstance(errors, dict) else {}
    if not found:
        return
    said = [f"{name}: {why}" for name, why in sorted(found.items())]
    more = f" (and {len(said) - 3} more)" if len(said) > 3 else ""
    raise Failed(f"cannot renew {'; '.join(said[:3])}{more}", "the former certificates stay in use")
