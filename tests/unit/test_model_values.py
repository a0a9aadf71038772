"""Whatever a user gives to a class of the definitions: it is taken, or refused with findings; nothing else happens."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from eyas import Bind, Container, Forward, Image, Limits, Probe, System
from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import MODELS, merged
from eyas.model.base import Collector, Thing, Unknown, collect

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-10, 100_000), st.floats(allow_nan=False), st.text(max_size=8),
    st.binary(max_size=3), st.sampled_from(["10.0.5.1", "10.0.5.1/24", "fd00::1", "2G", "90s", "/etc/x", "x.service"]),
    st.sampled_from([Image.debian(), Bind("/x"), Limits(), System(), Forward(80), Probe.tcp(1), Container, object()]),
)  # fmt: skip
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(SCALARS.filter(lambda v: v.__hash__ is not None), SCALARS, max_size=2),
)


def calls() -> st.SearchStrategy[tuple[type[Thing], dict[str, object]]]:
    def of(cls: type[Thing]) -> st.SearchStrategy[tuple[type[Thing], dict[str, object]]]:
        names = st.sampled_from([*cls.model_fields, "nonsense", "model_config", "self"])
        return st.tuples(st.just(cls), st.dictionaries(names, VALUES, max_size=5))

    return st.sampled_from(MODELS).flatmap(of)


@settings(max_examples=200, deadline=None)
@given(calls())
def test_taken_or_refused(call: tuple[type[Thing], dict[str, object]]) -> None:
    cls, values = call
    findings: tuple[Diagnostic, ...] = ()
    made = None
    try:
        made = cls(**values)
    except DefinitionError as error:
        findings = error.diagnostics
    assert made is not None or findings
    assert all(finding.message and finding.file and finding.line for finding in findings)
    assert made is None or (isinstance(made, cls) and made.with_() == made)


@settings(max_examples=100, deadline=None)
@given(st.lists(calls(), min_size=1, max_size=4))
def test_collecting_never_stops(made: list[tuple[type[Thing], dict[str, object]]]) -> None:
    collector = Collector()
    before = collect(collector)
    try:
        things: list[object] = []
        for cls, values in made:
            things.append(cls(**{**values, **{name: things[-1] for name in list(values)[:1] if things}}))
    finally:
        collect(before)
    assert collector.findings or not any(isinstance(thing, Unknown) for thing in things)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.builds(System, packages=st.lists(st.sampled_from(["vim", "git", "curl"]))), max_size=4))
def test_merging_keeps_every_package_once(parts: list[System]) -> None:
    web = Container("web", "10.0.5.10", Image.debian(packages=["curl"]), parts=parts)
    packages = merged(web).packages
    assert set(packages) == {"curl"}.union(*(part.packages for part in parts))
    assert len(packages) == len(set(packages))
    assert set(merged(web).origins) == {f"package:{name}" for name in packages}
