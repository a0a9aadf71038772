"""How tests are shared out where several run at once (pytest-xdist), and what is said while they run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import folders

LONG = ("fleet", "containers", "certificates", "chain", "crash", "random", "sites", "impact", "hold", "changes")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """A run of all tests takes half an hour: what has failed is named at once, with the line that says why. And what a
    folder of labs has up goes with its last test; pytest asks no conftest.py below the root about the fixtures of a
    package, so that is a plugin."""
    if not config.pluginmanager.is_registered(folders):
        config.pluginmanager.register(folders)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failures(terminal))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Labs come first, and of those the ones that take minutes for a few tests: the quick files fill the end, so that
    no worker goes on alone."""

    def rank(item: pytest.Item) -> tuple[bool, bool]:
        return "/lab/" not in item.nodeid, not any(f"/lab/{name}/" in item.nodeid for name in LONG)

    items.sort(key=rank)  # stable


class Failures:
    """Names each failure when it happens."""

    def __init__(self, terminal: Any) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            why = getattr(getattr(report.longrepr, "reprcrash", None), "message", "").partition("\n")[0]
            self.terminal.write_line(f"\n{report.when} of {report.nodeid}: {why[:300]}")


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

    config.option.loadscopereorder = False  # it goes by the number of tests, we by their order
    return Folders(config, log)
