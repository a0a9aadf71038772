"""Compose files as `eyas check` reads them, and what the stack's program makes of a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eyas.cli import pins
from eyas.core.errors import DefinitionError, Failed
from eyas.image.lock import Lock, difference, from_json, to_json
from eyas.image.registry import Name, digest
from eyas.model import Container, Image, merged
from eyas.model.compose_files import Read, read
from eyas.model.compose_text import Unreadable, env_file, fill
from eyas.parts import compose
from eyas.parts.scripts.compose.bases import bases, exact
from eyas.parts.scripts.compose.model import (
    Backoff,
    differing,
    emptied,
    held_back,
    prepared,
    renewed,
    restarts,
    row,
)

VALUES = {"X": "x", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "filled", "missing"),
    [
        ("plain", "plain", []),
        ("$X ${X}", "x x", []),
        ("$$X $${X}", "$X ${X}", []),
        ("${Y:-d}${Y-d}", "dd", []),
        ("${EMPTY:-d}${EMPTY-d}", "d", []),
        ("${Y:-${Z:-${X}}}", "x", []),
        ("${X:+is}${Y:+is}${EMPTY:+is}${EMPTY+is}", "isis", []),
        ("${X:-${Y:?never asked}}", "x", []),
        ("$Y", "", ["Y"]),
        ("a ${Y} b", "a  b", ["Y"]),
        ("${Y:?why}${Y?why}", "", ["Y", "Y"]),
        ("${EMPTY:?why}", "", ["EMPTY"]),
        ("${EMPTY?why}", "", []),
        ("${Y:-${Z:?why}}", "", ["Z"]),
        ("${X:+${Z}}", "", ["Z"]),
        ("${Y:-?err}", "", ["Y"]),  # what becomes the text ?err, where Compose fills it
        ("${Y-?err}", "", ["Y"]),
        ("${Y:-:?err}", "", ["Y"]),
        ("${X:-?err}", "x", []),
    ],
)
def test_variables(text: str, filled: str, missing: list[str]) -> None:
    found = fill(text, VALUES)
    assert (found.text, [asked.name for asked in found.missing]) == (filled, missing)


@pytest.mark.parametrize("text", ["${", "${X", "a $", "$ b", "${1}", "${X!}", "${X:}"])
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(Unreadable):
        fill(text, VALUES)


def test_env_file() -> None:
    text = "A=1\n# no\nexport B=\"two $A\" # said\nC='$A'\nD=${A}${E:-e}\nnothing\n"
    assert env_file(text) == {"A": "1", "B": "two 1", "C": "$A", "D": "1e"}


def stack(text: str, values: dict[str, str] | None = None, **more: str) -> Read:
    return read(Path("compose/s"), {"compose.yml": text, **more}, values or {})


def slips(found: Read) -> list[tuple[str, int]]:
    return [(slip.file, slip.line) for slip in found.slips]


def test_lines_of_missing_variables() -> None:
    text = """\
# ${COMMENTED}
x-more: &more
  HOST: "${HOST:?the name}"
services:
  a:
    image: a
    environment:
      <<: *more
      KEY: $KEY
    command: |
      first
      ${SECOND}
  b:
    image: b:${TAG:-1}
    environment: *more
"""
    found = stack(text)
    assert slips(found) == [("compose/s/compose.yml", line) for line in (3, 9, 12)]
    assert "${HOST:?the name}: it has no value (the name)" in found.slips[0].why
    assert not stack(text, {"HOST": "h", "KEY": "k", "SECOND": "s"}).slips
    assert stack(text, {"HOSTS": "h"}).slips[0].hint == 'did you mean "HOSTS"?'


def test_images_that_a_registry_has() -> None:
    text = """\
services:
  a: {image: "a:${TAG:-1}"}
  b: {image: b, pull_policy: never}
  c: {build: c}
  d: {image: mine, build: d}
  e: {image: mine}
  f: {extends: {service: a}}
  g: {extends: {service: h, file: more.yml}}
"""
    found = stack(text, **{"more.yml": "services: {h: {image: h}}\n"})
    assert found.images == ["a:1", "h"]
    assert stack(text).slips[0].why == "cannot find more.yml in compose/s"


def test_files_that_are_missing() -> None:
    text = "services:\n  a:\n    image: a\n    env_file:\n      - one.env\n      - {path: two.env, required: false}\n"
    assert slips(stack(text)) == [("compose/s/compose.yml", 5)]
    assert not stack(text, **{"one.env": ""}).slips


def test_what_is_no_yaml_or_no_stack() -> None:
    assert slips(stack("services:\n  a: [\n")) == [("compose/s/compose.yml", 3)]
    assert slips(read(Path("compose/s"), {"readme": ""}, {})) == [("compose/s", 0)]


RECIPE = """\
# FROM nothing:1
ARG TAG=7
ARG BASE=debian:13
FROM --platform=$BUILDPLATFORM golang:1.24 AS build
FROM ${BASE} as second
ARG TAG=8
COPY --from=build /a /a
COPY --chown=1:1 --from=busybox:1 /b /b
COPY --from=0 /c /c
COPY --from=programs d /d
RUN --mount=type=bind,from=tools:2,target=/t true
FROM redis:$TAG
FROM exact:1@sha256:0
FROM second
FROM scratch
FROM unknown:$NOWHERE
"""


def test_what_a_dockerfile_stands_on() -> None:
    assert bases(RECIPE, {}, ["programs"]) == ["busybox:1", "debian:13", "golang:1.24", "redis:7", "tools:2"]
    assert "programs" in bases(RECIPE, {})
    assert "debian:12" in bases(RECIPE, {"BASE": "debian:12"})
    pins = {"debian:13": "sha256:d", "redis:7": "sha256:r", "tools:2": "sha256:t", "busybox:1": "sha256:b"}
    before, after = RECIPE.splitlines(), exact(RECIPE, {}, pins).splitlines()
    assert [new for old, new in zip(before, after, strict=True) if new != old] == [
        "FROM debian:13@sha256:d as second",
        "COPY --chown=1:1 --from=busybox:1@sha256:b /b /b",
        "RUN --mount=type=bind,from=tools:2@sha256:t,target=/t true",
        "FROM redis:7@sha256:r",
    ]


def test_images_that_those_stand_on_which_are_built_here(tmp_path: Path) -> None:
    text = """
services:
  web: {build: {context: web, args: [TAG=9], additional_contexts: {more: ../more}}, image: "ours:1"}
  inner: {build: {context: ., dockerfile: inner.df}}
  inline: {build: {context: ., dockerfile_inline: "FROM in:${N:-1}"}}
  here: {image: "here:1", pull_policy: never}
  far: {build: "https://example.org/x.git"}
include: [deep/compose.yml]
"""
    files = {
        "web/Dockerfile": "ARG TAG\nFROM redis:$TAG\nCOPY --from=more x /\n",
        "inner.df": "FROM here:1 AS a\nFROM ours:1\n",
        "deep/compose.yml": "services:\n  deep: {build: web}\n  same: {extends: deep}\n",
        "deep/web/Dockerfile": "FROM deep:1\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    made = compose("s", folder(tmp_path, text), data="/srv/s")
    assert pins.named([Container("c", "10.0.0.2", Image.debian("trixie"), parts=[made])]) == [
        "deep:1",
        "in:1",
        "redis:9",
    ]


def folder(path: Path, text: str) -> str:
    (path / "compose.yml").write_text(text)
    return str(path)


def test_part(tmp_path: Path) -> None:
    made = compose("wiki", folder(tmp_path, "services: {a: {image: 'a:${V}'}}\n"), env={"V": 2}, data="/srv/wiki")
    assert made.binds[0].target == "/var/lib/compose/wiki"
    assert made.files["/etc/eyas/compose/wiki/files/compose.yml"].reload == ("compose-wiki.service",)
    assert '"a:2"' in str(made.files["/etc/eyas/compose/wiki/stack.json"].content)
    assert made.files["/etc/eyas/compose/wiki/stack.json"].mode == 0o600


def test_part_names_variable_line_and_call(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        compose("wiki", folder(tmp_path, "services:\n  a:\n    image: ${V:-?err}\n"))
    finding = caught.value.diagnostics[0]
    assert (finding.line, Path(finding.file).name) == (3, "compose.yml")
    assert "${V:-?err}" in finding.message
    assert "test_compose_files.py" in finding.hint
    assert "${V:?err}" in finding.hint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"name": "Wiki"}, "cannot call a stack"),
        ({"name": "wiki", "env": {"A-B": 1}}, "'A-B' as a variable"),
        ({"name": "wiki", "env": {"A": 1}, "secrets": {"A": "/a"}}, "cannot fill A"),
        ({"name": "wiki", "secrets": {"A": "a"}}, "absolute path"),
        ({"name": "wiki", "source": "nowhere"}, "no such folder"),
        ({"name": "wiki", "env": {"A": None}}, "cannot use None for A"),
        ({"name": "wiki", "directory": "srv/wiki"}, "a path is absolute"),
        ({"name": "wiki", "longest_pause": "soon"}, "cannot use 'soon': a duration is"),
    ],
)
def test_part_refuses(words: dict[str, Any], said: str, tmp_path: Path) -> None:
    source = folder(tmp_path, "services: {}\n")
    with pytest.raises(DefinitionError) as caught:
        compose(**{"source": source, **words})
    assert said in caught.value.diagnostics[0].message


# ------------------------------------------------------------ in the container

RESOLVED: dict[str, Any] = {
    "name": "s",
    "networks": {"default": {"name": "s_default"}},
    "services": {
        "web": {
            "build": {"context": "/d/web"},
            "restart": "unless-stopped",
            "networks": {"default": None},
            "volumes": [{"type": "bind", "source": "/d/pages", "target": "/www"}],
        },
        "db": {"image": "db:1", "depends_on": {"web": {"condition": "service_started"}}, "networks": {"default": None}},
        "own": {"image": "own", "pull_policy": "never", "restart": "on-failure:3"},
    },
}
MANIFEST = {"web/Dockerfile": "1", "pages/index.html": "2", "compose.yml": "3"}
PINS = {"db:1": "sha256:abc"}


def model(manifest: dict[str, str] = MANIFEST, pins: dict[str, str] = PINS, **services: Any) -> dict[str, Any]:
    resolved = {**RESOLVED, "services": {**RESOLVED["services"], **services}}
    return prepared({k: v for k, v in resolved.items() if v is not None}, "/d", manifest, pins)


def running(*models: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {n: [{"Config": {"Labels": s["labels"]}}] for m in models for n, s in m["services"].items()}


def test_nobody_but_us_restarts() -> None:
    services = model()["services"]
    assert {service["restart"] for service in services.values()} == {"no"}
    policies = {name: service["labels"]["eyas.restart"] for name, service in services.items()}
    assert policies == {"web": "always", "db": "no", "own": "on-failure"}


def test_images_are_exact() -> None:
    services = model()["services"]
    assert services["db"]["image"] == "db:1@sha256:abc"
    assert services["own"]["image"] == "own"
    assert services["web"]["image"].startswith("eyas/s-web:")
    with pytest.raises(ValueError, match="image db:1 of service db is not in"):
        model(pins={})


def test_what_images_of_ours_stand_on_is_exact() -> None:
    def built(pin: str) -> dict[str, Any]:
        resolved = {**RESOLVED, "services": {"web": {**RESOLVED["services"]["web"]}}}
        made = prepared(resolved, "/d", MANIFEST, {"b:1": pin}, {"web": 'FROM b:1\nENV A="$B"\n'})
        web: dict[str, Any] = made["services"]["web"]
        return web

    assert built("sha256:a")["build"] == {"context": "/d/web", "dockerfile_inline": 'FROM b:1@sha256:a\nENV A="$$B"\n'}
    assert built("sha256:a")["image"] != built("sha256:b")["image"]


def test_a_text_that_stands_in_the_file_itself() -> None:
    def shown(text: str) -> dict[str, Any]:
        service = {"image": "own", "pull_policy": "never", "configs": [{"source": "c", "target": "/c"}]}
        return prepared({"name": "s", "services": {"a": service}, "configs": {"c": {"content": text}}}, "/d", {}, {})

    assert differing(shown("one"), running(shown("one"))) == []
    assert differing(shown("two"), running(shown("one"))) == ["a"]


def test_only_what_is_concerned_differs() -> None:
    before = running(model())
    assert differing(model(), before) == []
    assert differing(model({**MANIFEST, "pages/index.html": "x"}), before) == ["web"]
    assert differing(model({**MANIFEST, "web/Dockerfile": "x"}), before) == ["web"]
    assert differing(model({**MANIFEST, "compose.yml": "x"}), before) == []
    assert differing(model(pins={"db:1": "sha256:def"}), before) == ["db"]
    assert differing(model(), {}) == ["db", "own", "web"]
    assert differing(model(db={**RESOLVED["services"]["db"], "depends_on": {}}), before) == []
    assert differing(model(db={**RESOLVED["services"]["db"], "scale": 2}), before) == ["db"]


def test_folders_that_files_leave_empty() -> None:
    """The deepest first; one that a service is shown stays, for what runs would keep a folder that is no more."""
    shown = {"services": {"web": {"volumes": [{"type": "bind", "source": "/srv/wiki/pages", "target": "/www"}]}}}
    gone = ("pages/old/index.html", "conf/a/b/c", "conf/a/d", "compose.yml")
    assert emptied(gone, "/srv/wiki", shown) == ["conf/a/b", "conf/a", "pages/old", "conf"]
    assert emptied(gone[:1], "/srv/wiki", {}) == ["pages/old", "pages"]


def test_a_network_that_changes() -> None:
    other = model()
    other["networks"]["default"] = {"name": "s_default", "internal": True}
    assert renewed(other, model()) == ["default"]
    assert renewed(model(), {}) == []


def test_a_job_is_left_alone() -> None:
    old, new = model(), model(pins={"db:1": "sha256:def"})
    del new["services"]["own"], new["networks"]["default"]
    held = held_back(new, old, ["db", "own"])
    assert differing(held, running(old)) == []
    assert held["networks"] == old["networks"]


def box(status: str, health: str = "", code: int = 0) -> dict[str, Any]:
    return {"State": {"Status": status, "ExitCode": code, "Health": {"Status": health} if health else None}}


@pytest.mark.parametrize(
    ("containers", "policy", "state", "well", "again"),
    [
        ([box("running")], "no", "running", True, False),
        ([box("running", "starting")], "always", "running", True, False),
        ([box("running", "unhealthy")], "no", "running", False, True),
        ([box("exited", code=0)], "no", "done", True, False),
        ([box("exited", code=1)], "no", "exited", False, False),
        ([box("exited", code=1)], "on-failure", "exited", False, True),
        ([box("exited", code=0)], "always", "exited", False, True),
        ([box("running"), box("exited", code=0)], "always", "exited", False, True),
        ([], "always", "missing", False, False),
    ],
)
def test_rows(containers: list[Any], policy: str, state: str, well: bool, again: bool) -> None:
    made = row("a", policy, containers)
    assert (made["state"], made["well"], restarts(made, policy)) == (state, well, again)


def test_back_off_never_gives_up() -> None:
    backoff, now, pauses = Backoff(30), 0.0, []
    for _ in range(8):
        assert not backoff.ill(now)
        assert backoff.due is not None
        pauses.append(backoff.due - now)
        now = backoff.due
        assert backoff.ill(now)
        backoff.started()
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    backoff.well(now)
    backoff.well(now + 59)
    assert backoff.pause == 30
    backoff.well(now + 61)
    assert backoff.pause == 1


# ------------------------------------------------------------ images by digest


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("redis:7", "https://registry-1.docker.io/v2/library/redis/manifests/7"),
        ("bitnami/redis", "https://registry-1.docker.io/v2/bitnami/redis/manifests/latest"),
        ("ghcr.io/a/b:c", "https://ghcr.io/v2/a/b/manifests/c"),
        ("localhost:5000/a", "http://localhost:5000/v2/a/manifests/latest"),
        ("docker.io/a/b", "https://registry-1.docker.io/v2/a/b/manifests/latest"),
    ],
)
def test_names_of_images(text: str, url: str) -> None:
    assert Name.of(text).url == url


def test_a_registry_that_is_not_there() -> None:
    with pytest.raises(Failed, match=r"cannot pin localhost:1/a: registry localhost:1"):
        digest("localhost:1/a")


def test_pins_in_the_lock(tmp_path: Path) -> None:
    system = compose("wiki", folder(tmp_path, "services: {a: {image: 'a:1'}, b: {image: 'b@sha256:1'}}\n"))
    box = Container("c", "10.0.5.50", Image.debian(), parts=[system])
    assert pins.named([box]) == ["a:1"]
    lock = replace(Lock(), pins={"a:1": "sha256:aa", "gone": "sha256:bb"})
    assert pins.pinned(lock, ["a:1"]).pins == {"a:1": "sha256:aa"}
    made = pins.with_pins(merged(box), lock.pins)
    assert made.files["/etc/eyas/compose/wiki/pins.json"].content == '{\n "a:1": "sha256:aa"\n}\n'
    moved = difference(lock, replace(lock, pins={"a:1": "sha256:cc"}))
    assert [m.text() for m in moved] == ["a:1 aa -> cc", "gone bb -> (none)"]
    assert from_json(to_json(lock)) == lock
    assert "pins" not in to_json(Lock())
