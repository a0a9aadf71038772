"""One stack: made as declared, kept well, and told of."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .docker import Docker, Refused, notify, systemctl, write
from .model import JOB, POLICY, Backoff, differing, emptied, held_back, prepared, renewed, restarts, row, wanted

ETC = Path("/etc/eyas/compose")
RUN = Path("/run/eyas-compose")
PROGRAM = "/usr/local/bin/eyas-compose"
NOTES = ".eyas-files"  # in a stack's directory: what of it is the folder's
LOOK = 5.0  # seconds between two looks when nothing is heard


class Stack:
    """One stack, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.docker = Docker()
        self.etc = ETC / name
        self.run = RUN / name
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.current = self.run / "current.json"  # the model that was brought up last
        self.state_file = self.run / "state.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes the stack meanwhile."""
        with (self.run / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    # ------------------------------------------------------------ as declared

    def apply(self) -> list[str]:
        """Make what runs as declared. Services that wait for a job are given back. Raises Refused."""
        with self.alone():
            try:
                waiting = self._apply()
            except (Refused, OSError, ValueError) as error:
                self._note("error", str(error))
                raise
            self._note("error", "")
            self._note("waiting", "\n".join(waiting))
            return waiting

    def _apply(self) -> list[str]:
        spec = json.loads((self.etc / "stack.json").read_text())
        environment = self._environment(spec)
        directory = Path(spec["directory"])
        manifest = self._deploy(directory)
        base = ["--project-name", self.name, "--project-directory", str(directory)]
        dotenv = directory / ".env" if ".env" in manifest else Path("/dev/null")
        files = [word for name in spec["files"] for word in ("--file", str(directory / name))]
        said = self._compose([*base, "--env-file", str(dotenv), *files, "config", "--format", "json"], environment)
        pins = self.etc / "pins.json"
        known = json.loads(pins.read_text()) if pins.exists() else {}
        resolved = json.loads(said)
        try:
            model = prepared(resolved, str(directory), manifest, known, _recipes(resolved))
        except ValueError as error:
            raise Refused(f"cannot bring {self.name} up: {error}") from None
        before, running = self._model(), self.docker.containers(self.name)
        busy = self._busy(model, running)
        model = held_back(model, before, busy)
        write(self.run / "next.json", json.dumps(model))
        made = differing(model, running)
        for name in renewed(model, before):
            self._take_network(name, made, running)
        up = [*base, "--env-file", "/dev/null", "--file", str(self.run / "next.json"), "up", "--detach", "--quiet-pull"]
        if made:
            self._compose([*up, "--no-deps", "--force-recreate", *made], environment, 3600)
        if not before:  # after a start of the container, in the order that the services ask for
            self._compose([*up, "--no-recreate"], environment, 3600)
        (self.run / "next.json").replace(self.current)
        self._sweep(spec, model, running)
        self._deployed(directory, manifest, model)
        return busy

    def _environment(self, spec: dict[str, Any]) -> dict[str, str]:
        """What the Compose files may use: what was declared, and nothing of ours."""
        values = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "HOME": "/root"}
        values |= spec["env"]
        for name, path in spec["secrets"].items():
            try:
                values[name] = Path(path).read_text().rstrip("\n")
            except OSError as error:
                raise Refused(f"cannot fill {name} of stack {self.name}: {path}: {error.strerror}") from None
            if not values[name]:
                raise Refused(f"cannot fill {name} of stack {self.name}: {path} is empty")
        return values

    def _deploy(self, directory: Path) -> dict[str, str]:
        """Put the folder's files where the stack's own data are, and take away those that it has no more."""
        directory.mkdir(parents=True, exist_ok=True)
        manifest: dict[str, str] = {}
        root = self.etc / "files"
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            name = str(path.relative_to(root))
            data, mode = path.read_bytes(), path.stat().st_mode & 0o777
            manifest[name] = hashlib.sha256(data + oct(mode).encode()).hexdigest()
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_file() or target.read_bytes() != data or target.stat().st_mode & 0o777 != mode:
                new = target.with_name(f".{target.name}.eyas-new")
                new.write_bytes(data)
                new.chmod(mode)
                if target.is_dir():  # made by Docker for a bind whose file was not there yet
                    target.rmdir()
                new.replace(target)
        notes = directory / NOTES
        before = json.loads(notes.read_text()) if notes.exists() else []
        for name in before:
            if name not in manifest:
                (directory / name).unlink(missing_ok=True)
        write(notes, json.dumps(sorted({*before, *manifest})))  # those that go, until their folders have gone too
        return manifest

    def _deployed(self, directory: Path, manifest: dict[str, str], model: dict[str, Any]) -> None:
        """All is up: empty folders go, and what the folder had before is known no more."""
        gone = {*json.loads((directory / NOTES).read_text())} - {*manifest}
        for folder in emptied(gone, str(directory), model):
            try:
                (directory / folder).rmdir()
            except OSError:  # services have written there, or it is gone
                continue
        write(directory / NOTES, json.dumps(sorted(manifest)))

    def _busy(self, model: dict[str, Any], running: dict[str, list[dict[str, Any]]]) -> list[str]:
        """Services that would be made anew, or go, in the middle of a job."""
        concerned = {*differing(model, running)} | {*running} - {*(model.get("services") or {})}
        return sorted(name for name in concerned if any(working(box) for box in running.get(name, [])))

    def _take_network(self, name: str, made: list[str], running: dict[str, list[dict[str, Any]]]) -> None:
        """A network cannot change: those on it go, and it, and come again."""
        network = self.docker.networks(self.name).get(name)
        if network is None:
            return
        for box in (box for service in made for box in running.get(service, [])):
            if network in {end.get("NetworkID") for end in box["NetworkSettings"]["Networks"].values()}:
                self._remove(box)
        self._ignore("DELETE", f"/networks/{network}")

    def _remove(self, box: dict[str, Any]) -> None:
        self._ignore("POST", f"/containers/{box['Id']}/stop")
        self._ignore("DELETE", f"/containers/{box['Id']}?force=1")

    def _sweep(self, spec: dict[str, Any], model: dict[str, Any], running: dict[str, list[dict[str, Any]]]) -> None:
        """Services and networks that nobody declares any more go; volumes stay, but for those that are named."""
        for name in sorted({*running} - {*(model.get("services") or {})}):
            print(f"service {name} is declared no more", flush=True)
            for box in running[name]:
                self._remove(box)
        for name, network in self.docker.networks(self.name).items():
            if name not in (model.get("networks") or {}):
                print(f"network {name} is declared no more", flush=True)
                self._ignore("DELETE", f"/networks/{network}")
        declared = model.get("volumes") or {}
        for name, volume in self.docker.volumes(self.name).items():
            if name in spec["remove_volumes"] and name not in declared:
                print(f"volume {name} goes, as declared", flush=True)
                self._ignore("DELETE", f"/volumes/{quote(volume)}")

    def _ignore(self, method: str, path: str) -> None:
        try:
            self.docker.ask(method, path)
        except Refused as error:
            print(error, flush=True)

    def _compose(self, words: list[str], environment: dict[str, str], timeout: float = 120) -> str:
        argv = ["docker", "compose", "--ansi", "never", "--progress", "plain", *words]
        try:
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Refused(f"cannot bring {self.name} up: docker compose took more than {timeout:.0f} s") from None
        if "config" not in words:
            print(done.stderr, end="", flush=True)
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:] or [f"exit {done.returncode}"]
            raise Refused(f"cannot bring {self.name} up: {last[0].strip()}")
        return done.stdout

    # ------------------------------------------------------------ as it is

    def _model(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.current.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def policies(self) -> dict[str, str]:
        services = self._model().get("services") or {}
        return {name: service["labels"][POLICY] for name, service in services.items() if wanted(service)}

    def _note(self, what: str, text: str) -> None:
        write(self.run / what, text)

    def noted(self, what: str) -> str:
        try:
            return (self.run / what).read_text()
        except OSError:
            return ""

    def state(self) -> dict[str, Any]:
        """How the stack is: rows of its services, what went wrong when it was last brought up, who waits."""
        try:
            pauses = json.loads(self.noted("pauses") or "{}")
        except ValueError:
            pauses = {}
        try:
            running = self.docker.containers(self.name)
        except Refused as error:
            return {"name": self.name, "error": str(error), "services": [], "waiting": [], "volumes": []}
        rows = []
        for name, policy in self.policies().items():
            boxes = running.get(name, [])
            rows.append(
                {
                    **row(name, policy, boxes),
                    "image": boxes[0]["Config"]["Image"] if boxes else "",
                    "id": boxes[0]["Id"][:12] if boxes else "",
                    "since": boxes[0]["State"]["StartedAt"] if boxes else "",
                    "restarts": pauses.get(name, {}).get("tries", 0),
                    "again": pauses.get(name, {}).get("again", 0),
                }
            )
        left = sorted(set(self.docker.volumes(self.name)) - set(self._model().get("volumes") or {}))
        waiting = self.noted("waiting").split()
        return {"name": self.name, "error": self.noted("error"), "services": rows, "waiting": waiting, "volumes": left}

    def check(self) -> str:
        """What is not well, '' when all is."""
        state = self.state()
        if state["error"]:
            return str(state["error"])
        if not self.current.exists():
            return f"stack {self.name} is not up yet"
        return "; ".join(told(row) for row in state["services"] if not row["ready"])

    # ------------------------------------------------------------ the supervisor

    def supervise(self) -> None:
        """Never ends."""
        most = float(json.loads((self.etc / "stack.json").read_text())["longest_pause"])
        backoffs: dict[str, Backoff] = {}
        whole = Backoff(most)
        heard = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        threading.Thread(target=self.docker.listen, args=(self.name, heard), daemon=True).start()
        notify("READY=1")
        due, not_before = True, 0.0
        program = _program()
        while True:
            if _program() != program:  # an apply put another one there
                os.execv(PROGRAM, [PROGRAM, "run", self.name])  # noqa: S606
            if due and time.monotonic() >= not_before:
                try:
                    due = bool(self.apply())
                    whole = Backoff(most)
                except (Refused, OSError, ValueError) as error:
                    print(error, flush=True)
                    whole.started()
                not_before = time.monotonic() + (whole.pause if whole.tries else LOOK)
            said = self.mend(backoffs)
            notify(f"STATUS={said}")
            now = time.monotonic()
            pause = min([LOOK, *(max(0.1, b.due - now) for b in backoffs.values() if b.due is not None)])
            heard.wait(pause)
            heard.clear()
            due = due or bool(self.noted("error") or self.noted("waiting"))

    def mend(self, backoffs: dict[str, Backoff]) -> str:
        """Start again what is not well and whose time has come; a line on how the stack is."""
        most = float(json.loads((self.etc / "stack.json").read_text())["longest_pause"])
        with self.alone():
            policies = self.policies()
            try:
                running = self.docker.containers(self.name)
            except Refused as error:
                return str(error)
            ill = []
            for name, policy in policies.items():
                backoff = backoffs.setdefault(name, Backoff(most))
                for box in running.get(name, []):
                    service = row(name, policy, [box])
                    if service["well"]:
                        if service["ready"]:
                            backoff.well(time.monotonic())
                        continue
                    ill.append(told(service))
                    if restarts(service, policy) and backoff.ill(time.monotonic()):
                        print(f"{told(service)}: starting it again, try {backoff.tries + 1}", flush=True)
                        backoff.started()
                        self._ignore("POST", f"/containers/{box['Id']}/restart?t=10")
                if not running.get(name):
                    ill.append(f"{name} is missing")
                    if backoff.ill(time.monotonic()):
                        backoff.started()
                        self._note("error", f"{name} is missing")  # somebody took it away: bring the stack up anew
            for gone in set(backoffs) - set(policies):
                del backoffs[gone]
            self._pauses(backoffs)
        return f"{len(policies)} services, " + ("; ".join(ill) if ill else "all well")

    def _pauses(self, backoffs: dict[str, Backoff]) -> None:
        now, clock = time.monotonic(), time.time()
        told = {
            name: {"tries": b.tries, "again": round(clock + b.due - now, 1) if b.due is not None else 0}
            for name, b in backoffs.items()
            if b.tries or b.due is not None
        }
        write(self.run / "pauses", json.dumps(told))

    def stop(self) -> None:
        """Called by systemd before the unit stops: services end with it. A restart of the unit alone leaves them, a
        container that shuts down keeps them for its next start, and otherwise the stack is gone."""
        job = systemctl("list-jobs", f"compose-{self.name}.service", "--plain", "--no-legend")
        if " restart " in job:
            return
        base = ["--project-name", self.name]
        if systemctl("is-system-running") == "stopping":
            self._compose([*base, "stop"], dict(os.environ), 600)
            return
        self._compose([*base, "down", "--remove-orphans"], dict(os.environ), 600)
        shutil.rmtree(self.run, ignore_errors=True)


def _program() -> list[tuple[str, int, int]]:
    """What this program is made of."""
    return sorted((path.name, path.stat().st_ino, path.stat().st_size) for path in Path(__file__).parent.glob("*.py"))


def told(service: dict[str, Any]) -> str:
    """``web is unhealthy``, ``db has exited (3)``."""
    name, state = service["name"], service["state"]
    if state == "exited":
        return f"{name} has exited ({service['exit']})"
    return f"{name} is {service['health'] if state == 'running' and service['health'] else state}"


def _recipes(resolved: dict[str, Any]) -> dict[str, str]:
    """The Dockerfiles of services that are built here; not of those that are built from somewhere else."""
    found = {}
    for name, service in (resolved.get("services") or {}).items():
        build = service.get("build") or {}
        if "dockerfile_inline" in build:
            found[name] = str(build["dockerfile_inline"]).replace("$$", "$")
        elif build:
            try:
                found[name] = (Path(build["context"]) / (build.get("dockerfile") or "Dockerfile")).read_text()
            except (OSError, ValueError):
                continue
    return found


def _job(box: dict[str, Any]) -> str:
    return str(box["Config"]["Labels"].get(JOB) or "")


def working(box: dict[str, Any]) -> bool:
    """Whether a service is in the middle of a job. Its label says how that is seen: ``true``, as long as it runs; or
    a command in it, which ends with 0 while there is one."""
    job = _job(box)
    if not job or not box["State"]["Running"]:
        return False
    if job in ("true", "yes", "1"):
        return True
    argv = ["docker", "exec", box["Id"], "sh", "-c", job]
    try:
        return subprocess.run(argv, capture_output=True, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return True
