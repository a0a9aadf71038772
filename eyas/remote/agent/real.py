"""The one place where the agent makes the real system, with every kind registered."""

from __future__ import annotations

from eyas.core.system import System


def system(changes: bool = False) -> System:
    """``changes``: something will be changed, so the machine must be able to be a host; raises Failed."""
    from eyas.host.real import Real

    if changes:
        from eyas.host.able import able

        able()
    return Real()
