"""A builder of packages: PKGBUILDs in a queue, each built in a clean root, signed, and added to a repository."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import Backend, Bind, Container, File, Probe, System, Unit, origin
from eyas.model.values import duration, nearest, size
from eyas.model.values import path as absolute
from eyas.parts.builder import nested_proof
from eyas.parts.common import LIB, script
from eyas.parts.given import calendar, count, given
from eyas.parts.scripts import builder
from eyas.parts.sources import cache_url

PROGRAM = "/usr/local/bin/package-builder"
UNIT = "package-builder.service"
PRIORITIES = ("urgent", "normal", "idle")
SKIPPED = {".git", "__pycache__", "pkg", "src"}
TOOLS = (
    *("makepkg", "pacman-package-manager", "systemd-container", "gnupg", "python3"),
    *("git", "libarchive-tools", "zstd", "fakeroot", "file", "patch", "make", "gcc", "libc6-dev"),
)
"""Debian packages that every builder has; its roots are made of the same tree, so that a build finds them there."""
GIVEN = ("bash", "coreutils", "gcc", "gcc-libs", "git", "glibc", "make", "python", "sh", "tar", "zstd")
"""Dependencies of PKGBUILDs that those packages are."""


@dataclass(frozen=True)
class Schedule:
    """When packages are put in the queue. ``when``: a time as in systemd.time(7). ``packages``: patterns of names.
    ``priority``: urgent, normal or idle."""

    when: str
    packages: Sequence[str] = ("*",)
    priority: str = "normal"


def package_builder(
    repository: str,
    directory: str,
    packages: str,
    *,
    data: str,
    cache: str,
    signing: str,
    schedules: Mapping[str, str | Schedule] | None = None,
    jobs: int = 2,
    ram: str | int = "4G",
    root: str | int = "2G",
    keep: int = 3,
    timeout: str | int = "2h",
    retry: str | int = "1m",
    network: Sequence[str] = (),
    tools: Sequence[str] = (),
    provides: Sequence[str] = (),
    sources: Container | Backend | str = "",
    packager: str = "",
    arch: str = "x86_64",
) -> System:
    """Builds the PKGBUILDs below the folder ``packages`` (beside the file that says so; a folder for each) into
    ``directory``/``arch``, with the database ``repository``.db.

    ``data``, ``cache``, ``signing``: directories of the host, for the queue and what was built, for sources, and for
    the key (made by whoever is first). Builders share the last two. ``schedules``: times by name.
    ``jobs``: builds at once. ``root``: the cap of one clean root in RAM, ``ram`` of all of them; what does not fit is
    built on disk, and says so. ``keep``: versions of each package that stay. ``network``: packages whose build() may
    use the network. ``sources``: a `source_cache` by which all that is on http(s) is fetched, git too: the container
    that it is in, or its name, one of its ports, or a URL. ``tools``: more Debian packages for the roots,
    ``provides``: which dependencies they meet.

    Raises DefinitionError for a folder without packages, and for schedules that cannot be.
    """
    frame = origin.user_frame(sys._getframe(1))
    folder = (Path(frame.f_code.co_filename).parent if frame is not None else Path()) / packages
    where = origin.where(frame)
    carried = _folders(where, folder)
    there = {path.split("/")[4] for path in carried if path.endswith("/PKGBUILD")}
    planned = {name: _schedule(where, name, when) for name, when in (schedules or {}).items()}
    for package in network:
        if package not in there:
            near = nearest(package, sorted(there))
            hint = f'did you mean "{near}"?' if near else f"there is {', '.join(sorted(there))}"
            raise _wrong(where, "network", f"cannot find the package {package}: no folder is called so", hint)
    url, uses = cache_url(sources) if sources else ("", [])
    if not re.fullmatch(r"[A-Za-z0-9@_+][A-Za-z0-9@_+.-]*", repository):
        hint = "letters, digits and @ _ + . -, not - or . first"
        raise _wrong(where, "repository", f"cannot call a repository {repository!r}", hint)
    config = {
        "repository": repository,
        "directory": given("package_builder.directory", directory, absolute),
        "arch": arch,
        "jobs": given("package_builder.jobs", jobs, count),
        "ram": given("package_builder.ram", ram, size),
        "root": given("package_builder.root", root, size),
        "keep": given("package_builder.keep", keep, count),
        "timeout": given("package_builder.timeout", timeout, duration),
        "retry": given("package_builder.retry", retry, duration),
        "network": sorted(network),
        "provides": sorted({*GIVEN, *provides}),
        "sources": url,
        "packager": packager or f"{repository} <{repository}@localhost>",
        "schedules": {name: [list(one.packages), one.priority] for name, one in planned.items()},
    }
    modules = {path.name: path.read_text() for path in files(builder).iterdir() if path.name.endswith(".py")}
    return System(
        packages=[*TOOLS, *tools],
        files={
            "/etc/eyas/builder.json": File(json.dumps(config, indent=1, sort_keys=True) + "\n", restart=(UNIT,)),
            PROGRAM: script("package-builder"),
            **{f"{LIB}/builder/{name}": File(text, restart=(UNIT,)) for name, text in modules.items()},
            **nested_proof(),
            **carried,
        },
        units={UNIT: SERVICE.format(program=PROGRAM, repository=repository, directory=directory), **_timers(planned)},
        binds=[
            Bind(data, "/var/lib/package-builder", persistent=True, mode=0o700),
            Bind(cache, "/var/cache/package-builder", persistent=True, shared=True),
            Bind(signing, "/etc/package-builder/signing", persistent=True, shared=True, mode=0o700),
        ],
        grants=["nspawn"],
        uses=uses,
        probes=[Probe.unit(UNIT)],
    )


SERVICE = """\
[Unit]
Description=Builder of packages for {repository}
After=network.target eyas-nspawn.service
RequiresMountsFor={directory} /var/lib/package-builder /var/cache/package-builder
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
ExecStart={program} serve
# Builds are units of their own, and go on while this one restarts.
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def _schedule(where: str, name: str, said: str | Schedule) -> Schedule:
    made = Schedule(said) if isinstance(said, str) else said
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise _wrong(where, "schedules", f"cannot call a schedule {name!r}", "small letters, digits and dashes")
    if made.priority not in PRIORITIES:
        raise _wrong(
            where,
            "schedules",
            f"cannot use the priority {made.priority!r}: there is none",
            f"one of {', '.join(PRIORITIES)}",
        )
    given("package_builder.schedules", made.when, calendar)
    return made


def _timers(planned: Mapping[str, Schedule]) -> dict[str, Unit]:
    found = {}
    for name, one in planned.items():
        found[f"package-queue-{name}.service"] = Unit(
            f"[Unit]\nDescription=Packages for the queue, {name}\nAfter={UNIT}\n\n"
            f"[Service]\nType=oneshot\nExecStart={PROGRAM} queue --schedule {name}\n",
            enable=False,
        )
        found[f"package-queue-{name}.timer"] = Unit(
            f"[Unit]\nDescription=Packages for the queue, {name}\n\n"
            f"[Timer]\nOnCalendar={one.when}\nRandomizedDelaySec=1m\n\n[Install]\nWantedBy=timers.target\n"
        )
    return found


def _folders(where: str, folder: Path) -> dict[str, File]:
    found = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if len(inner.parts) > 1 and not SKIPPED & {*inner.parts} and path.is_file():
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            raw = path.read_bytes()
            try:
                found[f"/etc/eyas/packages/{inner}"] = File(raw.decode(), mode=mode)
            except UnicodeDecodeError:
                found[f"/etc/eyas/packages/{inner}"] = File(raw, mode=mode)
    if not any(path.endswith("/PKGBUILD") for path in found):
        shown = origin.show(str(folder))
        raise _wrong(
            where,
            "packages",
            f"cannot find packages in {shown}: it has no folder with a PKGBUILD",
            "a folder with a PKGBUILD for each",
        )
    return found


def _wrong(where: str, field: str, message: str, hint: str) -> DefinitionError:
    file, line = origin.split(where)
    return DefinitionError([Diagnostic(file, line, f"package_builder.{field}", message, hint)])
