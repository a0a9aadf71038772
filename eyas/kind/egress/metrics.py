"""Figures of egress in the text format of Prometheus (its exposition format 0.0.4), for a node's exporter. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from eyas.kind.egress.declared import Declared
from eyas.kind.egress.state import State

HELP = {
    "eyas_egress_addresses": ("gauge", "Addresses of a pool."),
    "eyas_egress_leaving": ("gauge", "Addresses that get no new connections and still have some."),
    "eyas_egress_connections_total": ("counter", "Connections to a destination from a pool."),
    "eyas_egress_refusals_total": ("counter", "Refusals by a destination."),
    "eyas_egress_resting": ("gauge", "Addresses that are not used at a destination now."),
    "eyas_egress_ceiling": ("gauge", "Connections an hour that a destination gets since it counts by the prefix."),
    "eyas_egress_routed": ("gauge", "1 when the prefix is routed to the host, 0 when it is on the link, -1 unknown."),
    "eyas_egress_held": ("gauge", "1 while nothing changes, because the last change was taken back."),
}


def metrics(declared: Declared, state: State, now: float) -> str:
    """All figures."""
    rows: dict[str, list[str]] = {name: [] for name in HELP}
    mode = {"routed": 1, "on-link": 0}.get(state.mode, -1)
    rows["eyas_egress_routed"].append(_row("eyas_egress_routed", (), mode))
    rows["eyas_egress_held"].append(_row("eyas_egress_held", (), int(now < state.held)))
    for rule in declared.pools:
        pool = state.pools.get(rule.name)
        if pool is None:
            continue
        labels = (("rule", rule.name), ("container", rule.container))
        rows["eyas_egress_addresses"].append(_row("eyas_egress_addresses", labels, len(pool.addresses)))
        rows["eyas_egress_leaving"].append(_row("eyas_egress_leaving", labels, len(pool.leaving)))
        for key, there in sorted(pool.destinations.items()):
            at = (*labels, ("destination", key))
            resting = sum(rest.until > now for rest in there.resting.values())
            for name, value in (
                ("eyas_egress_connections_total", there.used),
                ("eyas_egress_refusals_total", there.refused),
                ("eyas_egress_resting", resting),
                ("eyas_egress_ceiling", there.per_hour if there.limits else 0),
            ):
                rows[name].append(_row(name, at, value))
    lines = []
    for name, (kind, text) in HELP.items():
        if rows[name]:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows[name]]
    return "\n".join([*lines, ""])


def _row(name: str, labels: Iterable[tuple[str, str]], value: int) -> str:
    words = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{words}}} {value}" if words else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
