"""`eyas version`."""

from __future__ import annotations

from eyas.cli.context import Context


def run(context: Context) -> int:
    """Print the version."""
    from eyas import __version__

    context.write(f"eyas {__version__}")
    return 0
