"""Certificates as a person asks for them: how long they last, and what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eyas.core.words import Json

VERSION = 1
DAY = 86400.0
LATE = 1 / 12
"""Share of its life that a certificate may be late with its renewal before status warns: for one of 90 days, a week,
three weeks before its end."""


@dataclass(frozen=True)
class Row:
    """One certificate. Times are seconds since the epoch; None where there is no certificate yet."""

    name: str
    names: tuple[str, ...]
    users: tuple[str, ...]
    authority: str
    challenge: str
    not_after: float | None
    days: float | None
    renewal: float | None
    error: str
    warning: str

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "names": list(self.names),
            "users": list(self.users),
            "authority": self.authority,
            "challenge": self.challenge,
            "not_after": self.not_after,
            "days": self.days,
            "renewal": self.renewal,
            "error": self.error or None,
            "warning": self.warning or None,
        }


def rows(listing: Json, now: float) -> list[Row]:
    """What the host told (`eyas.kind.certificate.renew.listing`), judged; what ends first comes first."""
    found = [_row(item, now) for item in (listing if isinstance(listing, list) else []) if isinstance(item, dict)]
    return sorted(found, key=lambda row: (row.days if row.days is not None else -1.0, row.name))


def _row(item: Mapping[str, Json], now: float) -> Row:
    end = None if item.get("placeholder") else _time(item.get("not_after"))
    error = str(item.get("error") or "")
    return Row(
        str(item["name"]),
        _words(item.get("names")),
        _words(item.get("users")),
        str(item.get("authority") or ""),
        str(item.get("challenge") or ""),
        end,
        round((end - now) / DAY, 2) if end is not None else None,
        _time(item.get("renewal")),
        error,
        _warning(item, end, error, now),
    )


def _warning(item: Mapping[str, Json], end: float | None, error: str, now: float) -> str:
    """What status says of it, '' when all is well."""
    name, why = item["name"], f": {error}" if error else ""
    if end is None:
        return f"certificate {name} is a placeholder that nobody trusts{why}"
    if now >= end:
        return f"certificate {name} has ended {_ago(now - end)} ago{why}"
    begin, renewal = _time(item.get("not_before")) or end, _time(item.get("renewal"))
    if set(_words(item.get("names"))) - set(_words(item.get("covers"))):
        return f"certificate {name} lacks names that are declared{why}"
    if renewal is not None and now > renewal + (end - begin) * LATE:
        return f"certificate {name} ends in {_ago(end - now)} and was not renewed{why}"
    return f"certificate {name} could not be renewed (it lasts {_ago(end - now)} more){why}" if error else ""


def warnings(listing: Json, now: float) -> list[str]:
    return [row.warning for row in rows(listing, now) if row.warning]


def _ago(seconds: float) -> str:
    """``12 days``, ``5 hours``."""
    number, unit = (seconds / DAY, "day") if seconds >= 2 * DAY else (seconds / 3600, "hour")
    whole = max(0, int(number))
    return f"{whole} {unit}{'' if whole == 1 else 's'}"


def _words(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _time(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None
