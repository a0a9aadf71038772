"""Packages of the npm registry: npm chooses versions once, eyas fetches and unpacks them.

They go to /usr/local/lib/node_modules, where Debian's npm puts global ones: ``require`` finds them from each other,
programs of the packages asked for get a link in /usr/local/bin. No install script is ever run: such scripts download
and compile what the machine of the day offers, so that two builds differ. A package that cannot work without its
script needs its Debian package, or a prebuilt module that the tarball brings.

npm itself is needed on the operator's machine for choosing versions and for the address of the registry, not for
building from a lock with a full cache, and never inside the image.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import platform
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, run
from eyas.image.chroot import Work
from eyas.image.disk import write_fresh
from eyas.image.fetch import WORKERS, Download, download
from eyas.image.lock import Fetched
from eyas.image.recipe import Recipe
from eyas.image.stages import Stage

HOME = "usr/local/lib"
CPU = {"x86_64": "x64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64", "ppc64le": "ppc64"}
BATCH = 24


def resolve_npm(recipe: Recipe) -> list[Fetched]:
    """The exact packages that a recipe's npm requirements bring, for this machine's kind of processor."""
    with tempfile.TemporaryDirectory(prefix="eyas-npm-") as name:
        folder = Path(name)
        wanted = dict(split_requirement(text) for text in sorted(recipe.npm))
        (folder / "package.json").write_text(json.dumps({"name": "eyas", "private": True, "dependencies": wanted}))
        argv = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
        try:
            run(argv, cwd=name, timeout=600, env=_settings())
        except CommandFailed as error:
            if error.result.code == 127:
                raise Failed(
                    f"cannot choose versions for image {recipe.name}: npm is not installed on this machine",
                    "install npm (apt-get install npm), or use an eyas.lock made elsewhere",
                ) from None
            lines = [line for line in error.result.error.splitlines() if "npm error" in line or "npm ERR!" in line]
            why = "; ".join(line.split(" ", 2)[-1] for line in lines[:3]) or error.message
            origins = sorted({recipe.origins[text] for text in recipe.npm if text in recipe.origins})
            where = f" (asked for at {', '.join(origins)})" if origins else ""
            raise Failed(f"cannot build image {recipe.name}: npm finds no versions{where}: {why}") from None
        return locked_files(json.loads((folder / "package-lock.json").read_text()))


def split_requirement(text: str) -> tuple[str, str]:
    """``meshcentral@1.1.x`` -> name and range; the name may have a scope (``@scope/name@^2``)."""
    name, at, wanted = text[1:].partition("@")
    return text[:1] + name, wanted if at else "*"


def locked_files(lock: Mapping[str, Any]) -> list[Fetched]:
    """What of a package-lock.json (version 3) is for Linux on this machine."""
    found = []
    for path, entry in sorted(lock["packages"].items()):
        if not path or entry.get("dev") or not _for_us(entry):
            continue
        name = entry.get("name") or path.rpartition("node_modules/")[2]
        if "integrity" not in entry:
            raise Failed(f"cannot use the npm package {name}: it does not come from a registry")
        url = f"{name}/-/{name.rpartition('/')[2]}-{entry['version']}.tgz"
        found.append(Fetched(name, entry["version"], entry["integrity"].split()[0], url, path))
    return found


def _for_us(entry: Mapping[str, Any]) -> bool:
    return (
        _allows(entry.get("os"), "linux")
        and _allows(entry.get("cpu"), CPU.get(platform.machine(), platform.machine()))
        and _allows(entry.get("libc"), "glibc")
    )


def _allows(names: Sequence[str] | str | None, ours: str) -> bool:
    listed = [names] if isinstance(names, str) else list(names or [])
    refused = [name[1:] for name in listed if name.startswith("!")]
    accepted = [name for name in listed if not name.startswith("!")]
    return ours not in refused and (not accepted or ours in accepted)


def install_npm(stage: Stage, cache: Path, work: Work, on_line: Callable[[str], None]) -> None:
    """Unpacks the locked packages into ``work.upper``."""
    fetch(stage.files, cache / "npm", on_line)
    for file in stage.files:
        _unpack(cached(cache / "npm", file), file, work.upper / HOME / file.path)
    for text in stage.request:
        _link_programs(work.upper, split_requirement(text)[0])
    work.adopt_folders()


def cached(folder: Path, file: Fetched) -> Path:
    kind, digest = _digest(file.integrity)
    return folder / f"{kind}-{digest}.tgz"


def fetch(files: Sequence[Fetched], folder: Path, on_line: Callable[[str], None]) -> None:
    """Fetches what the cache does not hold; every file gets its name after its digest was seen to be right."""
    folder.mkdir(parents=True, exist_ok=True)
    # One file may stand in several places of the tree.
    wanted = {file.integrity: file for file in files if not cached(folder, file).exists()}
    missing = sorted(wanted.values(), key=lambda file: file.url)
    if not missing:
        return
    base = _registry()
    batches = [missing[i : i + BATCH] for i in range(0, len(missing), BATCH)]
    with ThreadPoolExecutor(WORKERS) as pool:
        for count, _ in enumerate(pool.map(lambda batch: _fetch_batch(batch, folder, base), batches), 1):
            on_line(f"fetched {min(count * BATCH, len(missing))} of {len(missing)} npm packages")


def _fetch_batch(batch: Sequence[Fetched], folder: Path, base: str) -> None:
    parts = {file: folder / f".{hashlib.sha256(file.url.encode()).hexdigest()}.{os.getpid()}.part" for file in batch}
    error: CommandFailed | None = None
    try:
        download([Download(f"{base}/{file.url}", part) for file, part in parts.items()])
    except CommandFailed as failed:
        error = failed
    for file, part in parts.items():
        kind, digest = _digest(file.integrity)
        if part.exists() and hashlib.new(kind, part.read_bytes()).hexdigest() == digest:
            part.replace(cached(folder, file))
            continue
        part.unlink(missing_ok=True)
        why = (error.result.error.splitlines() or [error.message])[0] if error else "it is not the file that was locked"
        raise Failed(
            f"cannot fetch the npm package {file.name} {file.version}: {why}", "is the network there? run it again"
        )


def _registry() -> str:
    """The registry that npm uses on this machine."""
    try:
        return run(["npm", "config", "get", "registry"], timeout=60, env=_settings()).text.strip().rstrip("/")
    except CommandFailed:
        raise Failed(
            "cannot tell where npm packages come from: npm is not installed on this machine",
            "install npm (apt-get install npm)",
        ) from None


def _settings() -> dict[str, str]:
    """npm's settings from the environment (npm-config(7)); the runner passes nothing else on."""
    return {name: value for name, value in os.environ.items() if name.lower().startswith("npm_config_")}


def _digest(integrity: str) -> tuple[str, str]:
    """Kind and hex digits of a subresource integrity string."""
    kind, _, value = integrity.partition("-")
    return kind, base64.b64decode(value).hex()


def _unpack(archive: Path, file: Fetched, target: Path) -> None:
    raw = archive.read_bytes()
    kind, digest = _digest(file.integrity)
    if hashlib.new(kind, raw).hexdigest() != digest:
        archive.unlink()
        raise Failed(f"cannot use {archive}: it was damaged, and is removed", "run it again")
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member, name in _files(tar):
            data = tar.extractfile(member)
            assert data is not None
            write_fresh(target / name, data.read(), 0o755 if member.mode & 0o111 else 0o644)


def _files(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """Plain files below the top folder, as npm takes them: no links, nothing outside."""
    for member in tar:
        name = member.name.removeprefix("./").partition("/")[2]
        if member.isfile() and name and ".." not in name.split("/") and not name.startswith("/"):
            yield member, name


def _link_programs(tree: Path, package: str) -> None:
    folder = tree / HOME / "node_modules" / package
    known = json.loads((folder / "package.json").read_text()).get("bin") or {}
    programs = {package.rpartition("/")[2]: known} if isinstance(known, str) else known
    for name, path in sorted(programs.items()):
        program = folder / os.path.normpath(path)
        if not program.is_file() or "/" in name:
            continue
        program.chmod(0o755)
        link = tree / "usr/local/bin" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"../lib/node_modules/{package}/{os.path.normpath(path)}")
