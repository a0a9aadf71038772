"""`eyas sites`: every public name, who answers, and how that is now."""

from __future__ import annotations

import time

from eyas.cli.context import Context
from eyas.cli.crossing import Crossing
from eyas.cli.session import Session
from eyas.core.words import Json

WRONG = 1


def run(context: Context, *, json: bool = False) -> int:
    """Ask each site's backend and the front, and show; 1 when a site is not well."""
    from eyas.status import sites
    from eyas.status.findings import distinct
    from eyas.status.topics import judged

    with Session(context) as session:
        crossing = Crossing(session)
        declared, running, flags, now = crossing.declared, crossing.running, crossing.flags(), time.time()
        served = {site.name: site.front for site in declared.sites}
        topics = [topic for topic in sites.topics(declared, flags, now) if served[topic.about] in running]
        answers = crossing.ask(topics)
        session.listener.close()
    findings = distinct(judged(topics, answers))
    rows = sites.rows(declared, topics, answers, findings, flags, now)
    if json:
        said: dict[str, Json] = {
            "version": sites.VERSION,
            "host": declared.host,
            "sites": [row.to_json() for row in rows],
            "findings": [finding.to_json() for finding in findings],
            "outside": crossing.outside,
        }
        context.write_json(said)
    else:
        from eyas.cli.view.sites import sites_text

        context.write(sites_text(declared.host, rows, findings, context.width(), context.paint()))
    return WRONG if any(finding.severity == "error" for finding in findings) else 0
