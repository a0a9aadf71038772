"""Shell scripts as they are installed: each whole by itself, and good shell."""

from __future__ import annotations

import shutil
import subprocess
from importlib.resources import files

import pytest

from eyas.cli.support import support
from eyas.host import limits
from eyas.host.shell import script
from eyas.parts import common

PROGRAMS = support()[0]
PARTS = {
    path.name[:-3]: str(common.script(path.name[:-3]).content)  # type: ignore[union-attr]
    for path in (files("eyas.parts") / "scripts").iterdir()
    if path.name.endswith(".sh")
}
TEXTS = {**{f"host: {name}": text for name, text in PROGRAMS.items()}, **PARTS}
GO_ON = ("host: carry", "host: probe", "host: root-down")
"""Those that do all the rest also when something of it fails."""
MEANT = "SC1007,SC1090,SC2153,SC2174"
"""Variables made empty in one line, or read from a file of ours; folders of which only the last has a mode."""


def test_what_scripts_share_stands_in_each() -> None:
    shared = script(". limits-shown.sh\n")
    assert shared.startswith("# ")
    assert script(f"a\n{'. limits-shown.sh'}\nb\n") == f"a\n{shared}b\n"
    for text in (PROGRAMS["root-up"], PARTS["nested-root"]):
        assert text.count(shared) == 1
        assert ". limits-shown.sh" not in text


def test_a_start_and_a_live_change_show_the_same_limits() -> None:
    assert f"for file in {' '.join(limits.SHOWN)}; do" in script(". limits-shown.sh\n")


def test_a_text_that_is_not_there_is_noticed() -> None:
    with pytest.raises(FileNotFoundError):
        script("set -eu\n. no-such.sh\n")


@pytest.mark.parametrize("name", TEXTS)
def test_they_are_valid_shell(name: str) -> None:
    text = TEXTS[name]
    shell = text.split("\n", 1)[0].removeprefix("#!")
    subprocess.run([shell, "-n"], input=text, text=True, check=True)
    assert "set -eu\n" in text or name in GO_ON


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", TEXTS)
def test_they_please_shellcheck(name: str) -> None:
    subprocess.run(["shellcheck", f"--exclude={MEANT}", "-"], input=TEXTS[name], text=True, check=True)
