"""Who stands behind the front is exchanged: the front itself is not touched, and nobody notices."""

from __future__ import annotations

from tests.lab.front.fronts import CLIENT, SITE, Fronts
from tests.lab.front.test_front_reload import unnoticed


def test_a_backend_is_replaced_side_by_side(fronts: Fronts) -> None:
    fronts.until_alone()
    current, processes = fronts.current(), fronts.generations()
    with fronts.opened("h3") as connection:
        with fronts.loaded(12) as load:
            fronts.edit('size="512M"', 'size="600M"')
            (change,) = fronts.plan()["changes"]
            assert (change["id"], change["impact"]) == ("container:echo", "beside")
            said = fronts.apply()
            assert "echo" in said
        assert connection.ask("/after") == f"200 echo /after {SITE} {CLIENT[4]} https", "it stayed up"
    unnoticed(load, 12)
    assert fronts.host.succeed("machinectl", "list", "--no-legend").count("echo.b") == 1, "another one answers now"
    assert (fronts.current(), fronts.generations()) == (current, processes), "nginx was not reloaded for it"
