"""What all sites of a front share: compression, versions of TLS, logs that are rotated."""

from __future__ import annotations

from eyas.lab.testing import retry
from tests.lab.sites.rig import FRONT, PUBLIC, Sites

LONG = "https://app.example.org/long?" + "x" * 2000
LOG = "/var/log/nginx/app.example.org.log"


def curl(sites: Sites, *words: str) -> str:
    there = ("--connect-to", f"::{PUBLIC[4]}:", "--cacert", str(sites.ca))
    return sites.succeed("internet", "curl", "-sS", *there, *words)


def test_answers_are_compressed_for_those_who_ask_for_it(sites: Sites) -> None:
    size = ("--output", "/dev/null", "--write-out", "%{size_download} %header{content-encoding}")
    plain = curl(sites, *size, LONG).split()
    small = curl(sites, *size, "-H", "Accept-Encoding: gzip", LONG).split()
    assert int(plain[0]) > 2000
    assert len(plain) == 1
    assert (int(small[0]) < 1000, small[1:]) == (True, ["gzip"])


def test_old_versions_of_tls_are_refused(sites: Sites) -> None:
    for version in ("1.2", "1.3"):
        assert "long" in curl(sites, f"--tlsv{version}", "--tls-max", version, LONG)
    weak = ("--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0")
    said = sites.fail("internet", "curl", "-sS", "--connect-to", f"::{PUBLIC[4]}:", *weak, LONG)
    assert "protocol" in str(said)


def test_logs_are_rotated_and_written_on(sites: Sites) -> None:
    curl(sites, "https://app.example.org/before-it")
    retry(lambda: sites.succeed(FRONT, "grep", "-c", "before-it", LOG), "it is written down", 10)
    sites.succeed(FRONT, "logrotate", "--force", "/etc/logrotate.d/nginx")
    curl(sites, "https://app.example.org/after-it")
    retry(lambda: sites.succeed(FRONT, "grep", "-c", "after-it", LOG), "nginx has opened it anew", 10)
    sites.fail(FRONT, "grep", "before-it", LOG)
    sites.fail(FRONT, "grep", "after-it", f"{LOG}.1")
    sites.succeed(FRONT, "grep", "before-it", f"{LOG}.1")
    assert "www-data" in sites.succeed(FRONT, "stat", "--format=%U", LOG)
