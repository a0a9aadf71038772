"""What a plan says of outgoing connections. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core.words import Fields, Json

GENERAL = {
    "uplink": "egress: another uplink",
    "address6": "egress: another stable address",
    "prefix6": "egress: another prefix",
    "gateway6": "egress: another gateway",
    "range": "pools draw from another network",
    "mode": "egress: how the prefix is reached",
    "never": "egress: addresses that are never in a pool",
    "inbound": "egress: what is asked for from outside around each change",
    "vantage": "egress: another vantage point",
    "resolver": "egress: another name server",
}


def told(fields: Fields) -> list[str]:
    """Every rule in words; for a resource that comes or goes."""
    return [line for row in _rules(fields).values() for line in [_rule(row)]] or ["egress"]


def changed(old: Fields, new: Fields) -> list[str]:
    """What differs, a line each."""
    before, after = _rules(old), _rules(new)
    lines = [f"{_rule(row)} added" for name, row in after.items() if name not in before]
    lines += [f"{_rule(row)} removed" for name, row in before.items() if name not in after]
    for name, row in after.items():
        if name in before and before[name] != row:
            lines.append(_difference(before[name], row))
    both = [name for name in after if name in before]
    if not lines and both != [name for name in before if name in after]:
        lines.append("egress: rules in another order")
    lines += [said for key, said in GENERAL.items() if old.get(key) != new.get(key)]
    return lines


def _rules(fields: Fields) -> dict[str, Mapping[str, Json]]:
    rows = fields.get("rules")
    return {str(row["name"]): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}


def _rule(row: Mapping[str, Json]) -> str:
    return f"{_title(row)}: {_how(row)} {_where(row)}"


def _title(row: Mapping[str, Json]) -> str:
    return f"egress {row['name']}"


def _how(row: Mapping[str, Json]) -> str:
    pool = row.get("pool")
    if row.get("via") == "pool" and isinstance(pool, dict):
        return f"a pool of {pool.get('size')} addresses"
    if row.get("via") == "address":
        return "from " + " and ".join(str(a) for a in (row.get("address6"), row.get("address4")) if a)
    proxy = row.get("proxy")
    if row.get("via") == "proxy" and isinstance(proxy, dict):
        return f"by the proxy {proxy.get('host')} port {proxy.get('port')}"
    return "as by default"


def _where(row: Mapping[str, Json]) -> str:
    names, networks = row.get("names"), row.get("networks")
    places = [str(p) for some in (names, networks) if isinstance(some, list) for p in some]
    where = "for everything" if not places else "for " + ", ".join(places[:3])
    where += f" and {len(places) - 3} more" if len(places) > 3 else ""
    ceiling = row.get("ceiling")
    return where + (f", at most {ceiling} connections an hour to each" if ceiling else "")


def _difference(old: Mapping[str, Json], new: Mapping[str, Json]) -> str:
    """One rule that is another; its policy field by field, all else as a whole."""
    before, after = old.get("pool"), new.get("pool")
    if isinstance(before, dict) and isinstance(after, dict) and before and after:
        parts = [f"{key} {before.get(key)} -> {value}" for key, value in after.items() if before.get(key) != value]
        same = {key: value for key, value in old.items() if key != "pool"}
        if parts and same == {key: value for key, value in new.items() if key != "pool"}:
            return f"{_title(new)}: {', '.join(parts)}"
    if {k: v for k, v in old.items() if k != "ceiling"} == {k: v for k, v in new.items() if k != "ceiling"}:
        return f"{_title(new)}: ceiling {old.get('ceiling') or 'none'} -> {new.get('ceiling') or 'none'}"
    return f"{_rule(new)} (was: {_how(old)} {_where(old)})"
