"""The environment of services: one drop-in for each, quoted as systemd reads it."""

from __future__ import annotations

import pytest

from eyas import Container, File, Image, System, Unit
from eyas.core.errors import DefinitionError
from eyas.core.words import Impact
from eyas.kind.container.compare import compare_files
from eyas.model import merged
from eyas.render.entries import manifest
from eyas.render.layer import environment, part_entries
from eyas.render.refs import Names

FACTS = {
    "passwd": "root:x:0:0::/:/bin/sh\n",
    "group": "root:x:0:\n",
    "units": {"nginx.service": [], "getty@.service": []},
}
NAMES = Names({"db": {"address": "10.0.5.50"}})
DROP_IN = "/etc/systemd/system/{}.d/50-eyas-environment.conf"


def text_of(system: System, unit: str, facts: object = FACTS) -> str:
    entries = part_entries(system, facts, (), NAMES)  # type: ignore[arg-type]
    return str(next(entry["content"] for entry in entries if entry["path"] == DROP_IN.format(unit)))


def test_parts_add_up_and_names_become_addresses() -> None:
    one = System(environment={"nginx.service": {"URL": "http://@{db.address}/", "SIZE": 3}})
    two = System(environment={"nginx.service": {"SIZE": "3"}, "getty@tty1.service": {"X": ""}})
    web = Container("web", "10.0.5.10", Image.debian(), parts=[one, two], environment={"nginx.service": {"A": "b"}})
    system = merged(web)
    assert text_of(system, "nginx.service").splitlines()[1:] == [
        "[Service]", 'Environment="A=b"', 'Environment="SIZE=3"', 'Environment="URL=http://10.0.5.50/"'
    ]  # fmt: skip
    assert text_of(system, "getty@tty1.service").endswith('Environment="X="\n')


def test_two_values_of_one_variable_are_refused() -> None:
    parts = [System(environment={"nginx.service": {"A": value}}) for value in ("one", "two")]
    with pytest.raises(DefinitionError) as caught:
        merged(Container("web", "10.0.5.10", Image.debian(), parts=parts))
    (finding,) = caught.value.diagnostics
    assert finding.message.startswith("cannot set A of nginx.service in container web ")


def test_quoting() -> None:
    value = 'a "b" \\c %d $e\nf\tg\r é'
    assert environment({"X": value}).splitlines()[-1] == r'Environment="X=a \"b\" \\c %%d $e\nf\tg\x0d é"'


def test_a_service_that_nobody_brings_is_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        text_of(System(environment={"ngnix.service": {"A": "b"}}), "ngnix.service")
    (finding,) = caught.value.diagnostics
    assert finding.hint == "did you mean 'nginx.service'?"
    assert finding.line > 0


@pytest.mark.parametrize(
    "more",
    [
        {"units": {"own.service": Unit("[Service]\nExecStart=/bin/true\n")}},
        {"files": {"/etc/systemd/system/own.service": File("[Service]\nExecStart=/bin/true\n")}},
    ],
)
def test_a_service_of_a_part_is_known(more: dict[str, object]) -> None:
    assert text_of(System(environment={"own.service": {"A": "b"}}, **more), "own.service")  # type: ignore[arg-type]


def test_an_image_that_we_did_not_make_may_have_any_service() -> None:
    assert text_of(System(environment={"any.service": {"A": "b"}}), "any.service", {})


@pytest.mark.parametrize(("old", "new"), [({}, {"A": "b"}), ({"A": "b"}, {"A": "c"}), ({"A": "b"}, {})])
def test_a_change_restarts_that_service(old: dict[str, str], new: dict[str, str]) -> None:
    before, after = (
        manifest(part_entries(System(environment={"nginx.service": env} if env else {}), FACTS, (), NAMES))
        for env in (old, new)
    )
    (change,) = compare_files(after, before)
    assert (change.impact, change.unit) == (Impact.restart_unit, "nginx.service")


def test_a_service_that_goes_with_its_environment_is_not_restarted() -> None:
    own = System(units={"own.service": "[Service]\nExecStart=/bin/true\n"}, environment={"own.service": {"A": "b"}})
    changes = compare_files({}, manifest(part_entries(own, FACTS, (), NAMES)))
    assert {change.impact for change in changes} == {Impact.live}
