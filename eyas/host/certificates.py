"""Certificates by ACME, by a program of its own (`eyas.host.acme`) that is handed its request on standard input."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

from eyas.core import paths
from eyas.core.errors import Failed
from eyas.host.command import CommandFailed, run

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from typing import Any

ACCOUNTS = f"{paths.CERTIFICATES}/.accounts"
EACH = 420.0  # seconds for one order: what the program itself waits for, and something more
AT_ONCE = 6
WELL_KNOWN = "/.well-known/acme-challenge"


class RealCertificates:
    """`eyas.core.system.Certificates`."""

    def obtain(self, orders: Sequence[Mapping[str, Any]], web: Sequence[str]) -> dict[str, str]:
        return self._errors("obtain", orders, web=list(web), accounts=ACCOUNTS)

    def placeholder(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        return self._errors("placeholder", orders)

    def revoke(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        return self._errors("revoke", orders, accounts=ACCOUNTS)

    def suggest(self, orders: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        found = self._ask("suggest", orders, accounts=ACCOUNTS)["times"]
        return {str(name): float(when) for name, when in found.items()}

    def answers(self, address: str, folder: str) -> bool:
        import http.client

        name, text = f"eyas-{os.urandom(8).hex()}", os.urandom(16).hex()
        path = f"{folder}/{name}"
        talk = http.client.HTTPConnection(address, 80, timeout=3)
        try:
            with open(path, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(text)
            talk.request("GET", f"{WELL_KNOWN}/{name}", headers={"Host": f"{name}.invalid"})
            answer = talk.getresponse()
            return answer.status == 200 and answer.read(100).decode(errors="replace").strip() == text
        except (OSError, http.client.HTTPException):
            return False
        finally:
            talk.close()
            with suppress(OSError):
                os.unlink(path)

    def _errors(self, do: str, orders: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, str]:
        found = self._ask(do, orders, **more)["errors"]
        return {str(name): str(why) for name, why in found.items()}

    @staticmethod
    def _ask(do: str, orders: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        if not orders:
            return {"errors": {}, "times": {}}
        launcher = f"{os.path.dirname(os.path.realpath(__file__))}/../../run.py"
        request = json.dumps({"do": do, "orders": [dict(order) for order in orders], **more})
        patience = EACH * (1 + len(orders) // AT_ONCE)
        try:
            said = run(["/usr/bin/python3", "-I", "-B", launcher, "acme"], input=request, timeout=patience)
        except CommandFailed as error:
            last = error.result.error.splitlines()[-1:] or [error.message]
            hint = "its libraries are Debian's python3-acme and python3-dnspython"
            raise Failed(f"cannot {do} certificates: {last[0]}", hint) from None
        found: dict[str, Any] = json.loads(said.text)
        return found
