"""`eyas why THING`: who asked for it, and which run changed it last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyas.cli.context import Context
from eyas.cli.session import Session
from eyas.core.errors import EyasError, UsageError
from eyas.core.words import Json

if TYPE_CHECKING:
    from eyas.cli.evaluate import Definitions
    from eyas.model import Container, Egress, Host
    from eyas.model.base import Thing

FORMAT = 1
RUNS = 50  # so far back is looked for the last change


@dataclass(frozen=True)
class Reason:
    """One answer: what a thing is to whom, and the line that asked for it. ``ids`` are the resources it is part of."""

    what: str
    origin: str
    ids: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {"what": self.what, "origin": self.origin, "resources": list(self.ids)}


def run(context: Context, *, thing: str, json: bool = False) -> int:
    """Answer from the definitions; the last run from the host, where one can be asked."""
    with Session(context) as session:
        reasons = list(find(session.definitions, thing)) or list(_pooled(session, thing))
        if not reasons:
            raise UsageError(
                f"cannot find {thing} in the definitions: nothing asks for it",
                "name a container, CONTAINER:/path, a host path, a port, a package, a site or a resource",
            )
        ids = {id_ for reason in reasons for id_ in reason.ids}
        last = _last_run(session, ids)
    if json:
        context.write_json({"version": FORMAT, "reasons": [r.to_json() for r in reasons], "run": last})
    else:
        context.write(text(reasons, last))
    return 0


def text(reasons: Sequence[Reason], last: dict[str, Json] | None) -> str:
    """The answers for people."""
    width = max(len(reason.origin) for reason in reasons)
    lines = [f"{reason.origin:<{width}}  {reason.what}" for reason in reasons]
    if last is not None:
        lines.append(f"last changed by run {last['run']} ({last.get('who') or 'unknown'})")
    return "\n".join(lines)


def _last_run(session: Session, ids: set[str]) -> dict[str, Json] | None:
    """The newest kept run whose plan named one of these resources. A host that cannot be asked is no error here."""
    try:
        talk = session.talk()
        for item in talk.history(RUNS):
            if item.get("result") == "kept" and ids & {change.id for change in talk.plan(str(item["run"])).changes}:
                return item
    except EyasError:
        return None
    return None


def find(definitions: Definitions, thing: str) -> Iterator[Reason]:
    """Everything in the definitions that this can mean."""
    container, colon, path = thing.partition(":")
    for host in definitions.fleet.hosts:
        if thing == host.name:
            yield Reason(f"host {host.name}", host.origin)
        yield from _of_host(host, thing)
        for each in host.containers:
            name = each.name
            if colon and path.startswith("/"):
                if container == name:
                    yield from _path_inside(each, path)
                continue
            if thing in (name, f"container:{name}"):
                yield Reason(
                    f"container {name}, {each.address}, of host {host.name}", line(each), (f"container:{name}",)
                )
            yield from _of_container(each, thing)


def line(thing: Thing) -> str:
    """The line that asked for a thing; where a function of the user's own made it, that line too."""
    asked = thing.statement or thing.origin
    return asked if asked == thing.origin else f"{asked} (made at {thing.origin})"


def _of_host(host: Host, thing: str) -> Iterator[Reason]:
    plain = thing.partition(":")[2] if thing.startswith(("sysctl:", "file:", "unit:", "user:", "package:")) else thing
    where = host.origin
    if plain in host.sysctls:
        yield Reason(f"kernel setting {plain} of host {host.name}", where, (f"sysctl:{plain}",))
    if plain in host.packages:
        yield Reason(f"package {plain} of host {host.name}", where, (f"package:{plain}",))
    if plain in host.files:
        yield Reason(f"file {plain} of host {host.name}", host.files[plain].origin or where, (f"file:{plain}",))
    if plain in host.units:
        yield Reason(f"unit {plain} of host {host.name}", host.units[plain].origin or where, (f"unit:{plain}",))
    for user in host.users:
        if user.name == plain:
            yield Reason(f"user {plain} of host {host.name}", line(user), (f"user:{plain}",))


def _of_container(container: Container, thing: str) -> Iterator[Reason]:
    from eyas.model import merged

    name, ids = container.name, (f"container:{container.name}",)
    system = merged(container)
    for bind in system.binds:
        source = str(bind.source)
        if thing in (source, f"directory:{source}") or (thing.startswith("/") and thing.startswith(source + "/")):
            kind = "data" if bind.persistent else "bind"
            directory = (f"directory:{source}",) if bind.persistent else ()
            yield Reason(f"{kind} of {name}: {source} at {bind.target or source}", line(bind), (*ids, *directory))
    for rule in container.egress:
        own = f"{name}/{rule.name}"
        if thing in (own, rule.name, f"egress:{own}", f"egress:{rule.name}", rule.address or own, *rule.to):
            yield Reason(f"egress of {name}: {_way(rule)}", line(rule), ("egress:eyas",))
    port, _, proto = thing.removeprefix("forward:").partition("/")
    for forward in container.forwards:
        if port == str(forward.port) and proto in ("", forward.proto):
            what = f"forward of {forward.port}/{forward.proto} to {name}, port {forward.target}"
            yield Reason(what, line(forward), ("firewall:eyas",))
    for site in system.sites:
        if thing in (site.name, *site.aliases):
            by = ", ".join(dict.fromkeys(backend.container for backend in site.backends)) or "the front itself"
            yield Reason(f"site {site.name}, answered by {by}, in {name}", line(site), ids)
    for kind in ("package", "npm", "pip", "unit", "user"):
        origin = system.origins.get(f"{kind}:{thing.removeprefix('package:')}")
        if origin:
            yield Reason(f"{kind} {thing.removeprefix('package:')} in {name}", origin, ids)


def _way(rule: Egress) -> str:
    """A rule of egress in words."""
    places = ", ".join(rule.to) or "everything"
    via = f"a pool of {rule.pool.size} addresses" if rule.pool else f"by {rule.via}"
    return f"{rule.name}, {via} for {places}"


def _pooled(session: Session, thing: str) -> Iterator[Reason]:
    """The rule whose pool has an address now, as the host tells."""
    if ":" not in thing or thing.strip("0123456789abcdef:"):
        return
    try:
        answer = session.talk().egress()
    except EyasError:
        return
    from eyas.status.egress import holders

    for rule in holders(answer, thing):
        for reason in find(session.definitions, f"egress:{rule}"):
            yield Reason(f"{thing} is an address of the {reason.what}", reason.origin, reason.ids)


def _path_inside(container: Container, path: str) -> Iterator[Reason]:
    """What stands at a path in a container: a file of a part, a unit, or a bind above it."""
    from eyas.model import merged

    system, ids = merged(container), (f"container:{container.name}",)
    name = container.name
    unit = path.rpartition("/")[2]
    for kind, key in (("file", path), ("unit", unit)):
        origin = system.origins.get(f"{kind}:{key}")
        if origin and (kind == "file" or path == f"/etc/systemd/system/{unit}"):
            yield Reason(f"{kind} {key} in {name}", origin, ids)
    for bind in system.binds:
        target = str(bind.target or bind.source)
        if path == target or path.startswith(target.rstrip("/") + "/"):
            what = f"{path} in {name} is {bind.source}{path[len(target) :]} of the host"
            yield Reason(what, line(bind), (*ids, f"directory:{bind.source}"))
