"""The command package-builder."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from . import build, dispatch, publish, roots
from .queue import PRIORITIES, Job, Queue, chosen, wake
from .run import Delayed, Killed, Refused, become, run, say
from .settings import Settings, read

SHOWN = 50
"""Builds that are over, in a listing for people."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="package-builder", description="Builds packages in clean roots.")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    queue = verbs.add_parser("queue", help="put packages in the queue")
    queue.add_argument("packages", nargs="*", metavar="PACKAGE", help="name, or pattern of names")
    queue.add_argument("--priority", choices=PRIORITIES, default="")
    queue.add_argument("--force", action="store_true", help="build also when nothing has changed")
    queue.add_argument("--schedule", default="", help="packages and priority of this schedule")
    listing = verbs.add_parser("list", help="what waits, runs and has ended")
    listing.add_argument("--json", action="store_true")
    logs = verbs.add_parser("logs", help="the log of a build, also while it runs")
    logs.add_argument("build", metavar="BUILD", help="its id; or a package, for its newest build")
    logs.add_argument("--follow", "-f", action="store_true")
    cancel = verbs.add_parser("cancel", help="take builds out of the queue, end them when they run")
    cancel.add_argument("builds", nargs="+", metavar="BUILD")
    shell = verbs.add_parser("root", help="run a command in a clean root, and remove it")
    shell.add_argument("--disk", action="store_true")
    shell.add_argument("command", nargs="?", default="true")
    for hidden in ("serve", "run", "ended"):
        one = verbs.add_parser(hidden)
        if hidden != "serve":
            one.add_argument("id")
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 for what cannot be done, 2 for a wrong command line."""
    line = parser()
    given = line.parse_args(words)
    if given.verb == "queue" and not given.packages and not given.schedule:
        line.error("which packages? (a name, a pattern of names, or --schedule NAME)")
    try:
        return _verb(read(), given)
    except (Refused, Delayed, Killed) as error:
        sys.stderr.write(f"package-builder: {error}\n")
        return 1
    except PermissionError as error:
        sys.stderr.write(f"package-builder: cannot use {error.filename}: {error.strerror} (only root can)\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _verb(settings: Settings, given: argparse.Namespace) -> int:
    queue = Queue(settings)
    if given.verb == "queue":
        return _queue(settings, queue, given)
    if given.verb == "list":
        return _list(queue, as_json=given.json)
    if given.verb == "logs":
        one = _find(queue, given.build)
        words = ["--follow"] if given.follow else ["--no-pager"]
        become(["journalctl", "--quiet", "--output=cat", f"--unit={one.unit}", "--no-tail", *words])
    elif given.verb == "cancel":
        for word in given.builds:
            _cancel(queue, _find(queue, word))
        wake(settings)
    elif given.verb == "root":
        return _root(settings, given.command, disk=given.disk)
    elif given.verb == "serve":
        dispatch.serve(settings)
    elif given.verb == "run":
        return 0 if build.perform(settings, given.id) else 1
    elif given.verb == "ended":
        roots.remove(settings, given.id)
        publish.sweep_homes(settings)
        wake(settings)
    return 0


def _queue(settings: Settings, queue: Queue, given: argparse.Namespace) -> int:
    priority, names = given.priority, []
    if given.schedule:
        if given.schedule not in settings.schedules:
            raise Refused(f"cannot queue: there is no schedule {given.schedule}")
        patterns, usual = settings.schedules[given.schedule]
        names, priority = chosen(settings, patterns), priority or usual
    for word in given.packages:
        found = chosen(settings, [word])
        if not found:
            raise Refused(f"cannot queue {word}: there is no such package (there are: {', '.join(settings.known())})")
        names += found
    for name in dict.fromkeys(names):
        say(queue.add(name, priority or "normal", force=given.force).id)
    wake(settings)
    return 0


def _find(queue: Queue, word: str) -> Job:
    found = queue.find(word)
    if found is None:
        raise Refused(f"cannot find a build {word}")
    return found


def _list(queue: Queue, *, as_json: bool) -> int:
    rows = [*queue.done()[0 if as_json else -SHOWN :], *queue.running(), *queue.waiting()]
    if as_json:
        say(json.dumps({"version": 1, "builds": [asdict(row) for row in rows]}, indent=1))
        return 0
    for row in rows:
        at = datetime.fromtimestamp(row.ended or row.queued).strftime("%Y-%m-%d %H:%M")
        more = row.why or " ".join(row.files)
        if row.state == "waiting" and row.not_before > time.time():
            more = f"not before {datetime.fromtimestamp(row.not_before):%H:%M:%S}: {row.why}"
        say(f"{at}  {row.state:<9}  {row.priority:<6}  {row.backing or '-':<4}  {row.id}  {more}".rstrip())
    return 0


def _cancel(queue: Queue, one: Job) -> None:
    if one.ended:
        raise Refused(f"cannot cancel {one.id}: it is over ({one.state})")
    queue.end(one, "cancelled")
    run(["systemctl", "stop", one.unit])
    queue.drop(one)
    roots.remove(queue.settings, one.id)


def _root(settings: Settings, command: str, *, disk: bool) -> int:
    """For a look by hand, and to measure. Its mounts are of a namespace of its own, as those of a build."""
    if not os.environ.get("PACKAGE_BUILDER_ALONE"):
        os.environ["PACKAGE_BUILDER_ALONE"] = "1"
        words = ["--disk"] if disk else []
        become(["unshare", "--mount", "--propagation=slave", sys.argv[0], "root", *words, command])
    with roots.clean(settings, f"{roots.BY_HAND}{os.getpid()}", disk=disk) as root:
        sys.stderr.write(f"root on {root.backing} made in {root.made * 1000:.1f} ms\n")
        return root.shown(command)
