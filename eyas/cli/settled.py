"""Seeing quickly that nothing has to be done: what is wanted and what the host holds, compared as they were read.

Only equality is decided here, and without importing what a resource or a plan is, which takes longer than the rest of
such a command. Whatever differs, or is not known, is for the usual way (`eyas.cli.session`), where kinds say what a
difference means. A test holds this to them: where it sees nothing to do, their plan is empty.
"""

from __future__ import annotations

import json

from eyas.cli.place import KEPT_FORMAT, choose, kept_path, noted
from eyas.model import cache

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from eyas.cli.context import Context

NOTHING = "{host}: no changes. The host is what the definitions say."

SILENT = ("tree", "layer", "identity")
"""Kinds of which a host may hold more than is wanted: `eyas gc` removes what nothing refers to; no plan does."""

RUNNING = ("active", "reloading")


def settled(context: Context) -> str | None:
    """The line that says that nothing has to be done; None when that is not certain. The answer of an agent that was
    started early is left for whoever goes on."""
    early = context.early
    if early is None or context.verbose:
        return None
    fleet = context.fleet()
    host = choose(noted(fleet)["hosts"], context.host, context.lab)
    kept = cache.load_cached(kept_path(fleet, host), cache.program_key())
    if kept is None:
        return None
    wanted = json.loads(kept)
    early.received = heard = json.loads(early.hear() or b"null")
    if not isinstance(heard, dict) or not isinstance(heard.get("result"), dict):
        return None
    seen = heard["result"]
    if wanted["format"] != KEPT_FORMAT or wanted["warnings"] or seen["interrupted"] or seen.get("busy"):
        return None
    return NOTHING.format(host=host) if same(wanted["resources"], seen["resources"]) else None


def same(wanted: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a host holds exactly these resources (as `eyas.core.words.Resource.to_json` writes them)."""
    missing = {resource["id"]: resource for resource in wanted}
    for have in seen:
        want = missing.pop(have["id"], None)
        if want is None:
            if have["kind"] not in SILENT:
                return False
        elif not _same(want["kind"], want["fields"], have["fields"]):
            return False
    return not missing


def _same(kind: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> bool:
    if kind == "layer":
        return True  # named by its content
    if kind == "container":
        if have["state"]["active"] not in RUNNING:
            return False
        have = {key: value for key, value in have.items() if key not in ("state", "slot")}
    if kind == "unit" and not want.get("running"):
        have = {**have, "running": want.get("running")}  # that more runs than is asked for is no difference
    return have == want
