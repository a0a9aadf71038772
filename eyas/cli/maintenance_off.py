"""`eyas maintenance off NAME...`."""

from __future__ import annotations

from eyas.cli.context import Context
from eyas.cli.maintenance import switch


def run(context: Context, *, names: tuple[str, ...], json: bool = False) -> int:
    """Switch maintenance of sites and containers off."""
    return switch(context, names, on=False, json=json)
