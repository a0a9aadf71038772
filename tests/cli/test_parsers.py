"""Words of other programs as values: find(1), grep(1), systemctl(1)."""

from __future__ import annotations

from eyas.cli.health import failed_units, probe_lines
from eyas.cli.writes import Written, text, written


def listing(*rows: str) -> str:
    return "".join(f"{row}\0" for row in rows)


def test_what_a_container_wrote() -> None:
    found = written(
        listing(
            "d 60 1.5 etc", "f 12 2.0 etc/mine", "f 3 2.0 etc/resolv.conf", "f 3 2.0 etc/declared",
            "c 0 3.0 usr/bin/gone", "d 40 3.0 usr", "d 40 3.0 usr/bin", "d 40 4.0 srv/empty", "d 40 4.0 srv",
            "l 5 1.0 link to x",
        ),
        {"/etc/declared"},
    )  # fmt: skip
    assert found == [
        Written("/etc/mine", "file", 12, 2.0),
        Written("/link to x", "link", 0, 1.0),
        Written("/srv/empty", "directory", 0, 4.0),
        Written("/usr/bin/gone", "deleted", 0, 3.0),
    ]


def test_a_folder_made_for_a_declared_file_is_not_the_containers_own() -> None:
    assert written(listing("d 40 1.0 etc/app", "f 1 1.0 etc/app/conf"), {"/etc/app/conf"}) == []


def test_nothing_written() -> None:
    assert written("", set()) == []
    assert text("web", [], 0.0) == "web wrote nothing outside its persistent paths."


def test_the_sum_of_it() -> None:
    shown = text("web", [Written("/a", "file", 1536, 90.0), Written("/b", "deleted", 0, 10.0)], 100.0)
    assert shown.splitlines()[1].split() == ["1.5K", "10", "s", "file", "/a"]
    assert shown.endswith("2 paths, 1.5K: a restart of web loses them.")


def test_probes_as_grep_shows_them() -> None:
    assert probe_lines(
        "/run/eyas/probes/web:ok\ttcp 80\taccepts\n/run/eyas/probes/db:failed\ttcp 5432\trefused: x\n"
    ) == {
        "web": [["ok", "tcp 80", "accepts"]],
        "db": [["failed", "tcp 5432", "refused: x"]],
    }


def test_failed_units() -> None:
    assert failed_units("nginx.service loaded failed failed A web server\n\n") == ["nginx.service"]
