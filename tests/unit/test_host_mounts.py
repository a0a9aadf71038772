"""What eyas reads and replaces around mounts, without any; the mounts themselves are made in tests/lab/impact."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyas.core.errors import Failed
from eyas.host.inside import Inside
from eyas.host.mountinfo import mounts
from eyas.host.mounts import bind, unbind

TABLE = """\
3347 3291 0:465 / / rw,relatime shared:1213 - overlay eyas-one rw,lowerdir=/a:/b
3377 3347 254:0 /srv/one /data ro,relatime,idmapped shared:1226 master:1312 - ext4 /dev/vda rw
3390 3377 254:0 /srv/a\\040b\\134//deleted /da\\011ta rw - ext4 /dev/vda rw
"""


def test_the_table_of_mounts() -> None:
    root, data, odd = mounts(TABLE)
    assert (root.id, root.parent, root.place, root.slave, root.readonly) == (3347, 3291, ("0:465", "/"), False, False)
    assert (data.parent, data.point, data.place) == (root.id, "/data", ("254:0", "/srv/one"))
    assert data.slave
    assert data.readonly
    assert (odd.point, odd.place) == ("/da\tta", ("254:0", "/srv/a b\\"))


def test_our_own_table_can_be_read() -> None:
    table = mounts(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))
    assert [mount for mount in table if mount.point == "/"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir(mode=0o750)
    (tmp_path / "full/of").mkdir(parents=True)
    (tmp_path / "file").write_text("words")
    return tmp_path


def test_a_mount_point_is_replaced_by_one_of_its_kind(root: Path) -> None:
    base = os.geteuid()
    with Inside(str(root), base) as inside:
        before = {name: (root / name).stat().st_ino for name in ("empty", "file", "full")}
        assert inside.renew("/empty")
        assert inside.renew("/file")
        assert not inside.renew("/full")
    after = {name: (root / name).stat().st_ino for name in ("empty", "file", "full")}
    assert {name for name in before if before[name] != after[name]} == {"empty", "file"}
    assert (root / "empty").stat().st_mode & 0o777 == 0o750
    assert (root / "file").read_text() == "words"
    assert sorted(path.name for path in root.iterdir()) == ["empty", "file", "full"]


def test_a_container_that_does_not_run_gets_no_bind(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"cannot bind .* in the running container none: it does not run"):
        bind("none", 65536, str(tmp_path), "/x", False)
    with pytest.raises(Failed, match="cannot take the bind /x out of the running container none: it does not run"):
        unbind("none", 65536, str(tmp_path), "/x")
