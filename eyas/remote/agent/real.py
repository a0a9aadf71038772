"""The one place where the agent makes the real system, with every kind registered."""

from __future__ import annotations

from eyas.core.system import System


def system() -> System:
    from eyas.host.real import Real

    return Real()
