"""What all definitions share: frozen, strict, nothing unknown accepted, and each knows where it was written.

While a fleet is loaded, a constructor that refuses its values does not end the evaluation: it notes what is wrong with
the collector at work and hands back the object without the refused values, or an ``Unknown`` when a required one is
among them. So one ``eyas check`` shows all findings. ``load`` raises at the end; none of these objects gets out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic._internal._model_construction import ModelMetaclass

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.core.words import Impact
from eyas.model import origin
from eyas.model.values import nearest
from eyas.model.words import named, words


class Collector:
    """The findings of one load, and the names of things that could not be made (references to them are no news)."""

    def __init__(self) -> None:
        self.findings: list[Diagnostic] = []
        self.unknown: set[str] = set()
        self.tainted = False  # an Unknown is about: arguments have to be searched for it


collector: Collector | None = None


def collect(new: Collector | None) -> Collector | None:
    """Put a collector to work (None: errors are raised at once); gives back the one before."""
    global collector
    before, collector = collector, new
    return before


class Unknown:
    """Stands for a value that could not be made; whatever is asked of it is as unknown."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return Unknown(self.name)

    def __call__(self, *_args: object, **_values: object) -> Unknown:
        return Unknown(self.name)

    def __iter__(self) -> Any:
        return iter(())

    def __getitem__(self, _key: object) -> Unknown:
        return Unknown(self.name)

    def __str__(self) -> str:
        return MARK

    def __add__(self, _other: object) -> Unknown:
        return self

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __mod__ = __or__ = __ror__ = __add__


MARK = "\ufffdunknown\ufffd"
"""What an Unknown leaves in texts made from it."""


class Maker(ModelMetaclass):
    """Calls of a model class: positional arguments, origin, and all findings of one call at once."""

    if not TYPE_CHECKING:

        def __call__(cls, *args: Any, **values: Any) -> Any:  # noqa: N805
            return make(cls, args, values, sys._getframe(1))


class Thing(BaseModel, metaclass=Maker):
    """Base of everything a definition is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    positional: ClassVar[tuple[str, ...]] = ()
    """The fields that can be given by position, in order."""
    variadic: ClassVar[str] = ""
    """The field that takes all further positional arguments."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        for name, field in cls.model_fields.items():
            if not any(isinstance(mark, Impact) for mark in field.metadata):
                raise TypeError(f"{cls.__name__}.{name} does not say what its change costs: mark it with an Impact")

    @property
    def origin(self) -> str:
        """``file:line`` of the definition that made this."""
        return str(self.__dict__.get("_origin", ""))

    @property
    def statement(self) -> str:
        """``file:line`` of the statement of the definitions that led to this: where a function of the user's own made
        it, the line that called the function, which tells three containers from one function apart."""
        return str(self.__dict__.get("_statement", ""))

    @property
    def partial(self) -> bool:
        """Whether values were left out because they are wrong or unknown, which is reported where they are."""
        return bool(self.__dict__.get("_partial"))

    @property
    def spot(self) -> str:
        """The line that a finding points at."""
        return self.origin

    def with_(self, **changes: Any) -> Self:
        """The same with some fields replaced; the origin is the line that asks for the replacement."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**values, **changes})

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            raise AttributeError(
                f"cannot change {name} of a {type(self).__name__}: definitions are frozen; use with_()"
            )

    def __hash__(self) -> int:
        return hash((type(self).__name__, getattr(self, "name", None)))

    def diagnostic(self, field: str, message: str, hint: str = "", severity: str = "error") -> Diagnostic:
        """A finding about a field of this object."""
        file, line = origin.split(self.spot)
        return Diagnostic(file, line, f"{type(self).__name__}.{field}", message, hint, severity)


def impact(cls: type[Thing], field: str) -> Impact:
    """What a change of this field costs."""
    return next(mark for mark in cls.model_fields[field].metadata if isinstance(mark, Impact))


def make(cls: type[Thing], args: tuple[Any, ...], values: dict[str, Any], frame: FrameType) -> Any:
    """Make an object of ``cls``, or say everything that is wrong with the values at once.

    Raises DefinitionError outside of a load.
    """
    where = origin.where(frame)
    report = Report(cls, where, frame)
    values = _by_name(cls, args, values, report)
    if collector is not None and collector.tainted:
        before = _size(values)
        values = _without_unknown(cls, values, report)
        if _size(values) < before:
            report.partial = True
    thing = _attempt(cls, values, report)
    if not report.findings and thing is not None:
        return thing
    if collector is None:
        error = DefinitionError(report.findings)
        error.add_note("\n".join(finding.text() for finding in report.findings))
        raise error from None
    collector.findings += report.findings
    if thing is None and not report.whole:
        kept = {k: v for k, v in values.items() if k not in report.fields}
        again = Report(cls, where, frame)
        again.partial = True
        thing = _attempt(cls, kept, again)
    if thing is None:
        collector.tainted = True
        given = values.get("name")
        name = given if isinstance(given, str) else ""
        collector.unknown |= {name}
        return Unknown(name)
    return thing


class Report:
    """What is wrong with one call."""

    def __init__(self, cls: type[Thing], where: str, frame: FrameType) -> None:
        self.cls, self.where, self.frame = cls, where, frame
        self.findings: list[Diagnostic] = []
        self.fields: set[str] = set()
        self.partial = False  # some values were left out: what is missing then is no news
        self.whole = False  # the values disagree with each other: leaving some out does not help

    def add(self, field: str, message: str, hint: str = "") -> None:
        file, line = origin.split(self.where)
        called = origin.statement(self.frame)
        message += f" (called from {called})" if called != self.where else ""
        label = f"{self.cls.__name__}.{field}" if field else self.cls.__name__
        self.findings.append(Diagnostic(file, line, label, message, hint))
        self.fields.add(field.partition("[")[0])


def _attempt(cls: type[Thing], values: dict[str, Any], report: Report) -> Thing | None:
    try:
        thing: Thing = type.__call__(cls, **values)
    except ValidationError as error:
        _explain(error, report)
        return None
    thing.__dict__["_origin"] = report.where
    thing.__dict__["_statement"] = origin.statement(report.frame)
    if report.partial:
        thing.__dict__["_partial"] = True
    return thing


def _by_name(cls: type[Thing], args: tuple[Any, ...], given: Mapping[str, Any], report: Report) -> dict[str, Any]:
    values = dict(given)
    if cls.variadic and cls.variadic not in values:
        values[cls.variadic], args = args[len(cls.positional) :], args[: len(cls.positional)]
    if len(args) > len(cls.positional):
        allowed = ", ".join(cls.positional) or "none"
        report.add(
            "", f"cannot take {len(args)} positional arguments: allowed is {allowed}", "name the others: field=value"
        )
    for name, value in zip(cls.positional, args, strict=False):
        if name in values:
            report.add(name, "cannot set it twice: it is given by position and by name")
        values[name] = value
    for name in [n for n in values if n not in cls.model_fields]:
        near = nearest(name, tuple(cls.model_fields))
        known = ", ".join(cls.model_fields)
        report.add(
            name,
            f"cannot set it: {cls.__name__} has no such field",
            f'did you mean "{near}"?' if near else f"its fields are {known}",
        )
        del values[name]
    return values


def _size(values: Mapping[str, Any]) -> int:
    """How many values there are, with those in lists and mappings."""
    return sum(len(value) if isinstance(value, list | tuple | dict) else 1 for value in values.values()) + len(values)


def _without_unknown(cls: type[Thing], values: dict[str, Any], report: Report) -> dict[str, Any]:
    """Leave out what could not be made elsewhere: it has been reported there."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Unknown):
            if cls.model_fields[name].is_required():
                report.whole = True
        elif isinstance(value, list | tuple):
            kept[name] = [item for item in value if not isinstance(item, Unknown)]
        elif isinstance(value, dict):
            kept[name] = {k: item for k, item in value.items() if not isinstance(item, Unknown)}
        else:
            kept[name] = value
    return kept


def _explain(error: ValidationError, report: Report) -> None:
    """Turn what pydantic found into findings: one for each place, in the words of the definition."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False):
        place = _place(detail["loc"])
        value = detail["input"]
        if place in seen:  # further branches of a union
            continue
        seen.add(place)
        field = place.partition("[")[0]
        if isinstance(value, Unknown) or MARK in str(value):
            report.fields.add(field)
            continue
        if detail["type"] == "missing":
            if report.whole:
                continue
            report.add(
                place, f"cannot make this {report.cls.__name__}: {place} is required", _meaning(report.cls, field)
            )
        elif detail["type"] == "eyas":
            context = detail.get("ctx", {})
            report.whole = report.whole or not field
            message = f"cannot use {named(value)}: {context['why']}" if field else f"cannot use it: {context['why']}"
            report.add(place, message, str(context.get("hint", "")))
        else:
            info = report.cls.model_fields[field]
            allowed = words(info.annotation, info.metadata)
            report.add(place, f"cannot use {named(value)}: allowed is {allowed}", _cure(value, allowed))


def _place(loc: tuple[int | str, ...]) -> str:
    """``files["/etc/x"]`` or ``binds[2]`` of pydantic's location: a field, and what is in it."""
    if not loc:
        return ""
    return str(loc[0]) + (f"[{loc[1]!r}]" if len(loc) > 1 and _inner(loc) else "")


def _inner(loc: tuple[int | str, ...]) -> bool:
    """Whether the second piece is an index or key, not the name of a union's branch."""
    return (
        isinstance(loc[1], int) or str(loc[1]).startswith("/") or (len(loc) > 2 and loc[2] == "[key]") or "." in loc[1]
    )


def _meaning(cls: type[Thing], field: str) -> str:
    info = cls.model_fields[field]
    return f"{field}: {info.description}" if info.description else ""


def _cure(value: object, allowed: str) -> str:
    if isinstance(value, str) and value.isdigit() and allowed.startswith(("a whole number", "a port", "a user id")):
        return f"write {value} without quotes"
    if isinstance(value, type) and issubclass(value, Thing):
        return f"write {value.__name__}(...)"
    return ""
