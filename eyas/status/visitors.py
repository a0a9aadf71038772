"""Visitors' addresses across the front and a second server behind it: a request with a mark, found again in the logs.

The application is not touched and need not know: the server behind the front writes a line for each request anyway,
and that line begins with the address that the server takes for the visitor's. The mark stands in the query and in the
name of the browser, so that one of them is in the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from eyas.core.words import Json
from eyas.model import Check, Host, merged
from eyas.status.declared import HTTPS, Declared, Served, line
from eyas.status.findings import Finding
from eyas.status.topics import OUTSIDE, Answer, Answers, Ask, Topic, http

LINES = 4000  # of a log that are looked through
FRONT_LOGS = "/var/log/nginx/*.log"
FIND = """\
for log in $2; do
    case $log in *error*) continue ;; esac
    tail -n "$3" -- "$log"
done | grep -F -m 1 -- "$1"
"""


@dataclass(frozen=True)
class Visit:
    """One marked request, and where its traces are to be: (container, log, who declares that)."""

    site: Served
    mark: str
    path: str
    traces: tuple[tuple[str, str, Check | None], ...]

    def ask(self, asker: str, address: str) -> Ask:
        """The request, by one of the public addresses."""
        mark = f"{self.mark}-{6 if ':' in address else 4}"
        path = f"{self.path}{'&' if '?' in self.path else '?'}eyas-verify={mark}"
        headers = {"User-Agent": f"eyas-verify/{mark}"}
        return http(asker, self.site.name, HTTPS, tls=True, address=address, path=path, headers=headers)


def visits(host: Host, declared: Declared, running: Iterable[str], mark: str) -> list[Visit]:
    """A visit for each site whose visitors a part wants to know; the front's own log is looked at on the way."""
    alive = set(running)
    sites = {name: site for site in declared.sites if site.public for name in site.names}
    found: list[Visit] = []
    for container in host.containers:
        for check in merged(container).checks if container.name in alive else ():
            site = sites.get(check.site or "") if check.type == "client_address" else None
            if site is None or site.front not in alive:
                continue
            traces: list[tuple[str, str, Check | None]] = [(container.name, check.log, check)]
            if site.logged:
                traces.insert(0, (site.front, FRONT_LOGS, None))
            found.append(Visit(site, f"{mark}{len(found)}", check.path, tuple(traces)))
    return found


def asked(visits_: Sequence[Visit], declared: Declared, asker: str = OUTSIDE) -> list[Topic]:
    """The requests themselves. Whether the site answers is asked elsewhere."""
    return [
        Topic("visit", visit.site.name, {a: visit.ask(asker, a) for a in declared.public}, lambda _: ())
        for visit in visits_
    ]


def traces(visits_: Sequence[Visit], declared: Declared, answers: Sequence[Answers]) -> Iterator[Topic]:
    """Where the marks are to be found, for requests that came through: to be asked after them."""
    for visit, got in zip(visits_, answers, strict=True):
        for address, answer in got.items():
            if not answer.get("ok"):
                continue
            mark = f"{visit.mark}-{6 if ':' in address else 4}"
            for container, log, check in visit.traces:
                argv: list[Json] = ["/bin/sh", "-c", FIND, "sh", mark, log, str(LINES)]
                ask = Ask(container, {"do": "command", "argv": argv})
                judge = partial(_found, declared, visit, container, log, check, str(answer["from"]), answer)
                yield Topic("visitor", container, {"": ask}, judge)


def _found(
    declared: Declared,
    visit: Visit,
    container: str,
    log: str,
    check: Check | None,
    visitor: str,
    answer: Answer,
    answers: Answers,
) -> Iterator[Finding]:
    text = str(answers[""].get("output") or "").strip()
    seen = text.split()[0].strip("[],") if text else ""
    origin = line(check) if check is not None else visit.site.origin
    key = ("visitor", container, visit.site.name)
    if not seen:
        if check is not None and answer.get("status") not in (502, 503, 504):
            yield Finding(
                "visitor", container, f"a request for {visit.site.name} left no line in {log} of {container}",
                f"let {container} write an access log there, or name another one: Check.client_address(..., log=...)",
                origin, "warning", key,
            )  # fmt: skip
        return
    if seen == visitor:
        return
    who = declared.owner(seen) or ("the host" if seen in (*declared.gateways, *declared.public) else "")
    what = f"{seen}{f', which is {who}' if who else ''}"
    remedy = check.remedy if check is not None and check.remedy else ""
    if not remedy and check is None:
        remedy = "the address is lost before the front: let no rule of the host but eyas' translate what comes in"
    elif not remedy:
        front = visit.site.front
        by = "address6" if ":" in seen else "address"
        remedy = (
            f"let {container} believe {front}: set_real_ip_from @{{{front}.{by}}}; real_ip_header X-Forwarded-For;"
        )  # fmt: skip
    yield Finding(
        "visitor", container,
        f"{container} takes visitors of {visit.site.name} for {what}: asked from {visitor}", remedy, origin, key=key,
    )  # fmt: skip
