"""What a lab computes before it touches anything: names, addresses, what to put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyas.core.errors import Failed, UsageError
from eyas.core.events import Event, silent
from eyas.lab import LabHost, Place, kernel, wire
from eyas.lab.furnish import PROVIDER, furnish, uplink
from eyas.lab.place import all_places, lab_id
from eyas.lab.spec import check
from eyas.lab.state import alive, locked, read_json, start_time, write_json

HOST = LabHost(
    "immortalis",
    addresses=("203.0.113.112/26", "2001:db8:5:1::2/64"),
    gateways=("203.0.113.65", "fe80::1"),
    data=("/data_1/containers",),
)


def test_a_lab_is_named_after_the_whole_path_of_its_directory(tmp_path: Path) -> None:
    one, other = tmp_path / "a/Garuda Fleet", tmp_path / "b/Garuda Fleet"
    assert lab_id(one).startswith("garuda-fleet-")
    assert lab_id(one) != lab_id(other)
    assert lab_id(one) == lab_id(tmp_path / "a/../a/Garuda Fleet")


def test_what_is_left_of_a_lab_is_found_by_its_name(tmp_path: Path) -> None:
    """`lab down --all` takes it away, also when nothing says what it was."""
    place = Place(lab_id(tmp_path), tmp_path / "labs")
    assert all_places(place.base) == []
    (place.path / "alpha").mkdir(parents=True)
    (place.base / "something-else").mkdir()
    place.lock.touch()
    assert all_places(place.base) == [place]


def test_names_fit_where_the_kernel_and_nspawn_want_them_short(tmp_path: Path) -> None:
    place = Place.of(tmp_path / ("f" * 200))
    for name in ("a", "h" * 63):
        host = place.host(name)
        assert len(host.port) <= 15
        assert len(place.outer_link) <= 15
        assert len(host.machine) <= 64
    assert place.host("h" * 62 + "1").machine != place.host("h" * 62 + "2").machine


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ([LabHost("internet")], "uses this name itself"),
        ([LabHost("Bad Name")], "not a host name"),
        ([LabHost("one"), LabHost("one")], "two hosts"),
        ([LabHost("one", addresses=("203.0.113.300/26",))], "203.0.113.300"),
        ([LabHost("one", gateways=("gateway",))], "gateway"),
    ],
)
def test_impossible_hosts_are_refused(hosts: list[LabHost], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check(hosts)
    check([HOST])


def test_the_internet_has_the_gateways_and_comes_from_elsewhere() -> None:
    assert wire.routers([HOST]) == [
        "addr replace 203.0.113.65/26 dev wire0 noprefixroute",
        "addr replace fe80::1/64 dev wire0 nodad noprefixroute",
        "addr replace 2001:db8:5:1::1/64 dev wire0 nodad noprefixroute",
        "route replace 2001:db8:5:1::/64 dev wire0 src 2001:db8:ffff::10",
        "route replace 203.0.113.64/26 dev wire0 src 198.51.100.10",
        "route replace fe80::/64 dev wire0",
    ]


def test_a_host_that_took_the_first_address_of_its_prefix_keeps_it() -> None:
    lines = wire.routers([LabHost("one", addresses=("2001:db8:7::1/64",), gateways=("fe80::1",))])
    assert not [line for line in lines if line.startswith("addr replace 2001:db8:7::1")]


def test_a_host_survives_json() -> None:
    assert LabHost.from_json(HOST.to_json()) == HOST


def test_a_tree_becomes_a_host(tmp_path: Path) -> None:
    shipped = tmp_path / "usr/lib/sysctl.d/50-shipped.conf"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("kernel.panic = 1\n")
    furnish(tmp_path, HOST, "fleet-12345678")
    assert (tmp_path / "etc/hostname").read_text() == "immortalis\n"
    assert (tmp_path / "etc/sysctl.d/50-shipped.conf").readlink() == Path("/dev/null")
    assert (tmp_path / "data_1/containers").is_dir()
    assert "Gateway=fe80::1" in (tmp_path / PROVIDER).read_text()
    first = (tmp_path / "etc/machine-id").read_text()
    assert len(first) == 33
    furnish(tmp_path, HOST, "fleet-12345678")
    assert (tmp_path / "etc/machine-id").read_text() == first
    assert not uplink(tmp_path, HOST)
    assert uplink(tmp_path, LabHost("immortalis", addresses=("192.0.2.1/24",)))


def test_kernel_settings_are_put_back_and_only_those_that_changed(tmp_path: Path) -> None:
    settings, base = tmp_path / "sys", tmp_path / "labs"
    files = {"fs/inotify/max_user_instances": "128", "fs/inotify/max_user_watches": "200000", "fs/nr_open": "1048576"}
    for name, value in (files | {"net/core/somaxconn": "4096"}).items():
        path = settings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    news: list[Event] = []
    kernel.prepare(base, news.append, settings)
    assert [event.text for event in news] == [
        "fs.inotify.max_user_instances raised from 128 to 4096 while labs are up (it has no namespace)"
    ]
    (settings / "fs/nr_open").write_text("1073741816\n")
    (settings / "net/core/somaxconn").write_text("1\n")
    kernel.prepare(base, silent, settings)  # a second lab, which must not take what it sees for the original
    kernel.restore(base, silent, settings)
    assert {name: (settings / name).read_text().strip() for name in files} == files
    assert (settings / "net/core/somaxconn").read_text() == "1\n", "of a namespace: not ours to touch"
    assert not (base / "kernel.json").exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    place = Place("fleet-12345678", tmp_path)
    with locked(place), pytest.raises(Failed, match="another eyas"), locked(place):
        pass
    with locked(place):
        pass
    assert not place.lock.exists(), "there is no lab, so there is nothing to lock"


def test_a_process_is_known_by_its_start(tmp_path: Path) -> None:
    started = start_time(1)
    assert alive(1, started)
    assert not alive(1, (started or 0) + 1)
    assert not alive(None, None)
    write_json(tmp_path / "x.json", {"a": 1})
    assert read_json(tmp_path / "x.json") == {"a": 1}
    assert read_json(tmp_path / "none.json") is None
