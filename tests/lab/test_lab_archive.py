"""The lab's internet has a Debian archive: hosts install packages from it, by their own apt, signatures checked."""

from __future__ import annotations

from eyas.lab.testing import Host, Internet


def test_a_host_installs_a_package(host: Host) -> None:
    host.fail("dpkg-query", "--status", "hello")
    host.succeed("apt-get", "update", "--quiet", timeout=300)
    host.succeed("apt-get", "install", "--yes", "--quiet", "hello", timeout=300)
    assert host.succeed("hello").startswith("Hello")
    host.succeed("apt-get", "purge", "--yes", "--quiet", "hello", timeout=120)


def test_the_archive_is_nothing_but_an_archive(internet: Internet) -> None:
    code = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--path-as-is")
    assert internet.succeed(*code, "http://198.51.100.20/elsewhere/x") == "404"
    assert internet.succeed(*code, "http://198.51.100.20/debian/../x") == "404"
