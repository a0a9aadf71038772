"""The program: one request (JSON) on standard input, one answer on standard output.

    {"do": "obtain", "accounts": FOLDER, "web": [FOLDER...], "orders": [ORDER...]}   -> {"errors": {NAME: WHY}}
    {"do": "placeholder", "orders": [ORDER...]}                                      -> {"errors": {NAME: WHY}}
    {"do": "revoke", "accounts": FOLDER, "orders": [ORDER...], "reason": 0}          -> {"errors": {NAME: WHY}}
    {"do": "suggest", "accounts": FOLDER, "orders": [ORDER...]}                      -> {"times": {NAME: SECONDS}}

ORDER: name, names, directory, email, ca, challenge ("http", or {"zones": [...], "wait": SECONDS}), and the folder that
the certificate is in, or is to be put into. ``web`` are the folders whose files are answered on port 80.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

AT_ONCE = 6
"""Orders under way side by side: an authority takes its time to look, and has limits for who asks too much."""


def main(requests: IO[str], answers: IO[str]) -> int:
    """Do what is asked; what goes wrong with one order is told for that order."""
    _die_with_parent()
    request = json.load(requests)
    json.dump(DEEDS[str(request["do"])](request), answers)
    return 0


def _die_with_parent() -> None:
    """Whoever asked puts back what we made when it is killed: then we must not go on making (prctl(2))."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _each(orders: Sequence[Mapping[str, Any]], deed: Callable[[Mapping[str, Any]], None]) -> dict[str, str]:
    """Do something for each order, some of them side by side; by name what went wrong."""

    def told(order: Mapping[str, Any]) -> str:
        from eyas.host.acme.words import explain

        try:
            deed(order)
        except Exception as error:  # any: the others go on
            return explain(error)
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = dict(zip((str(order["name"]) for order in orders), pool.map(told, orders), strict=True))
    return {name: why for name, why in said.items() if why}


def _obtain(request: Mapping[str, Any]) -> dict[str, Any]:
    from eyas.host.acme.account import Clients
    from eyas.host.acme.order import obtain
    from eyas.host.acme.prove import Web

    clients, web = Clients(str(request["accounts"])), Web(request["web"])
    orders = request["orders"]
    # One after the other: the first one to ask an authority makes the account there.
    problems = {}
    for directory in sorted({str(order["directory"]) for order in orders}):
        group = [order for order in orders if order["directory"] == directory]
        problems[directory] = _each(group[:1], lambda order: clients.check(order))
    bad = {directory: next(iter(found.values())) for directory, found in problems.items() if found}
    errors = {str(order["name"]): bad[order["directory"]] for order in orders if order["directory"] in bad}
    good = [order for order in orders if order["directory"] not in bad]
    web.clean()
    return {"errors": errors | _each(good, lambda order: obtain(clients.of(order), order, web))}


def _placeholder(request: Mapping[str, Any]) -> dict[str, Any]:
    from eyas.host.acme.keep import self_signed

    return {"errors": _each(request["orders"], lambda order: self_signed(order["names"], order["folder"]))}


def _revoke(request: Mapping[str, Any]) -> dict[str, Any]:
    from eyas.host.acme.account import Clients
    from eyas.host.acme.keep import leaf

    clients, reason = Clients(str(request["accounts"])), int(request.get("reason", 0))
    return {
        "errors": _each(request["orders"], lambda order: clients.of(order).revoke(leaf(order["folder"]), reason)),
    }


def _suggest(request: Mapping[str, Any]) -> dict[str, Any]:
    """When the authority wants to be asked again (RFC 9773), where the library knows of that: acme 4.1 and later."""
    from eyas.host.acme.account import Clients, knows_renewal_times

    times: dict[str, float] = {}
    if knows_renewal_times():
        clients = Clients(str(request["accounts"]))

        def ask(order: Mapping[str, Any]) -> None:
            with open(f"{order['folder']}/fullchain.pem", "rb") as file:
                when, _again = clients.of(order).renewal_time(file.read())
            if when is not None:
                times[str(order["name"])] = when.timestamp()

        _each(request["orders"], ask)
    return {"times": times}


DEEDS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "obtain": _obtain,
    "placeholder": _placeholder,
    "revoke": _revoke,
    "suggest": _suggest,
}
