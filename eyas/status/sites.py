"""Sites: who answers, asked directly and through the front, and what their certificates say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eyas.core.words import Json
from eyas.status.declared import HTTPS, Declared, Served
from eyas.status.findings import Finding
from eyas.status.topics import OUTSIDE, Answer, Answers, Ask, Topic, http

VERSION = 1
DAYS = 14  # of a certificate: with fewer left, somebody should look
DAY = 86400.0
AWAY = (502, 503, 504)  # what a front says of a backend that does not answer
WORDS = {4: "IPv4", 6: "IPv6"}


def family(address: str) -> int:
    return 6 if ":" in address else 4


def topics(declared: Declared, flags: Mapping[str, Sequence[str]], now: float, asker: str = OUTSIDE) -> list[Topic]:
    """A topic for each site that the world can ask for. ``flags`` are those of maintenance, by front; ``asker`` is who
    asks the front by the public addresses."""
    found = []
    for site in declared.sites:
        if not site.public or site.name.startswith("*"):
            continue
        asks: dict[str, Ask] = {}
        ports = [port for port in site.ports if _led(declared, site.front, port)]
        for port in ports:
            for address in declared.public if port == HTTPS else declared.public[:1]:
                headers = {"User-Agent": "eyas-verify"}
                asks[f"{port}/{family(address)}"] = http(
                    asker, site.name, port, tls=True, address=address, headers=headers
                )
        for name in site.names[1:] if HTTPS in ports else ():
            if not name.startswith("*"):
                asks[f"alias {name}"] = http(asker, name, HTTPS, tls=True, address=declared.public[0])
        if site.to is not None and site.to[0] in declared.home:
            asks["direct"] = direct(declared, site)
        judge: Callable[[Answers], Iterator[Finding]] = partial(
            _judge, declared=declared, site=site, flags=flags.get(site.front, ()), now=now
        )
        found.append(Topic("site", site.name, asks, judge))
    return found


def direct(declared: Declared, site: Served) -> Ask:
    """The backend asked as the front asks it: from the front's place, with the same headers."""
    assert site.to is not None
    container, port, tls = site.to
    home = declared.home[container]
    headers = {"Host": site.name, "X-Forwarded-Proto": "https", "X-Forwarded-Host": site.name}
    return http(site.front, site.name, port, tls=tls, address=home.address4, headers=headers)


def _led(declared: Declared, front: str, port: int) -> bool:
    """Whether a port of the host leads to this one of the front, under the same number."""
    return any(
        (way.proto, way.port, way.container, way.to) == ("tcp", port, front, port) for way in declared.forwards
    )  # fmt: skip


def held_back(site: Served, flags: Sequence[str]) -> str:
    """The flag that keeps a site under maintenance, '' for none."""
    wanted = (site.name, *(f"@{container}" for container, _ in site.backends))
    return next((flag for flag in wanted if flag in flags), "")


def _judge(
    answers: Answers, *, declared: Declared, site: Served, flags: Sequence[str], now: float
) -> Iterator[Finding]:
    flag = held_back(site, flags)
    if flag:
        what = f"container {flag[1:]}" if flag.startswith("@") else "it"
        yield Finding(
            "maintenance", site.name, f"{site.name} is under maintenance",
            f"when {what} is well again: eyas maintenance off {flag.removeprefix('@')}", site.origin, "warning",
            ("led", site.name),  # what else is said of its answers follows from this
        )  # fmt: skip
    backend = answers.get("direct")
    if backend is not None and (not backend["ok"] or backend.get("status") in AWAY):
        yield _backend(declared, site, backend)
    for name, answer in answers.items():
        if name != "direct":
            yield from _through(site, name, answer, backend, bool(flag))
    fresh = [answer["certificate"] for answer in answers.values() if answer.get("certificate")]
    if fresh:
        yield from certificate(site, fresh[0], now)


def _backend(declared: Declared, site: Served, answer: Answer) -> Finding:
    assert site.to is not None
    container, port, _ = site.to
    home = declared.home[container]
    remedy = f"see what keeps {container} from answering on port {port}: eyas logs {container}"
    if "refused" in answer["said"]:
        remedy = f"start what shall listen there, or name the right port in to={container}.port({port})"
    return Finding(
        "site", site.name,
        f"{container}, which answers for {site.name}, does not answer {site.front} on port {port}: {answer['said']}",
        remedy, f"{site.origin}; {home.origin}", key=("backend", container, str(port), site.front),
    )  # fmt: skip


def _through(site: Served, name: str, answer: Answer, backend: Answer | None, flag: bool) -> Iterator[Finding]:
    well = backend is None or (backend["ok"] and backend.get("status") not in AWAY)
    which = name.removeprefix("alias ") if name.startswith("alias ") else site.name
    port, _, number = name.partition("/")
    where = f"over {WORDS[int(number)]}" + (f" on port {port}" if port != str(HTTPS) else "") if number else ""
    if not answer["ok"]:
        said = str(answer["said"])
        down = "refused" in said or said.startswith("no answer")
        yield Finding(
            "site", site.name, f"{which} does not answer {where}".rstrip() + f": {said}",
            f"see whether nginx is well in {site.front}: eyas logs {site.front} -u nginx.service" if down else "",
            site.origin, key=("port", site.front, "tcp", port) if down and number else (),
        )  # fmt: skip
    elif answer["status"] in AWAY and not flag and well and site.to is not None:
        container, to, _ = site.to
        yield Finding(
            "site", site.name,
            f"{site.front} answers {answer['said']} for {which}, although {container} answers it on port {to}",
            f"{site.front} leads it elsewhere: eyas plan shows whether its files differ; then reload nginx there",
            site.origin, key=("led", site.name),
        )  # fmt: skip
    elif answer["status"] == 404 and well and backend is not None and backend["status"] != 404 and not site.guarded:
        yield Finding(
            "site", site.name, f"{site.front} answers 404 for {which}, and {site.to[0] if site.to else ''} does not",
            f"{site.front} does not know the name: eyas plan shows whether its files differ; then reload nginx there",
            site.origin, key=("led", site.name),
        )  # fmt: skip


def certificate(site: Served, said: Mapping[str, Any], now: float) -> Iterator[Finding]:
    """What is wrong with the certificate that is shown for a site."""
    names, days = [str(name) for name in said["names"]], (float(said["until"]) - now) / DAY
    missing = [name for name in site.names if not any(covers(known, name) for known in names)]
    if missing and not said["own"]:
        yield Finding(
            "certificate", site.name, f"the certificate shown for {', '.join(missing)} is for {', '.join(names[:3])}",
            "renew it: eyas certificates tells what became of the last order", site.origin,
        )  # fmt: skip
    if said["own"]:
        yield Finding(
            "certificate", site.name, f"the certificate of {site.name} is a placeholder, signed by itself",
            "eyas certificates tells what became of the order", site.origin, key=("placeholder", site.front),
        )  # fmt: skip
    elif days < DAYS:
        what = f"ends in {days:.0f} days" if days > 0 else f"has ended {-days:.0f} days ago"
        yield Finding(
            "certificate", site.name, f"the certificate of {site.name} {what}",
            "see why it is not renewed: eyas certificates", site.origin, "error" if days < 2 else "warning",
        )  # fmt: skip


def covers(known: str, name: str) -> bool:
    """Whether a name in a certificate stands for a name (RFC 6125: the star is one label)."""
    if known.startswith("*."):
        return name == known or name.partition(".")[2] == known[2:]
    return known == name


@dataclass(frozen=True)
class SiteRow:
    """A site now. ``direct`` and ``through`` are the words of the backend's and of the front's answer, '' where nobody
    was asked; ``days`` of its certificate, None when it was not seen."""

    name: str
    aliases: tuple[str, ...]
    front: str
    to: str
    direct: str
    through: str
    days: float | None
    issuer: str
    health: str
    origin: str

    def to_json(self) -> dict[str, Json]:
        return {**vars(self), "aliases": [*self.aliases]}


def rows(
    declared: Declared,
    topics_: Sequence[Topic],
    found: Sequence[Answers],
    findings: Sequence[Finding],
    flags: Mapping[str, Sequence[str]],
    now: float,
) -> list[SiteRow]:
    """A row for each site: healthy, unhealthy, maintenance, or '-' for one that cannot be asked for."""
    answers = {topic.about: got for topic, got in zip(topics_, found, strict=True)}
    bad = {finding.about for finding in findings if finding.severity == "error"}
    made = []
    for site in declared.sites:
        got = answers.get(site.name, {})
        through = next((answer for name, answer in got.items() if name != "direct"), None)
        shown = next((answer["certificate"] for answer in got.values() if answer.get("certificate")), None)
        health = "maintenance" if held_back(site, flags.get(site.front, ())) else "healthy"
        made.append(
            SiteRow(
                site.name,
                site.names[1:],
                site.front,
                f"{site.to[0]}:{site.to[1]}" if site.to else "",
                str(got["direct"]["said"]) if "direct" in got else "",
                str(through["said"]) if through is not None else "",
                round((float(shown["until"]) - now) / DAY, 1) if shown else None,
                str(shown["issuer"]) if shown else "",
                "unhealthy" if site.name in bad else health if got else "-",
                site.origin,
            )
        )
    return made
