"""How tests are shared out where several run at once (pytest-xdist)."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """One worker for each folder of labs, which share one; elsewhere for each file.

    A scheduler of our own, because ``--dist loadgroup`` of pytest-xdist 3.8 silently does nothing with pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Folders(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            folder = path.rpartition("/")[0]
            return folder if "/lab/" in folder else path

    return Folders(config, log)
