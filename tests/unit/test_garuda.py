"""The example fleet is the fleet of the brief: names, addresses, ports, paths, order, grants."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from eyas.model import Container, Fleet, merged
from eyas.model.loader import load
from eyas.model.rules import check

EXAMPLES = Path(__file__).parents[2] / "examples"

ADDRESSES = {
    "web-front": "10.0.5.10",
    "temeraire": "10.0.5.20",
    "repo": "10.0.5.30",
    "iso-runner": "10.0.5.40",
    "postgres": "10.0.5.50",
    "meshcentral": "10.0.5.60",
    "forum": "10.0.5.70",
    "mastodon": "10.0.5.80",
    "chaotic-kde": "10.0.5.90",
    "docker": "10.0.5.100",
}
FORWARDS = {
    "web-front": {(222, "tcp", 22), (80, "tcp", 80), (443, "tcp", 443), (443, "udp", 443), (8448, "tcp", 8448)},
    "temeraire": {
        (22, "tcp", 22),
        (873, "tcp", 873),
        (21027, "udp", 21027),
        (22000, "tcp", 22000),
        (22000, "udp", 22000),
    },
    "repo": {(223, "tcp", 22)},
    "iso-runner": {(227, "tcp", 22)},
    "postgres": set(),
    "meshcentral": set(),
    "forum": {(224, "tcp", 22)},
    "mastodon": set(),
    "chaotic-kde": {(226, "tcp", 22)},
    "docker": {(225, "tcp", 22), (27017, "tcp", 27017)},
}
GRANTS = {
    "temeraire": {"nspawn"},
    "repo": {"nspawn"},
    "chaotic-kde": {"nspawn"},
    "iso-runner": {"docker", "loop"},
    "forum": {"docker"},
    "docker": {"docker"},
}
PATHS = {
    ("web-front", "/data_1/containers/web-front/acme", "/var/lib/acme"),
    ("web-front", "/data_1/containers/web-front/nginx", "/var/log/nginx"),
    ("temeraire", "/data_2/chaotic-aur", "/srv/http/repos"),
    ("temeraire", "/data_2/iso/iso", "/srv/http/iso"),
    ("temeraire", "/data_2/containers/temeraire/syncthing", "/var/lib/syncthing"),
    ("repo", "/data_2/chaotic-aur/garuda", "/srv/http/repos/garuda"),
    ("iso-runner", "/data_2/iso", "/var/garuda/buildiso"),
    ("postgres", "/data_1/containers/postgres/data", "/var/lib/postgresql"),
    ("postgres", "/data_1/containers/postgres/backup", "/var/garuda/backups/postgres"),
    ("meshcentral", "/data_1/containers/meshcentral", "/opt/meshcentral"),
    ("forum", "/data_1/containers/forum", "/var/discourse"),
    ("mastodon", "/data_1/containers/mastodon/mastodon", "/var/lib/mastodon"),
    ("mastodon", "/data_1/containers/mastodon/redis", "/var/lib/redis-mastodon"),
    ("chaotic-kde", "/data_2/chaotic-aur/chaotic-aur-kde", "/srv/http/repos/chaotic-aur-kde"),
    ("docker", "/data_1/containers/docker", "/var/garuda/compose/all-in-one"),
}


@cache
def garuda() -> Fleet:
    return load(EXAMPLES / "garuda").fleet


def container(name: str) -> Container:
    found = garuda().hosts[0].container(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["garuda", "small"])
def test_no_finding_in_an_example(name: str) -> None:
    assert check(load(EXAMPLES / name).fleet) == []


def test_ten_containers_at_their_addresses() -> None:
    assert {c.name: c.address for c in garuda().hosts[0].containers} == ADDRESSES


def test_ports_of_the_host_lead_where_they_did() -> None:
    for name, expected in FORWARDS.items():
        assert {(f.port, f.proto, f.target) for f in container(name).forwards} == expected, name


def test_grants_are_those_needed_and_no_others() -> None:
    for name in ADDRESSES:
        assert set(merged(container(name)).grants) == GRANTS.get(name, set()), name


def test_data_is_where_it_was() -> None:
    found = {
        (name, bind.source, bind.target)
        for name in ADDRESSES
        for bind in merged(container(name)).binds
        if bind.persistent
    }
    assert found >= PATHS


def test_everything_but_the_root_of_docker_is_known() -> None:
    """What persists beyond the fleet's own list is storage of Docker, and of the package builders with their cache."""
    found = {bind.target for name in ADDRESSES for bind in merged(container(name)).binds if bind.persistent} - {
        target for _, _, target in PATHS
    }
    builders = {"/var/lib/package-builder", "/var/cache/package-builder", "/etc/package-builder/signing"}
    builders.add("/var/cache/source-cache")
    assert found == {"/var/lib/docker", *builders}


def test_homes_and_people_are_everywhere() -> None:
    for name in ADDRESSES:
        system = merged(container(name))
        assert "/home" in {bind.source for bind in system.binds}
        assert {user.name: user.uid for user in system.users}.items() >= {"anna": 1001, "ben": 1002}.items()


def test_users_of_the_database_start_after_it_and_never_restart_with_it() -> None:
    for name in ("meshcentral", "mastodon", "docker"):
        assert container(name).after == ("postgres",)
    for each in garuda().hosts[0].containers:
        assert each.needs == each.restart_with == ()


def test_the_manager_of_the_builders_stops_first() -> None:
    assert set(container("temeraire").after) == {"repo", "chaotic-kde"}


def test_every_container_has_probes() -> None:
    for name in ADDRESSES:
        assert merged(container(name)).probes, name


def test_sites_lead_to_containers() -> None:
    sites = {site.name: b.container for site in merged(container("web-front")).sites for b in site.backends}
    assert len(sites) >= 6
    assert sites["mesh.example.org"] == "meshcentral"
    assert set(sites.values()) == {"meshcentral", "docker", "forum", "mastodon", "temeraire", "repo", "chaotic-kde"}


def test_builders_share_one_image() -> None:
    assert merged(container("repo")).packages == merged(container("chaotic-kde")).packages
