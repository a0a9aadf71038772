"""Stages made of Debian packages: the base through mmdebstrap, what stands on it through apt in a chroot.

Both read the locked .debs and nothing else, and have no network.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eyas.host.command import run, stream
from eyas.host.disk import write_whole
from eyas.image.chroot import ENVIRONMENT, ISOLATED, Work
from eyas.image.fetch import Debs
from eyas.image.lock import Deb
from eyas.image.stages import Stage

OnLine = Callable[[str], None]

APT_OPTIONS: tuple[str, ...] = (
    "-y", "-q", "-o", "APT::Install-Recommends=false", "-o", "APT::Sandbox::User=root",
    "-o", "Dir::Log=/tmp",
    "-o", "Dpkg::Use-Pty=false", "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Options::=--force-unsafe-io",
    "-o", "Dpkg::Options::=--log=/tmp/dpkg.log",
)  # fmt: skip

PRESEED = {
    # A cluster made at build time would be the same for all, and hidden by the bind that holds the real one.
    "etc/postgresql-common/createcluster.conf": "create_main_cluster = false\n",
}

DENY_STARTS = "#!/bin/sh\n# No service starts while an image is built.\nexit 101\n"


def build_base(stage: Stage, debs: Debs, folder: Path, on_line: OnLine) -> Path:
    """Runs mmdebstrap on exactly the locked packages and returns the tree."""
    folder.mkdir()
    repository, tree = folder / "repository", folder / "tree"
    write_repository(repository, stage.debs, debs)
    names = ",".join(deb.name for deb in stage.debs)
    argv = [
        *ISOLATED[:-1], "--mount-proc", "--",
        "mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", "--skip=check/empty",
        f"--include={names}",
        "--aptopt=Acquire::Languages \"none\"", "--dpkgopt=force-unsafe-io",
        stage.suite, str(tree), f"deb [trusted=yes] copy:{repository} ./",
    ]  # fmt: skip
    stream(argv, on_line, timeout=3600, env={**ENVIRONMENT, "TMPDIR": str(folder)})
    shutil.rmtree(repository)
    (tree / "etc/apt/sources.list").unlink(missing_ok=True)
    return tree


def write_repository(folder: Path, packages: Iterable[Deb], debs: Debs) -> None:
    """A flat apt repository of these packages alone."""
    folder.mkdir(parents=True)
    listed = list(packages)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        controls = list(pool.map(lambda deb: run(["dpkg-deb", "-f", str(debs.path(deb))]).text, listed))
    text = []
    for deb, control in zip(listed, controls, strict=True):
        place_file(debs.path(deb), folder / f"{deb.sha256}.deb")
        text.append(f"{control.rstrip()}\nFilename: ./{deb.sha256}.deb\nSize: {deb.size}\nSHA256: {deb.sha256}\n")
    write_whole(folder / "Packages", "\n".join(text), shared=True)


def place_file(source: Path, target: Path) -> None:
    """A hard link where that is possible, a copy where the cache is on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def install_debs(stage: Stage, debs: Debs, work: Work, on_line: OnLine) -> None:
    """Installs the stage's packages on top of ``work.lower``."""
    names = []
    for deb in stage.debs:
        place_file(debs.path(deb), work.files / f"{deb.name}.deb")
        names.append(f"/run/eyas/{deb.name}.deb")
    for path, content in PRESEED.items():
        if not (work.lower / path).exists():
            write_whole(work.upper / path, content)
    write_whole(work.upper / "usr/sbin/policy-rc.d", DENY_STARTS, 0o755)
    work.adopt_folders()
    work.run(["apt-get", "install", *APT_OPTIONS, *names], on_line)
    if not any(deb.name == "postgresql-common" for deb in stage.debs):
        for path in PRESEED:
            (work.upper / path).unlink(missing_ok=True)
            _drop_empty(work, Path(path).parent)


def _drop_empty(work: Work, folder: Path) -> None:
    above = work.upper / folder
    if not (work.lower / folder).exists() and above.is_dir() and not any(above.iterdir()):
        above.rmdir()
