"""The demo: ten containers from one definition, their sites, and a second apply that does nothing."""

from __future__ import annotations

import pytest

from tests.lab.fleet.garuda import NAMES, Garuda, costs

SITES = {
    "mesh.example.org": ("meshcentral", "MeshCentral"),
    "wiki.example.org": ("docker", "<title>wiki</title>"),
    "cloud.example.org": ("docker", "<title>Nextcloud</title>"),
    "search.example.org": ("docker", "<title>Whoogle</title>"),
    "forum.example.org": ("forum", "<title>forum</title>"),
    "discourse.example.org": ("forum", "<title>forum</title>"),
    "social.example.org": ("mastodon", '"database": "mastodon"'),
    "repo.example.org": ("temeraire", 'href="iso/"'),
    "garuda.example.org": ("repo", 'href="repos/"'),
    "kde.example.org": ("chaotic-kde", 'href="repos/"'),
}


def test_ten_containers_are_healthy(garuda: Garuda) -> None:
    garuda.well()
    assert garuda.drift() == {}
    seen = {row["name"]: row for row in garuda.json("status")["containers"]}
    assert set(seen) == NAMES
    assert {row["state"] for row in seen.values()} == {"running"}
    assert seen["postgres"]["address"] == "10.0.5.50"
    assert seen["postgres"]["address6"] == "fd00:5::50"
    assert all(row["os"].startswith("Debian GNU/Linux 13") for row in seen.values())
    assert all(row["uptime"] > 0 for row in seen.values())


def test_machinectl_lists_ten_with_their_addresses(garuda: Garuda) -> None:
    rows = garuda.host.succeed("machinectl", "list", "--no-legend").splitlines()
    listed = {line.split()[0]: line.split() for line in rows}
    assert set(listed) == NAMES
    assert {name: row[5].rstrip("…") for name, row in listed.items()} == {
        row["name"]: row["address"] for row in garuda.json("status")["containers"]
    }
    assert {(row[1], row[2], row[3]) for row in listed.values()} == {("container", "systemd-nspawn", "debian")}


@pytest.mark.parametrize("site", SITES)
def test_a_site_answers_from_its_container(garuda: Garuda, site: str) -> None:
    """TLS with a certificate that is verified (--fail-with-body and no --insecure), HTTP/2, both families."""
    container, words = SITES[site]
    for family in ("-4", "-6"):
        answer = garuda.internet.get(
            f"https://{site}/", family, "--http2", "--write-out", "\n%{http_version} %{ssl_verify_result} %{remote_ip}"
        )
        body, _, seen = answer.rpartition("\n")
        assert words in body, f"{container} does not answer for {site}"
        assert seen.split() == ["2", "0", "203.0.113.112" if family == "-4" else "2001:db8:5:1::2"]


def test_the_stack_of_the_container_docker(garuda: Garuda) -> None:
    (stack,) = garuda.json("status")["containers"][-1]["stacks"]
    services = {row["name"]: (row["state"], row["health"]) for row in stack["services"]}
    assert len(services) > 20
    assert services.pop("stand-in") == ("done", "")
    assert {state for state, _ in services.values()} == {"running"}
    checked = {"nextcloud", "nextcloud-db", "wikijs", "vaultwarden", "whoogle", "libreddit", "synapse", "mongodb"}
    assert {name for name, (_, health) in services.items() if health == "healthy"} == checked
    told = "It looks like you are trying to access MongoDB over HTTP"
    assert told in garuda.internet.get("http://203.0.113.112:27017/")
    assert "Synapse" in garuda.internet.get("https://example.org:8448/_matrix/")
    bridge = ("docker", "exec", "all-in-one-telegram-1", "/bin/busybox")
    assert "Synapse" in garuda.exec("docker", *bridge, "wget", "-q", "-O", "-", "http://synapse:8008/")
    assert garuda.run("exec", "docker", "--", *bridge, "touch", "/mark").code != 0, "a root that is read only"


def test_all_that_is_declared_is_found_well_from_everywhere(garuda: Garuda) -> None:
    """But for the host's own SSH: a virtual host has none."""
    found = garuda.json("verify")
    assert [(row["severity"], row["about"], row["message"]) for row in found["findings"]] == [
        ("warning", "host", "port 666/tcp is open on the host, and nobody listens there")
    ]
    assert found["well"]
    assert found["asked"]["inside"] > 100
    assert found["asked"]["outside"] > 40


def test_the_clients_address_is_kept_and_http_goes_to_https(garuda: Garuda) -> None:
    assert '"visitor": "198.51.100.10"' in garuda.internet.get("https://social.example.org/", "-4")
    assert '"visitor": "2001:db8:ffff::10"' in garuda.internet.get("https://social.example.org/", "-6")
    seen = garuda.internet.get("http://wiki.example.org/a?b", "--write-out", "%{http_code} %{redirect_url}")
    assert seen.endswith("301 https://wiki.example.org/a?b")
    told = garuda.internet.fail("curl", "--silent", "--show-error", "--fail", "https://nobody.example.org/")
    assert "nobody.example.org" in told


def test_each_repository_serves_its_own_directory_of_the_host(garuda: Garuda) -> None:
    """repo and chaotic-kde answer alike: what lies in the data of one of them tells who was asked."""
    places = {"garuda.example.org": "garuda", "kde.example.org": "chaotic-aur-kde"}
    for site, folder in places.items():
        path = f"/data_2/chaotic-aur/{folder}/who"
        garuda.host.succeed("tee", path, input=site)
        try:
            assert garuda.internet.get(f"https://{site}/repos/{folder}/who") == site
            assert garuda.internet.get(f"https://repo.example.org/repos/{folder}/who") == site  # temeraire has them all
        finally:
            garuda.host.succeed("rm", path)
    missing = garuda.internet.fail("curl", "-sSf", "https://garuda.example.org/repos/chaotic-aur-kde/who")
    assert "404" in missing


def test_a_second_apply_does_nothing(garuda: Garuda) -> None:
    before = garuda.runs()
    assert set(before) == NAMES
    inside = {name: garuda.units(name) for name in ("web-front", "postgres", "docker")}
    done = garuda.applied()
    assert costs(done["plan"]) == set()
    assert done["outcome"] is None or done["plan"]["changes"]
    assert set(done["plan"]["untouched"]) == NAMES
    assert garuda.runs() == before
    assert {name: garuda.units(name) for name in inside} == inside
