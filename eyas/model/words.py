"""A type in words: one description serves messages ("allowed is ...") and the tables of the manual."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from eyas.model.values import Words

SIMPLE = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    bytes: "bytes",
    type(None): "None",
}


def words(annotation: Any, metadata: Iterable[Any] = (), *, none: bool = True) -> str:
    """What a value of this annotation may be; ``none=False`` leaves out that None is allowed."""
    for mark in metadata:
        if isinstance(mark, Words):
            return mark.text
    kind, args = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return words(args[0], args[1:], none=none)
    if kind is Literal:
        return " or ".join(f'"{arg}"' if isinstance(arg, str) else str(arg) for arg in args)
    if kind in (Union, types.UnionType):
        branches = [words(arg) for arg in args if none or arg is not type(None)]
        return " or ".join(dict.fromkeys(branches))
    if kind is tuple:
        return f"a list of {_several(args[0])}"
    if kind is dict:
        return f"a mapping of {words(args[0])} to {words(args[1])}"
    return SIMPLE.get(annotation) or str(getattr(annotation, "__name__", annotation))


def _several(annotation: Any) -> str:
    """What completes ``a list of``."""
    if get_origin(annotation) is Annotated:
        marks = [mark.many for mark in get_args(annotation)[1:] if isinstance(mark, Words)]
        return marks[0] if marks and marks[0] else words(annotation)
    return "texts" if annotation is str else words(annotation)


def named(value: object) -> str:
    """A value as a message shows it: short, with its type when the text does not tell it."""
    text = repr(value)
    if len(text) > 60:
        text = text[:56] + "..." + (text[0] if text[0] in "'\"" else "")
    if isinstance(value, str | int | float | bool | type(None)):
        return text
    name = getattr(value, "name", None)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(name, str):
        return f'{type(value).__name__}("{name}")'
    if hasattr(type(value), "model_fields"):
        return f"a {type(value).__name__}"
    return f"{text} ({type(value).__name__})"
