"""What parts are given beside the definitions' own fields: read like those, and refused at the line that says it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from pydantic_core import PydanticCustomError

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import origin
from eyas.model.values import refuse


def given(field: str, value: object, read: Callable[[object], object]) -> Any:
    """An argument as ``read`` takes it (`eyas.model.values`, and below); ``field`` is PART.ARGUMENT.

    Raises DefinitionError at the line of the call when it is refused.
    """
    try:
        return read(value)
    except PydanticCustomError as error:
        said = error.context or {}
        why = f"cannot use {value!r}: {said.get('why')}"
        file, line = origin.split(origin.where(sys._getframe(1)))
        raise DefinitionError([Diagnostic(file, line, field, why, str(said.get("hint", "")))]) from error


def count(value: object) -> object:
    """How many, one at least."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        return refuse("allowed is a whole number above 0")
    return value


SHORT = "minutely|hourly|daily|weekly|monthly|quarterly|semi-?annually|bi-?annually|yearly|annually|annual|anually"
DAYS = "mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
SPAN = rf"(?:{DAYS})(?:(?:\.\.|-)(?:{DAYS}))?"
WEEKDAYS = rf"{SPAN}(?:,{SPAN})*,?"
WEEK = "montuewedthufrisatsun"
STEP = r"/(?=\d*[1-9])\d+"
NUMBER = r"\*|\d+(?:\.\.\d+)?"
PLACE = rf"(?:{NUMBER})(?:{STEP})?(?:,(?:{NUMBER})(?:{STEP})?)*"
SECONDS = PLACE.replace(r"\d+", r"\d+(?:\.\d+)?")
DATE = rf"(?:(?P<year>{PLACE})-)?(?P<month>{PLACE})[-~](?P<day>{PLACE})"
CLOCK = rf"(?P<hour>{PLACE}):(?P<minute>{PLACE})(?::(?P<second>{SECONDS}))?"
ZONE = r"UTC|[A-Z][A-Za-z]+(?:/[A-Za-z0-9_+-]+)+"
CALENDAR = re.compile(
    rf"(?i:{SHORT})(?: (?:{ZONE}))?"
    rf"|(?!$)(?P<weekday>(?i:{WEEKDAYS}))?(?:(?:^| ){DATE})?(?:(?:^| ){CLOCK})?(?: (?:{ZONE}))?"
)
SPANS = re.compile(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)(/)?")
ENDS = {"month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59), "second": (0, 60)}


def calendar(value: object) -> object:
    """A time that comes again, as systemd reads it (systemd.time(7), "Calendar Events"): a timer that systemd cannot
    read never comes, and nobody would be told."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    found = CALENDAR.fullmatch(text)
    if found is None or not any((*found.groups(), re.match(f"(?i:{SHORT})", text))):
        return refuse(
            "it is no time that comes again (systemd.time(7))", 'write "hourly", "02:00", "Mon..Fri 6:30" or "*:0/15"'
        )
    for place, (least, most) in ENDS.items():
        numbers = re.findall(r"(?<![/.\d])\d+|(?<=\.\.)\d+", found[place] or "")
        wrong = next((number for number in numbers if not least <= int(number) <= most), None)
        if wrong is not None:
            return refuse(f"{place}s are between {least} and {most}, not {wrong}")
    for span in (found["weekday"] or "").split(","):
        first, *last = re.split(r"\.\.|-", span.lower())
        if last and WEEK.index(last[0][:3]) < WEEK.index(first[:3]):
            return refuse(f"{span} ends before it begins: a week is from Monday to Sunday", 'write "Sat,Sun,Mon..Thu"')
    for place in ("year", *ENDS):
        for begin, end, step in SPANS.findall(found[place] or ""):
            # Seconds have fractions, and systemd steps by a whole one.
            if float(end) < float(begin) + (1 if place == "second" and not step else 0):
                return refuse(f"{begin}..{end} of {place}s holds nothing")
    return value
