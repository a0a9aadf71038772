"""The classes of the definitions as tables: fields, what they take, defaults, cost of a change, meaning.

``python -m eyas.model.schema FILE`` writes them between the markers of a manual page anew; a house test compares.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from eyas.core.grants import GRANTS
from eyas.core.words import Impact
from eyas.model.answers import Answer, Backend, Choose, Linked, Proxy, Redirect, Rewrite, Static, Upstream
from eyas.model.base import Thing, impact
from eyas.model.certificates import Acme, Certificate, Dns, Use, Zone
from eyas.model.checks import Check
from eyas.model.egress import Egress, Pool
from eyas.model.files import File, Link, Unit, User
from eyas.model.images import Image
from eyas.model.machines import Container, Fleet, Host, Limits, Root
from eyas.model.pieces import Bind, Probe, System
from eyas.model.sites import Identity, Location, Login, Site, Trust
from eyas.model.wiring import Bridge, Client, Forward, Open, Uplink
from eyas.model.words import words

MODELS: tuple[type[Thing], ...] = (
    Fleet, Host, Uplink, Bridge, Container, Image, Root, Limits, Bind, Forward, Open, Client, Egress, Pool, Probe,
    Check,
    System, File, Link, Unit, User, Site, Location, Proxy, Upstream, Static, Redirect, Answer, Rewrite,
    Linked, Choose, Login, Identity, Trust, Backend,
    Certificate, Use, Acme, Dns, Zone,
)  # fmt: skip
"""Every class of the definitions, in the order of the manual."""


def impacts() -> dict[str, dict[str, Impact]]:
    """What a change of each field costs: ``impacts()["Limits"]["memory"]``."""
    return {cls.__name__: {field: impact(cls, field) for field in cls.model_fields} for cls in MODELS}


def ordered(cls: type[Thing]) -> list[str]:
    """The fields of a class as a person is told them: its own, then those that it shares with others."""
    return sorted(cls.model_fields, key=lambda name: name not in cls.__annotations__)


def table(cls: type[Thing]) -> str:
    """The fields of one class in Markdown."""
    lines = ["| field | takes | default | cost of a change | meaning |", "| --- | --- | --- | --- | --- |"]
    for name in ordered(cls):
        field = cls.model_fields[name]
        takes = words(field.annotation, field.metadata, none=field.default is not None)
        short = re.sub(r" \([^)]*\)", "", takes)  # the section VALUES tells what a size is
        cells = (f"`{name}`", short, _default(field, takes), impact(cls, name).name, field.description or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("<", "\\<") for cell in cells) + " |")
    return "\n".join(lines)


def _default(field: FieldInfo, takes: str) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is PydanticUndefined:
        made = field.get_default(call_default_factory=True, validated_data={})
        return "none" if made == {} else f"`{type(made).__name__}()`"
    if value in ((), ""):
        return "none"
    if takes.startswith("a size") and value is not None:
        return f'`"{value >> 30}G"`'
    if takes.startswith("a duration") and value is not None:
        return f'`"{value}s"`'
    if takes.startswith("a file mode"):
        return f"`{value:#o}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def grants_table() -> str:
    """What can be given to a container, and why it takes that."""
    rows = [f"| `{name}` | {grant.purpose} | {grant.gives} | {grant.reason} |" for name, grant in GRANTS.items()]
    return "\n".join(["| grant | for | what it gives | why |", "| --- | --- | --- | --- |", *rows])


BEGIN, END = "<!-- begin generated: {} -->", "<!-- end generated -->"


def refresh(text: str) -> str:
    """A manual page with all its tables written anew. ValueError for a marker that names no class."""
    by_name = {cls.__name__: cls for cls in MODELS}

    def write(match: re.Match[str]) -> str:
        name = match[1]
        if name == "grants":
            return f"{BEGIN.format(name)}\n\n{grants_table()}\n\n{END}"
        if name not in by_name:
            raise ValueError(f"cannot write the table of {name!r}: there is no such class")
        return f"{BEGIN.format(name)}\n\n{table(by_name[name])}\n\n{END}"

    return re.sub(r"<!-- begin generated: (\w+) -->.*?<!-- end generated -->", write, text, flags=re.DOTALL)


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(refresh(page.read_text()))
