"""The real host's parts, as far as they can be tried in a folder: files, roots, and what other programs print."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from eyas.core.errors import Failed
from eyas.core.system import Entry, System
from eyas.host.command import CommandFailed, run, start, stream
from eyas.host.files import RealFiles
from eyas.host.firewall import listing_digest
from eyas.host.inside import Inside
from eyas.host.packages import installed_in
from eyas.host.parts import RealKernel
from eyas.host.units import parse_show
from eyas.kind import snapshot

ME: dict[str, Any] = {"uid": os.getuid(), "gid": os.getgid()}


def test_a_file_is_replaced_in_one_go(tmp_path: Path) -> None:
    files = RealFiles(str(tmp_path))
    files.write("/a/b/c", b"one", 0o600, **ME)
    first = (tmp_path / "a/b/c").stat().st_ino
    files.write("/a/b/c", b"two", 0o640, **ME)
    found = files.stat("/a/b/c")
    assert found is not None
    assert (files.read("/a/b/c"), found.mode, found.type) == (b"two", 0o640, "file")
    assert (tmp_path / "a/b/c").stat().st_ino != first
    assert files.list("/a/b") == ["c"]


def test_a_crashed_write_does_not_hinder_the_next(tmp_path: Path) -> None:
    files = RealFiles(str(tmp_path))
    (tmp_path / "c.eyas-new").write_text("half")
    files.write("/c", b"whole", **ME)
    assert files.list("/") == ["c"]


def test_what_a_cut_off_write_left_goes_when_it_is_taken_back(tmp_path: Path) -> None:
    """There was no such file before, or one that is as it was."""
    files, half = RealFiles(str(tmp_path)), tmp_path / "c.eyas-new"
    half.write_text("half")
    files.remove("/c")
    assert files.list("/") == []
    files.write("/c", b"as it was", **ME)
    system = cast(System, SimpleNamespace(files=files))
    seen = snapshot.take(system, "/c", "/kept")
    half.write_text("half")
    snapshot.put_back(system, seen)
    assert files.list("/") == ["c", "kept"]
    assert files.read("/c") == b"as it was"


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    files = RealFiles(str(tmp_path))
    assert files.read("/no/such") is None
    assert files.stat("/no/such") is None
    assert files.readlink("/no") is None
    assert files.list("/no") == []
    files.remove("/no/such")
    files.remove_tree("/no/such")


def test_a_link_is_seen_as_a_link(tmp_path: Path) -> None:
    files = RealFiles(str(tmp_path))
    files.symlink("/nowhere", "/x/link")
    files.symlink("/elsewhere", "/x/link")
    found = files.stat("/x/link")
    assert found is not None
    assert (found.type, files.readlink("/x/link")) == ("link", "/elsewhere")


def test_a_directory_with_something_in_it_stays(tmp_path: Path) -> None:
    files = RealFiles(str(tmp_path))
    files.write("/a/b", b"data", **ME)
    with pytest.raises(Failed, match=r"cannot remove /a"):
        files.remove("/a")
    assert files.read("/a/b") == b"data"


def test_a_tree_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    files = RealFiles(str(tmp_path))
    entries = [
        Entry("/root/etc/motd", "file", 0o644, data=b"hi", **ME),
        Entry("/root/etc/hosts", "link", target="/run/hosts", **ME),
        Entry("/root/secret", "dir", 0o700, **ME),
        Entry("/root/secret/key", "file", 0o400, data=b"k", **ME),
    ]
    files.make_tree("/layer", entries)
    assert files.readlink("/layer/root/etc/hosts") == "/run/hosts"
    assert stat.S_IMODE((tmp_path / "layer/root/secret").stat().st_mode) == 0o700
    with pytest.raises(Failed):
        files.make_tree("/other", [Entry("/a", "file", data=b"", **ME), Entry("/a/b", "file", data=b"", **ME)])
    assert files.list("/") == ["layer", "other.eyas-new"]


def inside(root: Path) -> Inside:
    return Inside(str(root))


def test_no_link_leads_out_of_a_root(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / "etc").mkdir(parents=True)
    (root / "absolute").symlink_to(outside)
    (root / "relative").symlink_to("../outside")
    (root / "above").symlink_to("../../../../../../../etc")
    with inside(root) as here:
        for name in ("absolute", "relative", "above"):
            here.put(Entry(f"/{name}/planted", "file", data=b"x", **ME))
    assert list(outside.iterdir()) == []
    assert (root / "etc/planted").exists()  # "above" stops at the root
    assert not Path("/etc/planted").exists()


def test_a_link_at_the_end_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    root = tmp_path / "root"
    root.mkdir()
    (root / "passwd").symlink_to(victim)
    with inside(root) as here:
        here.put(Entry("/passwd", "file", data=b"new", **ME))
    assert victim.read_text() == "mine"
    assert (root / "passwd").read_text() == "new"


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with inside(tmp_path) as here, pytest.raises(OSError, match="Too many levels"):
        here.put(Entry("/a/x", "file", **ME))


def test_removing_leaves_folders_that_are_in_use(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/keep").write_text("")
    with inside(tmp_path) as here:
        here.drop("/d")
        here.drop("/no/such")
        assert here.get("/no/such") is None
        here.drop("/d/keep")
        here.drop("/d")
    assert list(tmp_path.iterdir()) == []


def test_what_is_below_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("text")
    (tmp_path / "f").chmod(0o640)
    (tmp_path / "l").symlink_to("/run/x")
    with inside(tmp_path) as here:
        file, link = here.get("/f"), here.get("/l")
    assert file == Entry("/f", "file", 0o640, data=b"text", **ME)
    assert link is not None
    assert link.target == "/run/x"


def test_a_failure_says_what_and_how_to_see_it_again() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "echo bad >&2; exit 3"])
    assert caught.value.message == "cannot run sh: exit status 3: bad"
    assert "sh -c 'echo bad >&2; exit 3'" in caught.value.hint


def test_a_missing_program_and_a_slow_one_are_explained() -> None:
    with pytest.raises(CommandFailed, match="no such program"):
        run(["eyas-no-such-program"])
    with pytest.raises(CommandFailed, match=r"took longer than 0\.1 s"):
        run(["sleep", "5"], timeout=0.1)


def test_commands_have_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMD_PAGER", "less")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    names = dict(line.split("=", 1) for line in run(["env"], env={"MORE": "1"}).text.splitlines())
    assert "SYSTEMD_PAGER" not in names
    assert (names["LANG"], names["MORE"]) == ("C.UTF-8", "1")


def test_several_commands_overlap() -> None:
    both = [start(["sleep", "0.3"]) for _ in range(2)]
    assert sum(one.wait().seconds for one in both) < 0.9


def test_a_stream_hands_over_each_line() -> None:
    lines: list[str] = []
    stream([sys.executable, "-c", "print('a'); print('b', end='')"], lines.append)
    assert lines == ["a", "b"]


SHOWN = """Id=systemd-nspawn@web.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
InvocationID=0a8d20c37fcf4ddf87101f7056e3aafd
NeedDaemonReload=no
UnitFileState=enabled
MainPID=123
ExecMainStatus=0
MemoryCurrent=[not set]
ActiveEnterTimestamp=@1795342746
DropInPaths=/etc/systemd/system/systemd-nspawn@web.service.d/50-eyas-limits.conf /etc/x.conf

Id=gone.service
LoadState=not-found
ActiveState=inactive
SubState=dead
MemoryCurrent=18446744073709551615
ActiveEnterTimestamp=
DropInPaths="""


def test_systemd_is_understood() -> None:
    states = parse_show(SHOWN)
    web = states["systemd-nspawn@web.service"]
    assert web.running
    assert (web.main_pid, web.memory, web.since) == (123, -1, 1795342746.0)
    assert web.drop_ins[1] == "/etc/x.conf"
    assert not states["gone.service"].running
    assert states["gone.service"].memory == -1


def test_a_listing_is_the_same_whatever_passed_through() -> None:
    def listing(handle: int, packets: int, ports: str) -> str:
        rule = {"rule": {"handle": handle, "expr": [{"counter": {"packets": packets, "bytes": 1}}]}}
        elements = {"set": {"handle": handle, "elem": [int(port) for port in ports.split(", ")]}}
        return json.dumps({"nftables": [{"metainfo": {"version": f"1.{handle}"}}, elements, rule]})

    assert listing_digest(listing(1, 0, "80, 443")) == listing_digest(listing(2, 99, "443, 80"))
    assert listing_digest(listing(1, 0, "80")) != listing_digest(listing(1, 0, "81"))


def test_packages_are_those_that_are_installed() -> None:
    status = (
        "Package: less\nStatus: install ok installed\nPriority: x\nVersion: 590-2\n\n"
        "Package: lesser\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: held\nStatus: hold ok installed\nVersion: 3\n"
    )
    assert installed_in(status, ["less", "lesser", "held", "none"]) == {"less": "590-2", "held": "3"}


def test_kernel_settings_with_dots_in_names(tmp_path: Path) -> None:
    (tmp_path / "net/ipv4/conf/eth0.5").mkdir(parents=True)
    (tmp_path / "net/ipv4/conf/eth0.5/rp_filter").write_text("1\n")
    (tmp_path / "net/ipv4/range").write_text("1\t2\n")
    kernel = RealKernel(str(tmp_path))
    assert kernel.get("net/ipv4/conf/eth0.5/rp_filter") == "1"
    assert kernel.get("net.ipv4.range") == "1 2"
    assert kernel.get("net.no") is None
    with pytest.raises(Failed, match=r"cannot set net\.no"):
        kernel.set("net.no", "1")
