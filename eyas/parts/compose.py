"""Compose stacks: a folder beside the definitions, brought up by Docker in a container, and kept well.

The folder travels as configuration and is put into the stack's directory, beside the data that its services write
there; data is never touched. One unit (``compose-NAME.service``) owns the restarts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyas.core.errors import DefinitionError, Diagnostic
from eyas.model import Bind, File, Probe, System, origin
from eyas.model import base as definitions
from eyas.model.compose_text import NAME, env_file
from eyas.model.values import duration, nearest
from eyas.model.values import path as absolute
from eyas.parts.common import LIB, script
from eyas.parts.given import given
from eyas.parts.scripts.compose.bases import bases

if TYPE_CHECKING:
    from eyas.model.compose_files import Read

ETC = "/etc/eyas/compose"
PROGRAM = "/usr/local/bin/eyas-compose"
SKIPPED = {".git", "__pycache__", ".DS_Store"}


def compose(
    name: str,
    source: str = "",
    *,
    env: Mapping[str, str | int | bool] | None = None,
    secrets: Mapping[str, str] | None = None,
    directory: str = "",
    data: str = "",
    remove_volumes: Sequence[str] = (),
    longest_pause: str | int = "5m",
    timeout: str | int = "5m",
) -> System:
    """The stack in the folder ``source`` (``compose/NAME`` when not given; a relative path starts at the file that
    says so). Needs ``docker(...)`` beside it in the container.

    ``env``: variables that its files may use. ``secrets``: variables whose value is in a file of the container.
    ``directory``: where the stack lives in the container, with what its services write into relative paths;
    ``/var/lib/compose/NAME`` when not given. ``data``: directory of the host that is bound there; without it,
    ``directory`` is to be below a bind of yours. ``remove_volumes``: volumes that no file declares any more and that
    are to go; all others stay. ``longest_pause``: between two restarts of a service that does not get well.
    ``timeout``: how long the stack may take to be well after a start or a change.

    Raises DefinitionError for variables without a value, files that are missing, and lines that cannot be read.
    """
    frame = origin.user_frame(sys._getframe(1))
    where = origin.where(frame)
    here = Path(frame.f_code.co_filename).parent if frame is not None else Path()
    folder = here / (source or f"compose/{name}")
    shown = Path(origin.show(str(folder)))
    values = {key: _text(value) for key, value in (env or {}).items()}
    findings = [*_wrong_names(name, values, secrets or {}, where), *_wrong_values(env or {}, where)]
    content = _read(folder, shown, where, findings)
    stack = _stack(shown, content, {**values, **dict.fromkeys(secrets or {}, "?")}, findings, where)
    if findings:
        if definitions.collector is None:
            raise DefinitionError(findings)
        definitions.collector.findings += findings
        return System()
    spec = {
        "directory": given("compose.directory", directory or f"/var/lib/compose/{name}", absolute),
        "files": stack.files,
        "env": values,
        "secrets": dict(secrets or {}),
        "images": sorted({*stack.images, *_bases(stack, content)}),
        "remove_volumes": sorted(remove_volumes),
        "longest_pause": given("compose.longest_pause", longest_pause, duration),
    }
    return _system(name, spec, folder, content, data, timeout)


def _system(
    name: str, spec: Mapping[str, Any], folder: Path, content: Mapping[str, str | bytes], data: str, timeout: str | int
) -> System:
    unit = f"compose-{name}.service"
    own = {
        f"{ETC}/{name}/files/{path}": File(text, mode=_mode(folder / path), reload=(unit,))
        for path, text in content.items()
    }
    return System(
        packages=["docker-compose", "python3"],
        files={
            **own,
            f"{ETC}/{name}/stack.json": File(
                json.dumps(spec, indent=1, sort_keys=True) + "\n", mode=0o600, reload=(unit,)
            ),
            **_program(),
        },
        units={unit: _unit(name)},
        binds=[Bind(data, str(spec["directory"]), persistent=True)] if data else [],
        probes=[Probe.command([PROGRAM, "check", name], timeout=timeout)],
    )


def _unit(name: str) -> str:
    return f"""\
[Unit]
Description=Compose stack {name}
Wants=docker.service network-online.target
After=docker.service network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={PROGRAM} run {name}
ExecReload={PROGRAM} apply {name}
ExecStop={PROGRAM} stop {name}
Restart=always
RestartSec=2
TimeoutStartSec=3600
TimeoutStopSec=660

[Install]
WantedBy=multi-user.target
"""


def _program() -> dict[str, File]:
    """The program, which the stacks of a container share."""
    own = files(__package__) / "scripts" / "compose"
    modules = ("__init__", "__main__", "bases", "docker", "model", "stack")
    texts = {f"{LIB}/eyas_compose/{name}.py": File((own / f"{name}.py").read_text()) for name in modules}
    return {PROGRAM: script("eyas-compose"), **texts}


def _text(value: str | int | bool) -> str:
    """As a YAML file would say it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def _wrong_names(name: str, values: Mapping[str, str], secrets: Mapping[str, str], where: str) -> list[Diagnostic]:
    file, line = origin.split(where)
    found = []
    if not name or not set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") or not name[0].isalnum():
        why = f"cannot call a stack {name!r}: a name is made of a-z, 0-9, _ and -, a letter or digit first"
        found.append(Diagnostic(file, line, "compose.name", why))
    for key in (*values, *secrets):
        if not NAME.fullmatch(key):
            why = f"cannot use {key!r} as a variable: a name is made of letters, digits and _, not a digit first"
            found.append(Diagnostic(file, line, "compose.env", why))
    for key in sorted({*values} & {*secrets}):
        found.append(Diagnostic(file, line, "compose.secrets", f"cannot fill {key}: it is in env and in secrets"))
    for key, path in secrets.items():
        if not path.startswith("/"):
            why = f"cannot read {key} from {path}: allowed is the absolute path of a file in the container"
            found.append(Diagnostic(file, line, "compose.secrets", why))
    return found


def _wrong_values(env: Mapping[str, object], where: str) -> list[Diagnostic]:
    """What would be some text all the same: None is the usual slip."""
    wrong = {key: value for key, value in env.items() if not isinstance(value, str | int)}
    return [
        Diagnostic(*origin.split(where), "compose.env", f"cannot use {value!r} for {key}: allowed is text or a number")
        for key, value in wrong.items()
    ]


def _read(folder: Path, shown: Path, where: str, findings: list[Diagnostic]) -> dict[str, str | bytes]:
    """Every file of the folder, by its path in it."""
    if not folder.is_dir():
        around = folder.parent
        near = nearest(folder.name, sorted(p.name for p in around.iterdir())) if around.is_dir() else ""
        hint = f'did you mean "{near}"?' if near else "a relative path starts at the file that says so"
        findings.append(
            Diagnostic(*origin.split(where), "compose.source", f"cannot read {shown}: no such folder", hint)
        )
        return {}
    found: dict[str, str | bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or SKIPPED & {*name.parts}:
            continue
        raw = path.read_bytes()
        try:
            found[str(name)] = raw.decode()
        except UnicodeDecodeError:
            found[str(name)] = raw
    return found


def _bases(stack: Read, content: Mapping[str, str | bytes]) -> set[str]:
    """Images that those stand on which are built here."""
    found: set[str] = set()
    for text, values, contexts in stack.builds(content):
        found |= {*bases(text, values, contexts)}
    return found - stack.local


def _stack(
    shown: Path, content: Mapping[str, str | bytes], given: Mapping[str, str], findings: list[Diagnostic], where: str
) -> Read:
    """The stack as far as it can be read; what is wrong with it is among the findings, at its own lines."""
    from eyas.model.compose_files import Read, read  # not before a stack is there: it brings a reader of YAML

    if findings:
        return Read()
    dotenv = content.get(".env", "")
    known = {**(env_file(dotenv) if isinstance(dotenv, str) else {}), **given}
    stack = read(shown, content, known)
    for slip in dict.fromkeys(stack.slips):
        tail = f" of compose(...) at {where}" if slip.hint.startswith("give it") else ""
        hint = slip.hint.replace(": ...}", f": ...}}{tail}", 1) if tail else slip.hint
        findings.append(Diagnostic(slip.file, slip.line, "compose", slip.why, hint))
    return stack
