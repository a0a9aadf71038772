"""Users of the host, with their SSH keys. A home stays when its user goes: it is data."""

from __future__ import annotations

from collections.abc import Mapping

from eyas.core.system import Account, System
from eyas.core.words import Action, Change, FieldChange, Json, Phase, Resource, Step
from eyas.kind import owned, snapshot
from eyas.kind.common import Deed, differences, integer, table, whole

FIELDS = ("uid", "gid", "home", "shell", "gecos", "groups", "keys")


def _name(step: Step) -> str:
    return step.id.split(":", 1)[1]


def _keys_path(home: str) -> str:
    return f"{home}/.ssh/authorized_keys"


def _words(value: Json) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def account(name: str, fields: Mapping[str, Json]) -> Account:
    uid = integer(fields["uid"])
    return Account(
        name,
        uid,
        integer(fields.get("gid"), uid),
        str(fields.get("home") or f"/home/{name}"),
        str(fields.get("shell") or "/bin/bash"),
        str(fields.get("gecos") or ""),
        tuple(sorted(_words(fields.get("groups")))),
    )


def _fields(found: Account) -> dict[str, Json]:
    return {
        "uid": found.uid,
        "gid": found.gid,
        "home": found.home,
        "shell": found.shell,
        "gecos": found.gecos,
        "groups": [*found.groups],
    }


def _look(system: System, step: Step, folder: str) -> Json:
    name = _name(step)
    found = system.accounts.get(name)
    home = found.home if found else str(step.args.get("home") or f"/home/{name}")
    return {
        "folder": folder,
        "home": system.files.stat(home) is not None,
        "account": _fields(found) if found else None,
        "secret": system.accounts.secret(name) if found else "",  # the journal is for root alone, as is its origin
        "keys": snapshot.take(system, _keys_path(home), folder),
        "left": owned.left(system),
        "note": owned.ids(system, "user").get(step.id),
    }


def _put(system: System, step: Step, saved: Json) -> None:
    owned.claim(system, step.id, {"before": table(saved)["account"]})
    wanted = account(_name(step), step.args)
    system.accounts.put(wanted)
    owned.back_in_use(system, [wanted.home])
    keys, path = _words(step.args.get("keys")), _keys_path(wanted.home)
    if keys:
        system.files.mkdir(path.rsplit("/", 1)[0], 0o700, wanted.uid, wanted.gid)
        body = "".join(key.strip() + "\n" for key in keys)
        system.files.write(path, body.encode(), 0o600, wanted.uid, wanted.gid)
    else:
        system.files.remove(path)


def _remove(system: System, step: Step, saved: Json) -> None:
    """Who was there before us gets back what was changed; who was not goes, and the home stays."""
    name, seen = _name(step), table(saved)
    before = table(seen["note"]).get("before")
    found = system.accounts.get(name)
    if found is not None:
        system.files.remove(_keys_path(found.home))
    if isinstance(before, dict):
        system.accounts.put(account(name, before))
    else:
        system.accounts.remove(name)
        if found is not None and system.files.stat(found.home) is not None:
            owned.leave(system, [found.home])
    owned.release(system, step.id)


def _back(system: System, step: Step, saved: Json, _boot: bool) -> None:
    name, seen = _name(step), table(saved)
    if isinstance(seen["account"], dict):
        system.accounts.put(account(name, seen["account"]))
        if seen.get("secret"):
            system.accounts.put_secret(str(seen["secret"]))
    else:
        system.accounts.remove(name)
        if not seen["home"]:
            # Made a moment ago by us; kept in the run's folder, in case that somebody was quick.
            snapshot.put_away(system, str(step.args.get("home") or f"/home/{name}"), str(seen["folder"]))
            owned.restore(system, step.id, seen["note"])
            return
    snapshot.put_back(system, seen["keys"])
    owned.restore_left(system, seen["left"])
    owned.restore(system, step.id, seen["note"])


class User:
    name = "user"
    verbs: Mapping[str, Deed] = {"put": Deed(_put, _look, _back), "remove": Deed(_remove, _look, _back)}

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        name = (want or have).name  # type: ignore[union-attr]
        return whole(want, have, f"user {name}") or differences(want, have, FIELDS, note=_said)

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return [Step(self.name, "remove", change.id, Phase.remove)]
        return [Step(self.name, "put", change.id, Phase.host, want.fields)]

    def observe(self, system: System) -> list[Resource]:
        found = []
        for id_ in owned.ids(system, self.name):
            known = system.accounts.get(id_.split(":", 1)[1])
            if known is None:
                continue
            keys = (system.files.read(_keys_path(known.home)) or b"").decode(errors="replace").splitlines()
            fields: dict[str, Json] = {**_fields(known), "keys": [line.strip() for line in keys if line.strip()]}
            found.append(Resource(id_, self.name, "host", fields))
        return found


def _said(field: str, old: Json, new: Json) -> str:
    if field in ("keys", "groups"):
        gone, come = set(_words(old)) - set(_words(new)), set(_words(new)) - set(_words(old))
        what = "SSH key" if field == "keys" else "group"
        tail = (lambda word: word.split()[-1]) if field == "keys" else str
        return ", ".join(
            [f"{what} {tail(word)} added" for word in sorted(come)]
            + [f"{what} {tail(word)} removed" for word in sorted(gone)]
        )
    return f"{field} {old} -> {new}"
