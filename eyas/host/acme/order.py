"""One order: asked for, proved name by name, fetched (RFC 8555, 7.4 and 7.5)."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

from acme import challenges, errors, messages

from eyas.host.acme.keep import new_key, put, request_for
from eyas.host.acme.prove import Web, proved_by_dns
from eyas.host.acme.words import Refused

PATIENCE = 180.0  # seconds for the authority to look at our proofs
FINISH = 120.0  # seconds from then until the certificate is there


def obtain(client: Any, order: Mapping[str, Any], web: Web) -> None:
    """Put a new certificate and its key into the order's folder; an exception says why not, and nothing is there."""
    key, names = new_key(), [str(name) for name in order["names"]]
    placed = client.new_order(request_for(key, names))
    pending = [each for each in placed.authorizations if each.body.status == messages.STATUS_PENDING]
    if order["challenge"] == "http":
        chosen = [(each, _challenge(each, challenges.HTTP01)) for each in pending]
        with web.shown(client, [challenge for _, challenge in chosen]):
            _prove(client, chosen)
    else:
        from eyas.host.acme.dns import Dns  # who proves by HTTP need not have that library

        chosen = [(each, _challenge(each, challenges.DNS01)) for each in pending]
        with proved_by_dns(client, chosen, Dns(order["challenge"])):
            _prove(client, chosen)
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=FINISH)
    finished = client.finalize_order(placed, deadline)
    put(str(order["folder"]), key, finished.fullchain_pem.encode(), str(order["directory"]))


def _challenge(authorization: Any, kind: type) -> Any:
    """What the authority offers of this kind for one name."""
    for offered in authorization.body.challenges:
        if isinstance(offered.chall, kind):
            return offered
    name = authorization.body.identifier.value
    how = "HTTP" if kind is challenges.HTTP01 else "DNS"
    raise Refused(f"the authority offers no challenge by {how} for {name}")


def _prove(client: Any, chosen: list[tuple[Any, Any]]) -> None:
    """Let the authority look, and wait for its words on every name."""
    for _, challenge in chosen:
        client.answer_challenge(challenge, challenge.chall.response(client.net.key))
    until, failed = time.monotonic() + PATIENCE, []
    for authorization, _ in chosen:
        pause, seen = 0.2, authorization
        while True:
            seen, _ = client.poll(seen)
            if seen.body.status not in (messages.STATUS_PENDING, messages.STATUS_PROCESSING):
                break
            if time.monotonic() > until:
                raise errors.TimeoutError()
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)
        if seen.body.status != messages.STATUS_VALID:
            failed.append(seen)
    if failed:
        raise errors.ValidationError(failed)
