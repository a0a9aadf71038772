"""The classes of the definitions as tables: fields, what they take, defaults, cost of a change, meaning.

``python -m eyas.model.schema FILE`` writes the tables between the ``<!-- generated: NAME -->`` and
``<!-- end -->`` markers of a manual page anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from eyas.core.words import Impact
from eyas.model.base import Thing, impact
from eyas.model.files import File, Link, Unit, User
from eyas.model.images import Image
from eyas.model.machines import Bridge, Container, Fleet, Forward, Host, Limits, Root, Uplink
from eyas.model.pieces import Backend, Bind, Probe, Site, System
from eyas.model.words import words

MODELS: tuple[type[Thing], ...] = (
    Fleet, Host, Uplink, Bridge, Container, Image, Root, Limits, Bind, Forward, Probe,
    System, File, Link, Unit, User, Site, Backend,
)  # fmt: skip
"""Every class of the definitions, in the order of the manual."""


def impacts() -> dict[str, dict[str, Impact]]:
    """What a change of each field costs: ``impacts()["Limits"]["memory"]``."""
    return {cls.__name__: {field: impact(cls, field) for field in cls.model_fields} for cls in MODELS}


def table(cls: type[Thing]) -> str:
    """The fields of one class in Markdown."""
    lines = ["| field | takes | default | cost of a change | meaning |", "| --- | --- | --- | --- | --- |"]
    for name, field in cls.model_fields.items():
        takes = words(field.annotation, field.metadata, none=field.default is not None)
        cells = (f"`{name}`", takes, _default(field), impact(cls, name).name, field.description or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    if field.default is PydanticUndefined:
        made = field.default_factory()
        return "none" if made == {} else f"`{type(made).__name__}()`"
    if field.default in ((), ""):
        return "none"
    if isinstance(field.default, int) and field.description and "mode" in str(field.metadata):
        return f"`{field.default:#o}`"
    return f"`{field.default!r}`"


def refresh(text: str) -> str:
    """A manual page with all its generated tables written anew."""
    by_name = {cls.__name__: cls for cls in MODELS}

    def write(match: re.Match[str]) -> str:
        return f"<!-- generated: {match[1]} -->\n{table(by_name[match[1]])}\n<!-- end -->"

    return re.sub(r"<!-- generated: (\w+) -->\n.*?<!-- end -->", write, text, flags=re.DOTALL)


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(refresh(page.read_text()))
