"""Who will notice a change, in the words of somebody who has to answer for it."""

from __future__ import annotations

from collections.abc import Sequence

from eyas.core.words import Action, FieldChange, Impact


def notice(kind: str, action: Action, impact: Impact, fields: Sequence[FieldChange]) -> str:
    """One short sentence for a plan's last column."""
    if kind != "container":
        return "" if impact <= Impact.live else _units(fields, impact)
    if action is Action.delete:
        return "its clients: it goes away"
    if action in (Action.create, Action.start):
        return "nobody notices: it was not running"
    if impact is Impact.beside:
        return "nobody notices: a new one starts beside it"
    if impact >= Impact.restart:
        return "its clients: new connections wait"
    if impact >= Impact.reload:
        return _units(fields, impact)
    return "nobody notices"


def _units(fields: Sequence[FieldChange], impact: Impact) -> str:
    units = sorted({field.unit for field in fields if field.unit and field.impact is impact})
    named = ", ".join(units) if units else "a unit"
    if impact is Impact.reload:
        return f"nobody notices: {named} reloads"
    if impact is Impact.restart_unit:
        return f"clients of {named}: it restarts"
    return "takes effect at the next boot of the host" if impact is Impact.reboot else ""
