"""What belongs to a folder of tests ends with the last of them.

To pytest a fixture of package scope belongs to a package, which a folder without ``__init__.py`` is not: it would end
with the session, and the labs of all folders would be up together. (With one, the names of our folders would stand
before those of the standard library: ``random``.) A folder has a node of its own all the same, which is left when the
next test is another folder's. So the end of each such fixture is tied to that one, too; whoever comes first ends it.
Source: pytest's reference, "Node.addfinalizer", "pytest_fixture_setup".
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    if fixturedef.scope == "package":
        for node in request._pyfuncitem.iter_parents():
            if isinstance(node, pytest.Directory) and node.nodeid == fixturedef.baseid:
                node.addfinalizer(partial(fixturedef.finish, request=request))  # type: ignore[arg-type]
    return (yield)
