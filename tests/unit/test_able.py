"""What a machine lacks to be a host, said in one message before anything is changed."""

from __future__ import annotations

from eyas.host.able import PROGRAMS, lacking

TRIXIE = "systemd 257 (257.8-1~deb13u2)\n+PAM +AUDIT"
BOOKWORM = "systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT"


def test_a_server_that_has_all() -> None:
    assert lacking(TRIXIE, True, PROGRAMS) == ([], [])


def test_an_older_release_is_named_beside_what_is_needed() -> None:
    lacks, hints = lacking(BOOKWORM, True, PROGRAMS)
    assert lacks == ["systemd 257 or newer is needed, it has 252"]
    assert hints == ["Debian 13 has it"]


def test_all_that_is_missing_is_told_at_once() -> None:
    lacks, hints = lacking("", False, {"ip", "systemd-nspawn"})
    assert lacks == [
        "it was not booted by systemd",
        "systemd 257 or newer is needed, it has none",
        "not installed: nftables, ostree",
    ]
    assert hints[-1] == "apt-get install nftables ostree"
