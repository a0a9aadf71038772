"""Adding up what a container's processes hold."""

from __future__ import annotations

from pathlib import Path

from eyas.host.memory import shares, unit


def test_processes_of_all_groups_below_the_unit_count(tmp_path: Path) -> None:
    group = tmp_path / "cgroup/machine.slice" / unit("web")
    (group / "payload/system.slice").mkdir(parents=True)
    (group / "cgroup.procs").write_text("")
    (group / "payload/cgroup.procs").write_text("7\n")
    (group / "payload/system.slice/cgroup.procs").write_text("8\n9\n")
    for pid, size in (("7", 100), ("8", 20)):
        (tmp_path / "proc" / pid).mkdir(parents=True)
        (tmp_path / "proc" / pid / "smaps_rollup").write_text(f"55-66 ---p\nRss: 999 kB\nPss: {size} kB\n")
    # 9 has ended; "gone" has no group
    found = shares(["web", "gone"], str(tmp_path / "cgroup"), str(tmp_path / "proc"))
    assert found == {"web": 120 * 1024}
