"""What containers are to reach: their own public names, those they use, and what parts declare as checks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from urllib.parse import urlsplit

from eyas.model import Check, Host, merged
from eyas.status.declared import HTTPS, Declared, Served, Use, Way, line
from eyas.status.findings import Finding
from eyas.status.sites import AWAY
from eyas.status.topics import HOST, OUTSIDE, Answer, Answers, Ask, Topic, connect, http

POSTGRES = 5432


# ---- ports of the host


def ways(declared: Declared, asker: str = OUTSIDE) -> Iterator[Topic]:
    """Every TCP port that the world may ask for: asked from there, by both families."""
    for way in declared.ways:
        if way.proto != "tcp" or way.sources:
            continue  # nothing can be told from no answer over UDP, or to somebody who may not ask
        place = way.container or HOST
        public = [a for a in declared.public if _has(declared, way, a)]
        asks = {address: connect(asker, way.port, address=address) for address in public}
        yield Topic("way", place, asks, partial(_way, way))


def _has(declared: Declared, way: Way, address: str) -> bool:
    return not way.container or ":" not in address or bool(declared.home[way.container].address6)


def _way(way: Way, answers: Answers) -> Iterator[Finding]:
    place = way.container or HOST
    for address, answer in answers.items():
        if answer["ok"]:
            continue
        over = " over IPv6" if ":" in address and any(other["ok"] for other in answers.values()) else ""
        leads = f", which leads to {way.container}," if way.container else ""
        yield Finding(
            "way", place, f"port {way.label} of the host{leads} cannot be reached from outside{over}: {answer['said']}",
            "eyas ports tells who listens; eyas plan whether the host's rules are those of the definitions",
            way.origin, key=("port", place, "tcp", str(way.to or way.port)),
        )  # fmt: skip


# ---- names


def names(declared: Declared, running: Iterable[str]) -> Iterator[Topic]:
    """From inside each container: every public name resolves, and those that are its own answer there."""
    sites = [site for site in declared.sites if site.public and not site.name.startswith("*")]
    for container in running:
        if container not in declared.home:
            continue
        for site in sites:
            for name in site.names:
                if not name.startswith("*"):
                    ask = Ask(container, {"do": "resolve", "name": name})
                    judge: Callable[[Answers], Iterator[Finding]] = partial(
                        _resolved, declared=declared, container=container, name=name, site=site
                    )
                    yield Topic("name", container, {name: ask}, judge)
        for site in _own(declared, sites, container):
            ask = http(container, site.name, HTTPS, tls=True)
            yield Topic("own name", container, {"": ask}, partial(_reached, declared, container, site))


def _own(declared: Declared, sites: list[Served], container: str) -> Iterator[Served]:
    """The sites that a container answers for; else one of each front, so that it is known to be reached from there."""
    mine = [site for site in sites if any(backend == container for backend, _ in site.backends)]
    yield from mine
    for front in declared.fronts:
        if front != container and not any(site.front == front for site in mine):
            yield from [site for site in sites if site.front == front][:1]


def _resolved(answers: Answers, *, declared: Declared, container: str, name: str, site: Served) -> Iterator[Finding]:
    answer = answers[name]
    found = [str(address) for address in answer.get("addresses") or ()]
    if not found:
        yield Finding(
            "name", container, f"{container} cannot resolve {name}, a public name of this fleet",
            f"see /etc/resolv.conf in {container}, and whether the host answers its questions: "
            "systemctl status eyas-names on the host",
            site.origin, key=("resolve", container, name),
        )  # fmt: skip
        return
    wrong = [address for address in found if declared.inner(address) and declared.owner(address) != site.front]
    if wrong:
        who = declared.owner(wrong[0]) or "nobody"
        yield Finding(
            "name", container, f"{container} takes {name} for {wrong[0]}, which is {who}, not {site.front}",
            f"take the line out that says so: eyas exec {container} -- grep -r {wrong[0]} /etc/hosts /etc/resolv.conf",
            site.origin,
        )  # fmt: skip


def _reached(declared: Declared, container: str, site: Served, answers: Answers) -> Iterator[Finding]:
    answer = answers[""]
    if answer["ok"] or "resolve" in str(answer["said"]):
        return  # what it says there is what it says to everybody; a name that is not known is told already
    own = any(backend == container for backend, _ in site.backends)
    way = next(
        (w for w in declared.forwards if w.container == site.front and w.port == HTTPS and w.proto == "tcp"), None
    )
    remedy = "see whether the host's rules are those of the definitions: eyas plan"
    origin = site.origin
    if way is not None and not way.reflect:
        remedy = f"let the port be reached by the public address from inside too: Forward({way.port}, reflect=True)"
        origin = way.origin
    yield Finding(
        "own name", container,
        f"{container} cannot reach {site.name}{', its own public name,' if own else ''} from inside: {answer['said']}",
        remedy, origin, key=("own name", container, site.front),
    )  # fmt: skip


# ---- who uses whom


def uses(declared: Declared, running: Iterable[str]) -> Iterator[Topic]:
    """Every port of another container that one uses accepts its connections. (What sites lead to is asked as such.)"""
    alive = set(running)
    led = {(site.front, *backend) for site in declared.sites for backend in site.backends}
    for use in declared.uses:
        if use.port and {use.by, use.container} <= alive and (use.by, use.container, use.port) not in led:
            ask = connect(use.by, use.port, address=declared.home[use.container].address4)
            yield Topic("use", use.by, {"": ask}, partial(_used, declared, use))


def _used(declared: Declared, use: Use, answers: Answers) -> Iterator[Finding]:
    answer = answers[""]
    if not answer["ok"]:
        yield _unreached(declared, use.by, use.container, use.port, answer, use.origin)


def _unreached(
    declared: Declared, by: str, container: str, port: int, answer: Answer, origin: str, remedy: str = ""
) -> Finding:
    said = str(answer["said"])
    declares = any(use.by == by and use.container == container and use.port in (0, port) for use in declared.uses)
    if not remedy and not declares:
        remedy = f"say that it may: uses=[{container}.port({port})] of {by}"
    elif not remedy and "refused" in said:
        remedy = f"nobody listens there: eyas ports; eyas logs {container}"
    elif not remedy:
        remedy = f"see whether {container} is well, and the host's rules those of the definitions: eyas status"
    return Finding(
        "use", by, f"{by} cannot connect to port {port} of {container}: {said}", remedy, origin,
        key=("use", by, container, str(port)),
    )  # fmt: skip


# ---- declared checks


def checks(host: Host, declared: Declared, running: Iterable[str], asker: str = OUTSIDE) -> Iterator[Topic]:
    """What the parts of running containers ask for, but for visitors' addresses (`eyas.status.visitors`)."""
    alive = set(running)
    for container in host.containers:
        for check in merged(container).checks if container.name in alive else ():
            made = ASKS.get(check.type)
            if made is not None:
                judge: Callable[[Answers], Iterator[Finding]] = partial(
                    JUDGES[check.type], declared=declared, by=container.name, check=check
                )
                yield Topic("check", container.name, {"": made(container.name, check, declared, asker)}, judge)


def _ask_connect(by: str, check: Check, declared: Declared, _asker: str) -> Ask:
    home = declared.home.get(str(check.to))
    assert check.port is not None
    return connect(
        by, check.port, address=home.address4 if home else "", name=str(check.to), timeout=check.timeout
    )  # fmt: skip


def _ask_http(by: str, check: Check, _declared: Declared, asker: str) -> Ask:
    url = urlsplit(check.url)
    tls = url.scheme == "https"
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    place = {"inside": by, "host": HOST, "outside": asker}[check.where]
    return http(place, str(url.hostname), url.port or (HTTPS if tls else 80), tls=tls, path=path, timeout=check.timeout)


def _ask_postgres(by: str, check: Check, _declared: Declared, _asker: str) -> Ask:
    question: dict[str, object] = {"do": "postgres", "timeout": check.timeout}
    if check.unit:
        return Ask(by, {**question, "unit": check.unit, "variable": check.variable})  # type: ignore[dict-item]
    from eyas.host.vantage import database_of

    return Ask(by, {**question, **database_of(check.url)})  # type: ignore[dict-item]


def _ask_command(by: str, check: Check, _declared: Declared, _asker: str) -> Ask:
    return Ask(by, {"do": "command", "argv": [*check.argv]})


ASKS: Mapping[str, Callable[[str, Check, Declared, str], Ask]] = {
    "connect": _ask_connect, "http": _ask_http, "postgres": _ask_postgres, "command": _ask_command,
}  # fmt: skip


def _connected(answers: Answers, *, declared: Declared, by: str, check: Check) -> Iterator[Finding]:
    if not answers[""]["ok"]:
        yield _unreached(
            declared, by, str(check.to), check.port or 0, answers[""], line(check), check.remedy
        )  # fmt: skip


def _answered(answers: Answers, *, declared: Declared, by: str, check: Check) -> Iterator[Finding]:
    answer = answers[""]
    said = str(answer["said"])
    if answer["ok"] and answer["status"] != check.status:
        said += f" instead of {check.status}"
    elif answer["ok"] and check.contains is not None and check.contains not in str(answer["body"]):
        said += f" without {check.contains!r}"
    elif answer["ok"]:
        return
    who = {"inside": by, "host": "the host", "outside": "a client outside"}[check.where]
    remedy, origin = check.remedy, line(check)
    key: tuple[str, ...] = ()
    url = urlsplit(check.url)
    port = url.port or (HTTPS if url.scheme == "https" else 80)
    site = next((site for site in declared.sites if url.hostname in site.names), None)
    if not answer["ok"] and site is not None:
        led = any(way.port == port and way.container == site.front for way in declared.forwards)
        if not led:
            remedy = remedy or f"no port of the host leads there: add Forward({port}) to forwards of {site.front}"
            origin, key = f"{declared.home[site.front].origin}; {origin}", ("port", site.front, "tcp", str(port))
    elif answer.get("status") in AWAY and site is not None:
        key = ("led", site.name)
    yield Finding("check", by, f"{who} asks for {check.url} and gets: {said}", remedy, origin, key=key)


def _let_in(answers: Answers, *, declared: Declared, by: str, check: Check) -> Iterator[Finding]:
    answer = answers[""]
    if answer["ok"]:
        return
    asked = {**dict(_ask_postgres(by, check, declared, "").question), **answer}
    server, role, database = (str(asked.get(key) or "") for key in ("name", "user", "database"))
    container = server if server in declared.home else declared.owner(server)
    home = declared.home.get(container)
    setting = f"{check.variable} of {check.unit}" if check.unit else "its settings"
    says = "says" if check.unit else "say"
    if answer.get("unset"):
        message = f"{by} has no database: {answer['said']}"
        yield Finding("check", by, message, f"set {check.variable} in environment of {check.unit}", line(check))
        return
    said = str(answer["said"])
    origin = f"{line(check)}; {home.origin}" if home else line(check)
    yield Finding(
        "check", by,
        f"{by} cannot use the database {database} of {container or server} as {setting} {says}: {said}",
        check.remedy or _mend(declared, by, container, role, database, setting, answer), origin,
    )  # fmt: skip


def _mend(declared: Declared, by: str, container: str, role: str, database: str, setting: str, answer: Answer) -> str:
    """What lets a client into a database: a declaration, or other settings."""
    said, code = str(answer["said"]), str(answer.get("code") or "")
    as_role = f', role="{role}"' if role != database else ""
    verb = f'declare Database("{database}"{as_role}, clients=["{by}"])'
    where = f" in postgresql(...) of {container}" if container else ""
    if code or "role" in said or "pg_hba" in said:
        return f"{verb}{where}, or correct {setting}"
    if not container:
        return f"correct {setting}: no container is called so"
    if "resolve" in said:
        return f"see /etc/hosts in {by}: eyas status"
    if "refused" in said or "no answer" in said:
        known = any(use.by == by and use.container == container for use in declared.uses)
        return (
            f"eyas ports tells who listens in {container}" if known else f"{verb}{where}: {by} is none of its clients"
        )
    return f"correct {setting}"


def _did(answers: Answers, *, declared: Declared, by: str, check: Check) -> Iterator[Finding]:
    answer, origin = answers[""], f"{line(check)}; {declared.home[by].origin}"
    said = str(answer["said"])
    if answer["ok"] and (check.contains is None or check.contains in str(answer.get("output"))):
        return
    if answer["ok"]:
        said = f"it does not say {check.contains!r}"
    yield Finding(
        "check", by, f"{' '.join(check.argv)} in {by}: {said}", check.remedy, origin
    )  # fmt: skip


JUDGES: Mapping[str, Callable[..., Iterator[Finding]]] = {
    "connect": _connected, "http": _answered, "postgres": _let_in, "command": _did,
}  # fmt: skip
