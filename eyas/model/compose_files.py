"""Compose files beside the definitions: read with the line of each text, filled, and asked for what matters here.

That is: variables that have no value, files that are named and not there, and the images that services are made from.
What the file means beyond that is Compose's own affair. Pure, but for reading the folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from eyas.model.compose_text import Asked, Unreadable, fill
from eyas.model.values import nearest

MAIN = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDE = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yaml",
    "docker-compose.override.yml",
)
"""As docker-compose(1) looks for them, the first that is there."""


@dataclass(frozen=True)
class Slip:
    """Something wrong in a file of a stack."""

    file: str
    line: int
    why: str
    hint: str = ""


@dataclass
class Text:
    """One scalar of a file: what it says, filled, and its line."""

    value: str
    line: int


@dataclass
class Read:
    """What is known of a stack: its Compose files (relative to the folder), services, where the paths of a service's
    build begin, and what is wrong."""

    files: list[str] = field(default_factory=list)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    homes: dict[str, PurePosixPath] = field(default_factory=dict)
    slips: list[Slip] = field(default_factory=list)

    @property
    def images(self) -> list[str]:
        """The images that come from a registry, as the files name them."""
        built = {image(service) for service in self.services.values() if "build" in service}
        found = {
            image(service)
            for service in self.services.values()
            if "build" not in service and plain(service.get("pull_policy")) not in ("never", "build")
        }
        return sorted(name for name in found - built if name)

    @property
    def local(self) -> set[str]:
        """Images that are made in place: by services, or by somebody before them, so that none may be fetched."""
        return {
            image(service)
            for service in self.services.values()
            if "build" in service or plain(service.get("pull_policy")) == "never"
        }

    def builds(self, content: Mapping[str, str | bytes]) -> Iterator[tuple[str, dict[str, str], list[str]]]:
        """Of each service that is built from the folder: its Dockerfile, arguments, and names of further contexts."""
        for name, service in self.services.items():
            build = service.get("build")
            if build is None:
                continue
            words = build if isinstance(build, dict) else {"context": build}
            place = joined(self.homes.get(name, PurePosixPath()), plain(words.get("context")) or ".")
            path = joined(PurePosixPath(place), plain(words.get("dockerfile")) or "Dockerfile")
            text = plain(words.get("dockerfile_inline")) or content.get(path, "")
            if isinstance(text, str) and text:
                yield text, pairs(words.get("args")), [*pairs(words.get("additional_contexts"))]


def plain(value: Any) -> str:
    """The text of a scalar, '' for anything else."""
    return value.value if isinstance(value, Text) else ""


def pairs(value: Any) -> dict[str, str]:
    """A mapping, also where it is written as a list of NAME=VALUE."""
    if isinstance(value, dict):
        return {key: plain(text) for key, text in value.items()}
    words = [plain(text).partition("=") for text in value] if isinstance(value, list) else []
    return {key: text for key, _, text in words}


def image(service: Mapping[str, Any]) -> str:
    return plain(service.get("image"))


def read(folder: Path, content: Mapping[str, str | bytes], values: Mapping[str, str]) -> Read:
    """Everything about the stack in ``folder``, whose files are ``content`` by their path in it; ``values`` are the
    variables that it is given."""
    found = Read()
    for names in (MAIN, OVERRIDE):
        found.files += [name for name in names if name in content][:1]
    if not any(name in MAIN for name in found.files):
        why = f"cannot read a stack in {folder}: it has no {MAIN[0]}"
        found.slips.append(Slip(str(folder), 0, why, f"it can be called {', '.join(MAIN)}"))
        return found
    todo = list(found.files)
    seen: set[str] = set()
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        document = _document(folder, name, content, values, found)
        if not isinstance(document, dict):
            continue
        services = document.get("services")
        for service, body in services.items() if isinstance(services, dict) else ():
            if isinstance(body, dict):
                found.services.setdefault(service, {}).update(body)
                if "build" in body:
                    found.homes[service] = PurePosixPath(name).parent
        todo += [other for other in _others(folder, name, document, content, found) if other not in seen]
    _extend(found)
    return found


def _document(
    folder: Path, name: str, content: Mapping[str, str | bytes], values: Mapping[str, str], found: Read
) -> Any:
    raw = content[name]
    shown = str(folder / name)
    try:
        node = yaml.compose(raw, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        found.slips.append(Slip(shown, line, f"cannot read this line: {error.problem or 'it is no YAML'}"))
        return None
    except yaml.YAMLError as error:
        found.slips.append(Slip(shown, 0, f"cannot read this file: {error}"))
        return None
    return _made(node, shown, values, found, {}) if node is not None else None


def _made(node: yaml.Node, file: str, values: Mapping[str, str], found: Read, known: dict[int, Any]) -> Any:
    """A node as dict, list or Text. An alias is its anchor, and is said to be wrong once."""
    if id(node) in known:
        return known[id(node)]
    made: Any
    if isinstance(node, yaml.MappingNode):
        made = known[id(node)] = {}
        own: dict[str, Any] = {}
        for key, value in node.value:
            inner = _made(value, file, values, found, known)
            if key.tag == "tag:yaml.org,2002:merge":
                for part in inner if isinstance(inner, list) else [inner]:
                    made.update({k: v for k, v in part.items() if k not in made} if isinstance(part, dict) else {})
            else:
                own[str(key.value)] = inner
        made.update(own)
    elif isinstance(node, yaml.SequenceNode):
        made = known[id(node)] = []
        made += [_made(value, file, values, found, known) for value in node.value]
    else:
        made = known[id(node)] = _text(node, file, values, found)
    return made


def _text(node: Any, file: str, values: Mapping[str, str], found: Read) -> Text:
    raw, first = str(node.value), int(node.start_mark.line) + 1
    body = first + (1 if node.style in ("|", ">") else 0)  # the text begins below its indicator

    def line(offset: int) -> int:
        return body + raw.count("\n", 0, offset) if node.style == "|" or body == first else body

    try:
        filled = fill(raw, values)
    except Unreadable as error:
        found.slips.append(Slip(file, line(error.offset), f"cannot read this line: {error}"))
        return Text(raw, first)
    found.slips += [_missing(asked, file, line(asked.offset), values) for asked in filled.missing]
    return Text(filled.text, first)


def _missing(asked: Asked, file: str, line: int, values: Mapping[str, str]) -> Slip:
    empty = "it is empty" if asked.name in values else "it has no value"
    near = "" if asked.name in values else nearest(asked.name, tuple(values))
    give = f'did you mean "{near}"?' if near else f'give it: env={{"{asked.name}": ...}}'
    if asked.slip:
        meant = f"${{{asked.name}:?{asked.rest.lstrip(':').lstrip('?')}}}"
        why = f"cannot fill {asked.text}: {empty}, and this form would put {asked.rest!r} in its place"
        return Slip(file, line, why, f"{give}; and write {meant}, which requires it")
    if not asked.operator:
        give += f", or write ${{{asked.name}:-}} where it may be empty"
    said = f" ({asked.rest})" if asked.rest and "$" not in asked.rest else ""
    return Slip(file, line, f"cannot fill {asked.text}: {empty}{said}", give)


def _others(
    folder: Path, name: str, document: Mapping[str, Any], content: Mapping[str, str | bytes], found: Read
) -> Iterator[str]:
    """Files that a Compose file names: further Compose files are given back; any that is missing is noted."""
    here = PurePosixPath(name).parent

    def there(text: Text, *, needed: bool = True) -> str:
        if text.value.startswith(("/", "~", "http://", "https://", "oci://", "git@")):
            return ""
        path = joined(here, text.value)
        if path in content:
            return path
        if needed:
            near = nearest(path, tuple(content))
            hint = f'did you mean "{near}"?' if near else "a path starts at the file that names it"
            found.slips.append(Slip(str(folder / name), text.line, f"cannot find {text.value} in {folder}", hint))
        return ""

    for include in _many(document.get("include")):
        for path in _many(include.get("path") if isinstance(include, dict) else include):
            if isinstance(path, Text) and (other := there(path)):
                yield other
    services = document.get("services")
    for service in services.values() if isinstance(services, dict) else ():
        if not isinstance(service, dict):
            continue
        extends = service.get("extends")
        file = extends.get("file") if isinstance(extends, dict) else None
        if isinstance(file, Text) and (other := there(file)):
            yield other
        for entry in _many(service.get("env_file")):
            path = entry.get("path") if isinstance(entry, dict) else entry
            needed = not isinstance(entry, dict) or plain(entry.get("required")) != "false"
            if isinstance(path, Text):
                there(path, needed=needed)


def joined(here: PurePosixPath, path: str) -> str:
    """A path in the folder, without ``.`` and ``..``."""
    parts: list[str] = []
    for part in (here / path).parts:
        if part == ".." and parts:
            parts.pop()
        elif part not in (".", ".."):
            parts.append(part)
    return "/".join(parts)


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _extend(found: Read) -> None:
    """What a service has from the one that it extends; a few rounds, for chains."""
    for _ in range(4):
        for name, service in found.services.items():
            extends = service.get("extends")
            base = plain(extends.get("service")) if isinstance(extends, dict) else plain(extends)
            for key, value in found.services.get(base, {}).items():
                service.setdefault(key, value)
            if base in found.homes:
                found.homes.setdefault(name, found.homes[base])
