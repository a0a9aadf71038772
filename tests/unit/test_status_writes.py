"""The binds that would keep what a container wrote."""

from __future__ import annotations

from eyas.core.written import Written
from eyas.model import Bind, Bridge, Container, Host, Image, Uplink
from eyas.status.writes import data_folder, proposals

BASE = Image.debian(name="base")


def container(name: str, last: int, *binds: Bind) -> Container:
    return Container(name, f"10.0.5.{last}", BASE, binds=binds)


def host(*containers: Container) -> Host:
    return Host("h", Uplink("eth0", "203.0.113.10/26"), Bridge("br0", "10.0.5.1/24"), containers)


def test_data_is_kept_where_the_others_keep_theirs() -> None:
    web = container("web", 10, Bind("/data_1/containers/web/files", "/srv/files", persistent=True))
    bare, plain = container("bare", 11), container("plain", 12, Bind("/home"))
    assert data_folder(host(web, bare), web) == "/data_1/containers/web"
    assert data_folder(host(web, bare), bare) == "/data_1/containers/bare"
    assert data_folder(host(plain), plain) == "/data/plain"


def test_one_bind_for_each_folder() -> None:
    web = container("web", 10, Bind("/data/web/app", "/srv/app", persistent=True))
    items = [
        Written("/var/lib/app/a", size=5, unit="app.service", place="/var/lib/app"),
        Written("/var/lib/app/b", size=6, place="/var/lib/app"),
        Written("/opt/big", type="dir", size=900, place="/opt/big"),
        Written("/etc/x", "changed", size=3),
        Written("/var/log/y", place="/var/log", rule="logs"),
    ]
    places = [{"path": "/var/lib/app", "owner": "app", "group": "1234", "mode": 0o750}]
    big, app = proposals(host(web), web, items, places)
    assert big.line == 'Bind("/data/web/big", "/opt/big", persistent=True, carry=True)'
    assert app.line.startswith('Bind("/data/web/var-lib-app", "/var/lib/app", persistent=True, carry=True, ')
    assert app.line.endswith('owner="app", group=1234, mode=0o750)')
    assert (app.size, app.units, app.paths) == (11, ("app.service",), ("/var/lib/app/a", "/var/lib/app/b"))
    assert app.origin == web.statement
