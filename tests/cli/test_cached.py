"""What an evaluation found is kept, and believed only while it is true."""

from __future__ import annotations

import time
from pathlib import Path

from eyas.cli import cached
from eyas.cli.cached import Wanted
from eyas.cli.place import CACHE, noted
from eyas.core.errors import Diagnostic
from eyas.core.words import Resource
from eyas.model.cache import RACY, Recorder

ENTRIES = [{"path": "/etc/secret", "type": "file", "content": "s3cret"}]
WANTED = Wanted(
    "h",
    {
        "layer:ab": Resource("layer:ab", "layer", "web", {"digest": "ab", "entries": ENTRIES}, "fleet.py:3"),  # type: ignore[dict-item]
        "sysctl:a.b": Resource("sysctl:a.b", "sysctl", "host", {"value": "1"}, "fleet.py:9"),
    },
    {"c0ffee": "key"},
    {"web": "Debian GNU/Linux 13 (trixie)"},
    (Diagnostic("fleet.py", 3, "name", "looks odd", severity="warning"),),
)


def kept(folder: Path) -> Path:
    """A fleet with a definition, evaluated."""
    source = folder / "fleet.py"
    source.write_text("x = 1\n")
    time.sleep(2 * RACY / 1e9)
    with Recorder(str(folder)) as seen:
        source.read_text()
    dependencies = seen.dependencies()
    cached.store_names(str(folder), {"h": ["web"]})
    cached.store(str(folder), WANTED, dependencies)
    return source


def test_what_was_kept_comes_back_without_contents(tmp_path: Path) -> None:
    kept(tmp_path)
    found = cached.load(str(tmp_path), "h")
    assert found == WANTED.without_entries()
    assert "s3cret" not in (tmp_path / CACHE / "h.json").read_text()


def test_contents_come_when_asked_for(tmp_path: Path) -> None:
    kept(tmp_path)
    found = cached.load(str(tmp_path), "h")
    assert found is not None
    assert cached.complete(str(tmp_path), found) == WANTED


def test_a_change_of_the_definitions_ends_it(tmp_path: Path) -> None:
    kept(tmp_path).write_text("x = 2\n")
    assert cached.load(str(tmp_path), "h") is None


def test_other_hosts_have_their_own(tmp_path: Path) -> None:
    kept(tmp_path)
    assert cached.load(str(tmp_path), "other") is None


def test_lost_contents_are_told(tmp_path: Path) -> None:
    kept(tmp_path)
    found = cached.load(str(tmp_path), "h")
    (tmp_path / CACHE / "h.layers.json").unlink()
    assert found is not None
    assert cached.complete(str(tmp_path), found) is None


def test_forgetting(tmp_path: Path) -> None:
    kept(tmp_path)
    cached.forget(str(tmp_path), "h")
    assert cached.load(str(tmp_path), "h") is None
    cached.forget(str(tmp_path), "h")


def test_it_is_for_the_owner_alone_and_out_of_version_control(tmp_path: Path) -> None:
    kept(tmp_path)
    folder = tmp_path / CACHE
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    assert (folder.parent / ".gitignore").read_text() == "*\n"
    assert noted(str(tmp_path)) == {"hosts": ["h"], "containers": ["web"]}


def test_a_directory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".eyas").write_text("in the way")
    cached.store_names(str(tmp_path), {"h": []})
    cached.store(str(tmp_path), WANTED, [])
    assert cached.load(str(tmp_path), "h") is None
