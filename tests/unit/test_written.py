"""What a container wrote: rules of noise, the walk of an upper layer, who wrote, what is new."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from eyas.core import paths
from eyas.core.system import Entry
from eyas.core.written import Listing, Noise, Writers, Written, attributed, place_of
from eyas.host.upper import MANY, Walk, weigh
from eyas.host.writers import directories
from eyas.kind.writes import accept, losses, report
from tests.world import Assembled, World


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/tmp/a/b", "temporary files"), ("/var/log", "logs"), ("/var/log/x/y", "logs"), ("/var/logs", ""),
        ("/home/kim/.cache/x", "caches"), ("/home/kim/cache", ""), ("/srv/app/x.pyc", "compiled Python"),
        ("/srv/__pycache__/x", "compiled Python"), ("/etc/ld.so.cache", "caches"), ("/etc/passwd", ""),
        ("/root/.bash_history", "histories of people"), ("/var/lib/app/data", ""),
        ("/etc/machine-id", "the machine's own"), ("/opt/node_modules/a/b", "node_modules/**"),
        ("/var/lib/x/tmp/1", "/var/lib/*/tmp/**"), ("/var/lib/x/y/tmp/1", ""),
        ("/opt/a/b/c.idx", "/opt/**/*.idx"), ("/opt/c.idx", ""), ("/srv/cache/one", "cache/one"),
    ],
)  # fmt: skip
def test_rules(path: str, rule: str) -> None:
    noise = Noise(["/var/lib/*/tmp/**", "node_modules/**", "/opt/**/*.idx", "cache/one"])
    found = noise.rule(path) or next((r for p in Path(path).parents if (r := noise.tree(str(p)))), "")
    assert found == rule


def test_a_rule_of_a_part_comes_first() -> None:
    assert Noise(["/var/log/app/**"]).rule("/var/log/app/x") == "/var/log/app/**"


class Layers:
    """A writable layer over two that are read-only, as folders."""

    def __init__(self, folder: Path) -> None:
        self.upper, self.layer, self.tree = (folder / name for name in ("upper", "layer", "tree"))
        for place in (self.upper, self.layer, self.tree):
            place.mkdir()

    def put(self, where: Path, path: str, text: str = "x", mode: int = 0o644) -> None:
        target = where / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def look(self, *noise: str, skip: tuple[str, ...] = (), everything: bool = False) -> Listing:
        lowers = [str(self.layer), str(self.tree)]
        return Walk(str(self.upper), lowers, Noise(noise), frozenset(skip), everything).listing()

    def lines(self, *noise: str, skip: tuple[str, ...] = ()) -> dict[str, tuple[str, int, int]]:
        return {item.path: (item.what, item.count, item.size) for item in self.look(*noise, skip=skip).items}


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    layers = Layers(tmp_path)
    for path in ("/etc/app/conf", "/var/lib/pkg/data", "/usr/bin/tool"):
        layers.put(layers.tree, path, "packaged")
    layers.put(layers.layer, "/etc/ours", "declared")
    return layers


def test_what_is_new_and_what_is_changed(layers: Layers) -> None:
    layers.put(layers.upper, "/etc/app/conf", "by hand.")
    layers.put(layers.upper, "/etc/app/new", "12345")
    layers.put(layers.upper, "/etc/ours", "declared")  # written there by a live change
    layers.put(layers.upper, "/usr/bin/tool", "packaged", 0o755)
    assert layers.lines() == {
        "/etc/app/conf": ("changed", 1, 8), "/etc/app/new": ("new", 1, 5), "/usr/bin/tool": ("changed", 1, 8),
    }  # fmt: skip


def test_a_folder_that_is_new_is_one_line(layers: Layers) -> None:
    for n in range(30):
        layers.put(layers.upper, f"/var/lib/mine/{n % 3}/{n}", "1234")
    layers.put(layers.upper, "/var/lib/mine/x.pyc", "123456")
    layers.put(layers.upper, "/home/kim/.cache/big", "1234567")
    layers.put(layers.upper, "/home/kim/letter", "1")
    (layers.upper / "var/lib/empty/in").mkdir(parents=True)
    assert layers.lines() == {"/var/lib/mine": ("new", 30, 120), "/home/kim": ("new", 1, 1)}
    noise = layers.look().noise
    assert noise["compiled Python"] == (1, 6)
    assert noise["caches"] == (1, 7)
    assert "empty folders" in noise


def test_many_files_of_a_folder_of_packages_are_one_line(layers: Layers) -> None:
    for n in range(MANY + 1):
        layers.put(layers.upper, f"/var/lib/pkg/{n}", "1234")
    layers.put(layers.upper, "/var/lib/pkg/data", "other")
    assert layers.lines() == {
        "/var/lib/pkg/*": ("new", MANY + 1, 4 * (MANY + 1)),
        "/var/lib/pkg/data": ("changed", 1, 5),
    }


def test_a_folder_instead_of_a_file_is_told(layers: Layers) -> None:
    layers.put(layers.upper, "/etc/ours/inside", "1")
    assert layers.lines() == {"/etc/ours": ("replaced", 1, 1)}


def test_links_are_seen_and_not_followed(layers: Layers, tmp_path: Path) -> None:
    layers.put(tmp_path, "/outside/secret", "secret")
    (layers.upper / "srv").mkdir()
    (layers.upper / "srv/out").symlink_to(tmp_path / "outside")
    assert layers.lines() == {"/srv/out": ("new", 1, 0)}
    assert layers.look().items[0].type == "link"
    root = os.open(layers.upper, os.O_RDONLY)
    assert weigh(root, "/srv/out") is None
    assert weigh(root, "/srv") == 0
    os.close(root)


def test_mount_points_and_sockets_are_nobodys(layers: Layers) -> None:
    (layers.upper / "srv/data/deep").mkdir(parents=True)
    (layers.upper / "mnt").mkdir()
    os.mkfifo(layers.upper / "mnt/pipe")
    assert layers.lines(skip=("/srv/data/deep",)) == {}
    assert layers.look().noise["sockets and pipes"] == (1, 0)
    assert [item.rule for item in layers.look(everything=True).items if item.path == "/mnt/pipe"] == [
        "sockets and pipes"
    ]


def test_an_owner_or_mode_that_changed_is_told(layers: Layers) -> None:
    layers.put(layers.upper, "/etc/app/conf", "packaged")
    (layers.upper / "etc/app").chmod(0o700)
    assert stat.S_IMODE((layers.tree / "etc/app").stat().st_mode) == 0o755
    assert layers.lines() == {"/etc/app": ("changed", 0, 0)}


SHOWN = """\
Id=app.service
DynamicUser=no
StateDirectory=app app/deep
LogsDirectory=

Id=own.service
DynamicUser=yes
StateDirectory=own:link
"""


def test_folders_of_services() -> None:
    assert directories(SHOWN) == {
        "/var/lib/app": ("app.service", "StateDirectory"),
        "/var/lib/app/deep": ("app.service", "StateDirectory"),
        "/var/lib/own": ("own.service", "StateDirectory"),
        "/var/lib/private/own": ("own.service", "StateDirectory"),
    }


WRITERS = Writers(
    {"/var/lib/app": ("app.service", "StateDirectory")},
    {900: ("app.service",), 33: ("one.service", "two.service")},
    {"/srv/log/file": ("log.service",), "/srv/both": ("one.service", "two.service")},
)


@pytest.mark.parametrize(
    ("item", "unit", "how"),
    [
        (Written("/var/lib/app", type="dir"), "app.service", "StateDirectory="),
        (Written("/var/lib/app/x"), "app.service", "StateDirectory="),
        (Written("/srv/log", type="dir"), "log.service", "has it open"),
        (Written("/srv/both"), "", ""),
        (Written("/srv/mine", uid=900, owner="app"), "app.service", "alone runs as app"),
        (Written("/srv/www", uid=33), "", ""),
        (Written("/srv/root", uid=0), "", ""),
    ],
)
def test_who_wrote(item: Written, unit: str, how: str) -> None:
    found = attributed(item, WRITERS)
    assert (found.unit, found.how) == (unit, how)


@pytest.mark.parametrize(
    ("item", "place"),
    [
        (Written("/var/lib/app", type="dir"), "/var/lib/app"), (Written("/var/lib/x/y/z"), "/var/lib/x"),
        (Written("/var/lib/x/*"), "/var/lib/x"), (Written("/var/lib/file"), ""), (Written("/etc/app", type="dir"), ""),
        (Written("/data2/x", type="dir"), "/data2/x"), (Written("/etc/conf", "changed"), ""),
        (Written("/home/kim/a"), "/home/kim"), (Written("/srv/a"), ""), (Written("/usr/bin/x"), ""),
    ],
)  # fmt: skip
def test_where_it_would_be_kept(item: Written, place: str) -> None:
    assert place_of(item, WRITERS) == place


@pytest.fixture
def world() -> World:
    world = World()
    spec = {"tree": "t", "layer": "l", "uid_base": 1000, "machine_id": "m", "binds": [{"source": "/a", "target": "/b"}]}
    world._put(paths.print_of("web"), json.dumps({"spec": spec}).encode())
    world.roots["web"] = Assembled("t", "l")
    world.containers.listings["web"] = Listing(
        [Written("/etc/conf", "changed", uid=0), Written("/var/lib/app", type="dir", size=5, uid=900, gid=900)],
        {"logs": (1, 2)},
    )
    return world


def test_a_report_has_names_and_packages(world: World) -> None:
    world.containers.inside |= {
        ("web", "/etc/passwd"): Entry("/etc/passwd", "file", data=b"root:x:0:0\napp:x:900:900\n"),
        ("web", "/etc/group"): Entry("/etc/group", "file", data=b"root:x:0:\nstaff:x:900:\n"),
        ("web", "/var/lib/app"): Entry("/var/lib/app", "dir", 0o750, 900, 900),
    }
    world._put(paths.tree("t") + "/var/lib/dpkg/info/app:amd64.list", b"/.\n/etc\n/etc/conf\n")
    found = report(world, "web")
    assert [(i.path, i.owner, i.group, i.package, i.place) for i in found.listing.items] == [
        ("/etc/conf", "root", "root", "app", ""),
        ("/var/lib/app", "app", "staff", "", "/var/lib/app"),
    ]
    assert [vars(place) for place in found.places] == [
        {"path": "/var/lib/app", "owner": "app", "group": "staff", "mode": 0o750}
    ]


def test_a_loss_is_new_once(world: World) -> None:
    first = losses(world, ["web", "gone"])
    assert [loss.container for loss in first] == ["web"]
    assert [path for path, _what, _size in first[0].new] == ["/var/lib/app", "/etc/conf"]
    accept(world, first)
    again = losses(world, ["web"])[0]
    assert (again.new, again.again) == ((), ("/etc/conf", "/var/lib/app"))
    world.containers.listings["web"].items.pop(0)
    accept(world, losses(world, ["web"]))  # it did not come back after that restart
    world.containers.listings["web"].items.append(Written("/etc/conf", "changed"))
    assert [path for path, _what, _size in losses(world, ["web"])[0].new] == ["/etc/conf"]
