"""`eyas version`."""

from __future__ import annotations

from eyas.cli.context import Context


def run(context: Context) -> int:
    """Print the version."""
    from importlib.metadata import version

    context.write(f"eyas {version('eyas')}")
    return 0
