"""Asking from where it matters: `eyas.host.asking` started in the network of a container or of the host, many at once.

From a container's network with the container's address, and with names as programs in it get them (getent(1) there).
What a program in it has to say (questions ``command``) is said by a transient unit inside.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence

from eyas.core.errors import EyasError
from eyas.host import asking
from eyas.host.command import CommandFailed, Running, start

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.core.words import Json

HOST = "host"
MACHINES = "/run/systemd/machines"
NAMES = (
    'for name; do { echo "$name" $(timeout 6 getent ahosts "$name" | while read -r address _; '
    'do echo "$address"; done | sort -u); } & done; wait'
)
ENVIRONMENT = (
    'systemctl show --property=MainPID,Environment "$1"; pid=$(systemctl show --property=MainPID --value "$1")\n'
)
ENVIRONMENT += 'echo; [ "${pid:-0}" = 0 ] || tr "\\0" "\\n" <"/proc/$pid/environ"'
SPARE = 10.0  # seconds that a process may take beyond what its questions may


def inquire(
    places: Mapping[str, Sequence[Mapping[str, Json]]],
    machines: Mapping[str, str],
    seconds: float,
    tell: Callable[[str], None] = lambda _name: None,
) -> dict[str, list[dict[str, Json]]]:
    """The answers to the questions of each place, in order. A place is a container's name, or ``host``; ``machines``
    say which machine a container is right now. ``tell`` hears of each place that has answered."""
    asked = [Place(name, machines.get(name, name), rows, seconds) for name, rows in places.items()]
    for place in asked:
        place.look()
    for place in asked:
        place.ask()
    answers = {}
    for place in asked:
        answers[place.name] = place.answers()
        tell(place.name)
    return answers


class Place:
    """One place and its questions: first names and settings are looked up there, then all is asked."""

    def __init__(self, name: str, machine: str, questions: Sequence[Mapping[str, Json]], seconds: float) -> None:
        self.name, self.machine, self.seconds = name, machine, seconds
        self.questions = [dict(question) for question in questions]
        self.found: dict[int, dict[str, Json]] = {}  # what is answered already
        self.names: Running | None = None
        self.settings: dict[int, Running] = {}
        self.commands: dict[int, Running] = {}
        self.network: Running | None = None
        self.sent: list[int] = []

    @property
    def inside(self) -> bool:
        return self.name != HOST

    def look(self) -> None:
        for number, row in enumerate(self.questions):
            if row["do"] == "command":
                self.commands[number] = start(self._run(*_words(row.get("argv"))))
            elif row.get("unit"):
                self.settings[number] = start(self._run("/bin/sh", "-c", ENVIRONMENT, "sh", str(row["unit"])))
        self._look_names([row for row in self.questions if not row.get("unit")])

    def _look_names(self, rows: Sequence[Mapping[str, Json]]) -> None:
        names = sorted({str(row["name"]) for row in rows if row.get("name") and not row.get("address")})
        if self.inside and names:
            self.names = start(self._run("/bin/sh", "-c", NAMES, "sh", *names))

    def ask(self) -> None:
        known = self._names()
        for number, running in self.settings.items():
            self._settle(number, running, known)
        for number, row in enumerate(self.questions):
            if number in self.found or row["do"] == "command":
                continue
            name = str(row.get("name") or "")
            if self.inside and name and not row.get("address"):
                addresses = [address for address in known.get(name, []) if _of_family(address, row.get("family"))]
                if row["do"] == "resolve" or not addresses:
                    said = "" if addresses else f"cannot resolve {name}"
                    self.found[number] = {"ok": bool(addresses), "said": said, "addresses": [*addresses]}
                    continue
                row["address"] = addresses[0]
            self.sent.append(number)
        if self.sent:
            task = {"questions": [self.questions[number] for number in self.sent], "seconds": self.seconds}
            argv = [sys.executable, "-I", "-S", "-B", asking.__file__]
            self.network = start([*self._enter(), *argv], input=json.dumps(task))

    def _names(self) -> dict[str, list[str]]:
        """Addresses of names as the container gets them."""
        lines = _text(self.names).splitlines() if self.names is not None else []
        return {words[0]: words[1:] for words in map(str.split, lines) if words}

    def _settle(self, number: int, running: Running, known: dict[str, list[str]]) -> None:
        """Put what a service has in its environment into the question about it."""
        row = self.questions[number]
        variable = str(row.get("variable"))
        url = variable_of(_text(running), variable)
        parts = database_of(url)
        if not parts:
            self.found[number] = {"ok": False, "said": f"{variable} is not set to the URL of a database", "unset": True}
            return
        row |= parts
        name = str(parts["name"])
        if name not in known:
            self._look_names([parts])
            known |= self._names()

    def answers(self) -> list[dict[str, Json]]:
        if self.network is not None:
            self._collect(self.network)
        for number, running in self.commands.items():
            self.found[number] = _ended(running, self.seconds)
        for number, row in enumerate(self.questions):
            if row["do"] == "postgres" and row.get("unit"):  # what it was set to, but for the password
                self.found[number] |= {key: row[key] for key in ("name", "port", "user", "database") if key in row}
        lost: dict[str, Json] = {"ok": False, "said": "could not be asked"}
        return [self.found.get(number, dict(lost)) for number in range(len(self.questions))]

    def _collect(self, running: Running) -> None:
        try:
            result = running.wait(timeout=self.seconds + SPARE)
            rows = json.loads(result.text)
        except (EyasError, ValueError) as error:
            said = f"could not be asked: {getattr(error, 'message', error)}".splitlines()[0]
            rows = [{"ok": False, "said": said} for _ in self.sent]
        self.found |= dict(zip(self.sent, rows, strict=False))

    def _run(self, *argv: str) -> list[str]:
        """A program there: in a container as a transient unit, which starts no later than systemd there can."""
        if not self.inside:
            return ["timeout", str(int(self.seconds)), *argv]
        limit = f"--property=RuntimeMaxSec={int(self.seconds)}"
        return ["systemd-run", f"--machine={self.machine}", "--quiet", "--wait", "--collect", "--pipe", limit,
                "--service-type=exec", "--expand-environment=no", "--", *argv]  # fmt: skip

    def _enter(self) -> list[str]:
        return ["nsenter", f"--net=/proc/{leader(self.machine)}/ns/net", "--"] if self.inside else []


def leader(machine: str) -> str:
    """The first process of a container, as systemd-machined wrote it down; Failed when it does not run."""
    from eyas.core.errors import Failed

    try:
        with open(f"{MACHINES}/{machine}", encoding="utf-8") as file:
            return next(line[7:].strip() for line in file if line.startswith("LEADER="))
    except (OSError, StopIteration):
        raise Failed(f"cannot ask from {machine}: it does not run") from None


def _text(running: Running) -> str:
    try:
        return running.wait(timeout=20, check=False).text
    except CommandFailed:  # it took too long: nothing is known then
        return ""


def _ended(running: Running, seconds: float) -> dict[str, Json]:
    """How a program ended, and the last of what it said."""
    try:
        result = running.wait(timeout=seconds + SPARE, check=False)
    except CommandFailed:
        return {"ok": False, "said": f"took longer than {seconds:g} s", "output": ""}
    last = (result.error or result.text).strip().splitlines()[-1:]
    said = f"exit status {result.code}" + (f": {last[0][:200]}" if last and result.code else "")
    return {"ok": result.code == 0, "said": said, "output": result.text[-8192:]}


def variable_of(listing: str, name: str) -> str:
    """A variable of a service that runs, from its process; else as its unit sets it."""
    shown, _, running = listing.partition("\n\n")
    for line in running.splitlines():
        if line.startswith(f"{name}="):
            return line.partition("=")[2]
    for line in shown.splitlines():
        if line.startswith("Environment="):
            import shlex

            for word in shlex.split(line.partition("=")[2]):
                if word.startswith(f"{name}="):
                    return word.partition("=")[2]
    return ""


def database_of(url: str) -> dict[str, Json]:
    """Where the URL of a database leads (libpq, "Connection URIs"): name, port, user, database; empty for none."""
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(url)
        if not parts.scheme.startswith("postgres") or not parts.hostname:
            return {}
        user = unquote(parts.username or "")
        return {
            "name": parts.hostname,
            "port": parts.port or 5432,
            "user": user,
            "database": unquote(parts.path.lstrip("/")) or user,
        }
    except ValueError:
        return {}


def _of_family(address: str, family: Json) -> bool:
    return not family or (":" in address) == (family == 6)


def _words(value: Json) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
