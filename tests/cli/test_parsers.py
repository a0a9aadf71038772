"""Words of other programs as values: grep(1), systemctl(1)."""

from __future__ import annotations

from eyas.cli.health import PATIENCE, failed_units, limit, probe_lines


def test_probes_as_grep_shows_them() -> None:
    assert probe_lines(
        "/run/eyas/probes/web:ok\ttcp 80\taccepts\n/run/eyas/probes/db:failed\ttcp 5432\trefused: x\n"
    ) == {
        "web": [["ok", "tcp 80", "accepts"]],
        "db": [["failed", "tcp 5432", "refused: x"]],
    }


def test_probes_have_the_time_of_one_try_each() -> None:
    """Not what they may take at a start: a stack may have minutes for that, and status is to end."""
    assert limit(None) == PATIENCE
    assert limit([{"type": "tcp", "timeout": 600}, {"type": "unit"}]) == PATIENCE
    assert limit([{"type": "command", "timeout": 600}, {"type": "http"}, {"type": "command"}]) == PATIENCE + 130


def test_failed_units() -> None:
    assert failed_units("nginx.service loaded failed failed A web server\n\n") == ["nginx.service"]
