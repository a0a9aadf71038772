"""What every test of a lab does as a user: a fleet's directory, the command line, edits, clients, a load.

A package of such tests (tests/lab/NAME/) has a rig of its own, and a lab that all its tests share:

    # tests/lab/NAME/rig.py
    class Shop(Rig):
        declared = Path(__file__).parent / "fleet"  # a folder that is copied; or the text of a fleet.py
        files = (Path(__file__).parent / "serve",)  # what lies beside fleet.py, where that is a text

        def begin(self) -> None:                    # optional: what else is done once the lab is up
            super().begin()                         # this applies

    # tests/lab/NAME/conftest.py
    shops = lab_of(Shop, "name")                    # a fixture for the package: applied, taken down at its end

    @pytest.fixture
    def shop(shops: Shop) -> Shop:                  # optional: as declared before each test
        shops.restore()
        return shops

While you write tests, ``EYAS_NAME_DIR=DIR`` keeps the lab in that directory from one run to the next (take it down with
``eyas lab down DIR``). The tests themselves speak like this:

    shop.edit("tasks=300", "tasks=301")             # one place of fleet.py
    shop.apply()                                    # or apply(code=4), apply(fault="kill:3")
    said = shop.run("plan", "--exit-code")          # Said: code, out, err, seconds
    shop.json("status")["containers"]               # any command with --json
    shop.get("internet", "http://203.0.113.112/")   # places: internet, host, or the name of a container
    with shop.load("http://203.0.113.112/", rate=100) as load:
        shop.apply()
    assert load.failed == 0
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

import pytest

from eyas.lab import down
from eyas.lab.testing import retry
from tests.lab.places import Places

EVERYBODYS = ("fs.", "kernel.", "vm.")
"""Kernel settings of no namespace: another lab of this machine may set them at any time."""

Edit = tuple[str, str]


@dataclass(frozen=True)
class Said:
    """How a command of eyas ended."""

    code: int
    out: str
    err: str
    seconds: float

    def __str__(self) -> str:
        return f"exit status {self.code}\n{self.out}\n{self.err}"

    @property
    def overtaken(self) -> bool:
        """Somebody changed what was planned for: another lab a setting of the kernel that is everybody's."""
        return self.code != 0 and "has changed since the plan" in self.err


@dataclass
class Rig(Places):
    """A fleet's directory, and its lab. ``kept``: the lab is a person's, and outlives these tests."""

    kept: bool = False

    declared: ClassVar[Path | str]
    """The definitions: a folder to copy, or the text of a fleet.py."""
    files: ClassVar[Sequence[Path]] = ()
    """What is copied beside fleet.py."""

    # ------------------------------------------------------------ the lab's life

    def up(self) -> None:
        """Definitions and lab are there, and applied."""
        self.put_back()
        self.prepare()
        self.eyas("lab", "up", lab=False, timeout=1800)
        self.begin()

    def prepare(self) -> None:
        """What the definitions need beside themselves."""

    def begin(self) -> None:
        """What there is to do in a lab that has come up."""
        self.apply(timeout=2400)

    # ------------------------------------------------------------ the command line

    def argv(self, *words: str, lab: bool = True) -> list[str]:
        return [sys.executable, "-m", "eyas", "-C", str(self.directory), *(["--lab"] if lab else []), *words]

    def start(
        self, *words: str, fault: str = "", lab: bool = True, stdin: int | IO[Any] = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """A command of eyas, to be killed or waited for. ``fault``: what goes wrong in it (see `eyas.apply.fault`)."""
        owner = {} if self.kept else {"EYAS_LAB_OWNER": str(os.getpid())}
        return subprocess.Popen(
            self.argv(*words, lab=lab),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **owner, "EYAS_FAULT": fault},
            start_new_session=True,  # an interrupt of the tests is not one of the command
        )

    def end(self, process: subprocess.Popen[str], timeout: float = 600, input: str | None = None) -> Said:
        began = time.monotonic()
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Said(process.returncode, out, err, time.monotonic() - began)

    def run(self, *words: str, fault: str = "", lab: bool = True, timeout: float = 600, input: str = "") -> Said:
        """A command of eyas, to its end, however that is."""
        stdin = subprocess.PIPE if input else subprocess.DEVNULL
        return self.end(self.start(*words, fault=fault, lab=lab, stdin=stdin), timeout, input or None)

    def settled(self, *words: str, fault: str = "", timeout: float = 600) -> Said:
        """`run`; once more when another lab changed a kernel setting that all share between plan and apply."""
        said = self.run(*words, fault=fault, timeout=timeout)
        for _ in range(3):
            if not said.overtaken:
                break
            said = self.run(*words, fault=fault, timeout=timeout)
        return said

    def eyas(self, *words: str, code: int = 0, fault: str = "", lab: bool = True, timeout: float = 600) -> str:
        """A command that ends with ``code``; what it printed."""
        said = self.run(*words, fault=fault, lab=lab, timeout=timeout)
        assert said.code == code, f"eyas {' '.join(words)} with the fault {fault!r}, not {code}: {said}"
        return said.out

    def apply(self, *words: str, code: int = 0, fault: str = "", timeout: float = 600) -> str:
        said = self.settled("apply", "--yes", *words, fault=fault, timeout=timeout)
        assert said.code == code, f"eyas apply with the fault {fault!r}, not {code}: {said}"
        return said.out

    def json(self, *words: str, timeout: float = 600) -> Any:
        """What a command says to programs."""
        said = self.settled(*words, "--json", timeout=timeout)
        assert said.code == 0, f"eyas {' '.join(words)}: {said}"
        return json.loads(said.out)

    def plan(self, *words: str) -> dict[str, Any]:
        """The plan, without what another lab of this machine has done."""
        found: dict[str, Any] = self.json("plan", *words)
        return {**found, "changes": [change for change in found["changes"] if not elsewhere(change)]}

    def missed(self, name: str) -> list[str]:
        """What a container would lose by a restart: paths that are no noise."""
        return [row["path"] for row in self.json("writes", name)["written"]]

    def status(self) -> dict[str, Any]:
        """Rows of the status, by container."""
        return {row["name"]: row for row in self.json("status")["containers"]}

    # ------------------------------------------------------------ the definitions

    def write(self, text: str) -> None:
        """Other definitions."""
        (self.directory / "fleet.py").write_text(text)

    def edit(self, old: str, new: str, file: str = "fleet.py") -> None:
        """Replace the one place of a file where this stands."""
        path = self.directory / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
        path.write_text(text.replace(old, new))

    def put_back(self) -> None:
        """The definitions are as declared; nothing is applied. What was locked stays."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if isinstance(self.declared, str):
            self.write(self.declared)
        else:
            for name in _files(self.declared):
                path, place = self.declared / name, self.directory / name
                place.parent.mkdir(parents=True, exist_ok=True)
                if not place.exists() or (path.name != "eyas.lock" and place.read_bytes() != path.read_bytes()):
                    shutil.copy(path, place)
        for path in self.files:
            shutil.copy(path, self.directory)

    @property
    def touched(self) -> bool:
        """Whether fleet.py is not as declared."""
        kept = self.declared if isinstance(self.declared, str) else (self.declared / "fleet.py").read_text()
        return (self.directory / "fleet.py").read_text() != kept

    def undo_edits(self) -> None:
        """As declared; applied, when fleet.py was not. Where a test may have left anything else: `restore`."""
        if self.touched:
            self.put_back()
            self.apply()

    def restore(self, text: str = "") -> None:
        """Whatever a test left, perhaps by failing: no open run, and the host as these definitions say, or else as
        declared."""
        if self.open_run() and self.run("recover").code:
            self.run("recover", "--accept")
        self.write(text) if text else self.put_back()
        if self.plan()["changes"]:
            self.apply()

    def differs(self, text: str) -> list[str]:
        """What would have to be done so that the host is as these definitions say."""
        self.write(text)
        return [f"{change['action']} {change['id']}" for change in self.plan()["changes"]]

    # ------------------------------------------------------------ runs of eyas, past eyas

    def open_run(self) -> str:
        """The run that nobody ended, '' when there is none."""
        return self.host.execute("readlink", "/var/lib/eyas/runs/current").text

    def open_run_on_disk(self) -> str:
        """The same, also of a host that is off."""
        link = self.host.root / "var/lib/eyas/runs/current"
        return str(link.readlink()) if link.is_symlink() else ""

    def journal_path(self, run: str) -> Path:
        return self.host.root / f"var/lib/eyas/runs/{run}/journal"

    def journal(self, run: str) -> list[dict[str, Any]]:
        """The lines of a run's journal, as far as it is written."""
        return [json.loads(line) for line in self.journal_path(run).read_text().splitlines() if line.endswith("}")]

    def wait_step(self, process: subprocess.Popen[str], number: int, timeout: float = 300) -> None:
        """Wait until a run has begun its step ``number``."""

        def begun() -> bool:
            assert process.poll() is None, self.end(process)
            run = self.open_run_on_disk()
            return bool(run) and any((e["state"], e.get("n")) == ("saved", number) for e in self.journal(run))

        retry(begun, f"step {number} is begun", timeout, pause=0.005)


def _files(folder: Path) -> list[Path]:
    """Files of a folder of definitions, without what running eyas there leaves."""
    found = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in found if not {".eyas", "__pycache__"} & {*path.parts}]


R = TypeVar("R", bound=Rig)


def lab_of(kind: type[R], name: str) -> Any:
    """A fixture for the tests of a package: its rig, with the lab up and applied. ``EYAS_NAME_DIR`` names a directory
    whose lab stays up when they have run."""

    @pytest.fixture(scope="package")
    def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[R]:
        kept = os.environ.get(f"EYAS_{name.upper()}_DIR")
        rig = kind(Path(kept) if kept else tmp_path_factory.mktemp(name) / "fleet", bool(kept))
        try:
            rig.up()
            yield rig
        finally:
            if not kept:
                down(rig.directory)

    return rig


def edited(text: str, *pairs: Edit) -> str:
    """Definitions with each of these texts, wherever it stands, replaced by the other."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def elsewhere(change: Mapping[str, Any]) -> bool:
    """Whether a change is to what another lab on this machine may have set."""
    kind, _, name = str(change["id"]).partition(":")
    return kind == "sysctl" and name.startswith(EVERYBODYS)


def step_numbers(plan: Mapping[str, Any], *words: str) -> list[int]:
    """Numbers of the steps that are told as "kind.verb id"; those that begin with one of ``words``."""
    told = [f"{step['kind']}.{step['verb']} {step['id']}" for step in plan["steps"]]
    return [number for number, text in enumerate(told) if text.startswith(tuple(words))]


@contextmanager
def hand_on(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the block."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def turn(of: int) -> int:
    """Which share of a long series it is today's turn to do; EYAS_TURN names one."""
    return int(os.environ.get("EYAS_TURN") or time.time() // 86400) % of


FULL = bool(os.environ.get("EYAS_FULL"))
"""Do all of every series: for a night, not for each change."""


def share(points: Sequence[str], of: int) -> list[str]:
    """Today's share of a series, or all of it."""
    return [point for index, point in enumerate(points) if FULL or index % of == turn(of)]
