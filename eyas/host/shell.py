"""Our shell scripts as they are installed: each is one file, also where several have some lines in common.

A line ``. limits-shown.sh`` stands for the file of that name in this folder, and its text is put there. So what a
script needs is replaced together with it, and a start has no file more to open. Left as it is, such a line fails.
"""

from __future__ import annotations

import re
from pathlib import Path

_SHARED = re.compile(r"^\. ([a-z-]+\.sh)\n", re.MULTILINE)


def script(text: str) -> str:
    """A script with all that it shares with others in it."""
    return _SHARED.sub(lambda found: Path(__file__).with_name(found[1]).read_text(encoding="utf-8"), text)
