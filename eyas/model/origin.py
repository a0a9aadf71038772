"""Where a definition was written: the user's file and line behind every object.

Standard library only. ``where`` is called for every object that is made, so it looks at frames directly.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import FrameType

PACKAGE = str(Path(__file__).resolve().parent.parent) + os.sep
"""Frames of files below this belong to eyas and are never an origin."""

_LIBRARIES = f"{os.sep}pydantic{os.sep}"
_root = ""
_shown: dict[str, str] = {}


def set_root(root: str) -> str:
    """Show origins relative to this directory from now on; gives back the one before ('' is none)."""
    global _root
    before, _root = _root, root
    _shown.clear()
    return before


def show(filename: str) -> str:
    """A file name as people see it: relative to the fleet directory when below it, as it is otherwise."""
    shown = _shown.get(filename)
    if shown is None:
        base = (_root or str(Path.cwd())).rstrip(os.sep) + os.sep
        shown = filename[len(base) :] if filename.startswith(base) else filename
        _shown[filename] = shown
    return shown


def ours(filename: str) -> bool:
    """Whether a frame of this file is machinery, not definitions."""
    return filename.startswith((PACKAGE, "<frozen")) or _LIBRARIES in filename


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame, from this one outwards, that is not ours."""
    while frame is not None and ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def where(frame: FrameType | None) -> str:
    """``file:line`` of the user's call, '' when there is none."""
    found = user_frame(frame)
    return f"{show(found.f_code.co_filename)}:{found.f_lineno}" if found is not None else ""


def statement(frame: FrameType | None) -> str:
    """``file:line`` of the statement of the user's module that led here: differs from ``where`` inside a function."""
    found = user_frame(frame)
    while found is not None and found.f_code.co_name != "<module>":
        found = user_frame(found.f_back)
    return f"{show(found.f_code.co_filename)}:{found.f_lineno}" if found is not None else where(frame)


def split(origin: str) -> tuple[str, int]:
    """``("fleet.py", 12)`` of ``"fleet.py:12"``."""
    file, _, line = origin.rpartition(":")
    return (file, int(line)) if line.isdigit() else (origin, 0)
