"""Packages of a Python package index: pip chooses versions once, eyas unpacks the wheels.

They go to /usr/local/lib/python3.X/dist-packages, the place that Debian's Python keeps for its administrator, so that
both the image's python3 and Debian's own modules are used; programs go to /usr/local/bin. Only wheels are taken:
a source package would be compiled, with whatever is there at the time.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, run
from eyas.image.chroot import Work
from eyas.image.disk import write_fresh
from eyas.image.lock import Deb, Fetched
from eyas.image.recipe import Recipe
from eyas.image.stages import Stage

GLIBC = ("2_17", "2_28", "2_31", "2_34", "2_36", "2_39")  # manylinux tags that Debian 13 (glibc 2.41) satisfies

LAUNCHER = """\
#!/usr/bin/python3
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.exit({function}())
"""


def resolve_pip(recipe: Recipe, cache: Path, python: Deb | None) -> list[Fetched]:
    """The exact wheels that a recipe's pip requirements bring; they are in the cache then."""
    if python is None:
        raise Failed(
            f"cannot add {recipe.pip[0]} to image {recipe.name}: it has no python3{_where(recipe)}",
            'add "python3" to its packages',
        )
    with tempfile.TemporaryDirectory(prefix="eyas-pip-") as name:
        try:
            _download(sorted(recipe.pip), Path(name), python_version(python))
        except CommandFailed as error:
            lines = [line for line in error.result.error.splitlines() if line.startswith("ERROR")]
            why = lines[-1].removeprefix("ERROR: ") if lines else error.message
            raise Failed(f"cannot build image {recipe.name}: pip finds no wheels{_where(recipe)}: {why}") from None
        found = []
        for path in sorted(Path(name).iterdir()):
            distribution, version = path.name.split("-")[:2]
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            _keep(path, cache, digest)
            found.append(Fetched(distribution, version, f"sha256-{digest}", path.name))
        return found


def install_pip(stage: Stage, cache: Path, work: Work, on_line: Callable[[str], None]) -> None:
    """Unpacks the locked wheels into ``work.upper``."""
    folders = sorted((work.lower / "usr/lib").glob("python3.[0-9]*"))
    if not folders:
        raise Failed("cannot install Python packages: the image has no python3", 'add "python3" to its packages')
    version = folders[-1].name.removeprefix("python")
    fetch(stage.files, cache, version, on_line)
    for file in stage.files:
        _unpack(_wheel(cache, file), file, work.upper, version)
    work.adopt_folders()


def python_version(python: Deb) -> str:
    """``3.13`` of Debian's package python3 ``3.13.5-1``."""
    return ".".join(python.version.split(".")[:2])


def fetch(files: Sequence[Fetched], cache: Path, version: str, on_line: Callable[[str], None]) -> None:
    """Fetches wheels that the cache does not hold, by exact version and digest."""
    missing = [file for file in files if not _wheel(cache, file).exists()]
    if not missing:
        return
    on_line(f"fetching {len(missing)} wheels")
    with tempfile.TemporaryDirectory(prefix="eyas-pip-") as name:
        lines = [f"{file.name}=={file.version} --hash=sha256:{_sha256(file)}\n" for file in missing]
        requirements = Path(name, "requirements.txt")
        requirements.write_text("".join(lines))
        target = Path(name, "wheels")
        try:
            _download(["--no-deps", "--require-hashes", "-r", str(requirements)], target, version)
        except CommandFailed as error:
            lines = [line for line in error.result.error.splitlines() if line.startswith("ERROR")]
            raise Failed(f"cannot fetch Python packages: {lines[-1] if lines else error.message}") from None
        for path in target.iterdir():
            _keep(path, cache, hashlib.sha256(path.read_bytes()).hexdigest())


def _download(words: Sequence[str], folder: Path, version: str) -> None:
    machine = platform.machine()
    tags = [f"--platform=manylinux_{glibc}_{machine}" for glibc in GLIBC] + [f"--platform=manylinux2014_{machine}"]
    argv = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
        "--implementation=cp", f"--python-version={version}", *tags, f"--dest={folder}", *words,
    ]  # fmt: skip
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    run(argv, timeout=900, env=settings)


def _keep(path: Path, cache: Path, digest: str) -> None:
    target = cache / "wheels" / f"{digest}.whl"
    if not target.exists():
        write_fresh(target, path.read_bytes(), 0o644)


def _wheel(cache: Path, file: Fetched) -> Path:
    return cache / "wheels" / f"{_sha256(file)}.whl"


def _sha256(file: Fetched) -> str:
    return file.integrity.removeprefix("sha256-")


def _unpack(wheel: Path, file: Fetched, tree: Path, version: str) -> None:
    """Format: https://packaging.python.org/specifications/binary-distribution-format."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != _sha256(file):
        wheel.unlink()
        raise Failed(f"cannot use {wheel}: it was damaged, and is removed", "run it again")
    site = tree / f"usr/local/lib/python{version}/dist-packages"
    local = tree / "usr/local"
    places = {"purelib": site, "platlib": site, "scripts": local / "bin", "data": local, "headers": local / "include"}
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            parts = info.filename.split("/")
            if info.is_dir() or ".." in parts or info.filename.startswith("/"):
                continue
            content = archive.read(info)
            if parts[0].endswith(".data") and len(parts) > 2:
                target = places[parts[1]].joinpath(*parts[2:])
                content = re.sub(rb"\A#!python[^\n]*", b"#!/usr/bin/python3", content)
            else:
                target = site.joinpath(*parts)
            runs = (info.external_attr >> 16) & 0o111 or target.parent == places["scripts"]
            write_fresh(target, content, 0o755 if runs else 0o644)
            if info.filename.endswith(".dist-info/entry_points.txt"):
                for name, text in launchers(content.decode()).items():
                    write_fresh(places["scripts"] / name, text.encode(), 0o755)


def launchers(entry_points: str) -> Mapping[str, str]:
    """Programs that an entry_points.txt declares."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(entry_points)
    found = {}
    for name, value in parser.items("console_scripts") if parser.has_section("console_scripts") else []:
        module, _, function = value.partition("[")[0].strip().partition(":")
        found[name] = LAUNCHER.format(module=module, first=function.partition(".")[0], function=function)
    return found


def _where(recipe: Recipe) -> str:
    lines = sorted({recipe.origins[text] for text in recipe.pip if text in recipe.origins})
    return f" (asked for at {', '.join(lines)})" if lines else ""
