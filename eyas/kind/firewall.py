"""The packet filter of eyas: a text on disk for the boot, two tables in the kernel, and a print that ties them.

Drift is found by comparing the kernel's listing with the listing right after our last load. After a boot there is
no print yet: then the listing that the boot unit took when it had loaded the file stands for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyas.core import paths
from eyas.core.system import System
from eyas.core.words import Action, Change, FieldChange, Impact, Json, Phase, Resource, Step, digest
from eyas.kind import pending, snapshot
from eyas.kind.common import Deed, folder_of, table, text, whole
from eyas.kind.rights import changed
from eyas.kind.ruleset import file_text, load, note, ruleset_of

UNIT_NAME = "eyas-firewall.service"
UNIT = f"""\
[Unit]
Description=Firewall of the containers
Documentation=man:eyas(1)
DefaultDependencies=no
Conflicts=shutdown.target
After=systemd-modules-load.service local-fs.target eyas-recover.service nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
ConditionPathExists={paths.FIREWALL}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={paths.PROGRAMS}/firewall-up

[Install]
WantedBy=sysinit.target
"""


def _look(system: System, step: Step, folder: str) -> Json:
    found: dict[str, Json] = {
        "folder": folder,
        "file": snapshot.take(system, paths.FIREWALL, folder),
        "print": snapshot.take(system, paths.FIREWALL_PRINT, folder),
    }
    waits = pending.read(system).get(step.id)
    if waits is not None:  # what is on disk is for the next boot, and not what is in effect
        found["loaded"] = str(table(table(waits.get("old")).get("fields")).get("ruleset") or "")
    return found


def _load(system: System, step: Step, _saved: Json) -> None:
    load(system, file_text(system.files, text(step, "ruleset")))


def _store(system: System, step: Step, _saved: Json) -> None:
    """For the next boot: on disk alone, when the kernel would take it."""
    body = file_text(system.files, text(step, "ruleset"))
    system.firewall.check(body)
    system.files.write(paths.FIREWALL, body.encode(), 0o600)


def _unstore(system: System, _step: Step, saved: Json, _boot: bool) -> None:
    snapshot.put_back(system, table(saved)["file"])


def _remove(system: System, _step: Step, saved: Json) -> None:
    system.firewall.delete()
    snapshot.put_away(system, paths.FIREWALL, folder_of(saved))
    system.files.remove(paths.FIREWALL_PRINT)
    system.files.remove(paths.FIREWALL_LISTING)
    if not system.files.list(paths.ETC):
        system.files.remove(paths.ETC)


def _back(system: System, _step: Step, saved: Json, boot: bool) -> None:
    seen = table(saved)
    snapshot.put_back(system, seen["file"])
    if boot:
        return  # it is loaded from the file in a moment
    if "loaded" in seen:
        loaded = str(seen["loaded"])
        body = file_text(system.files, loaded) if loaded else ""
    else:
        body = (system.files.read(paths.FIREWALL) or b"").decode()
    if body:
        system.firewall.load(body)
        note(system, body)
    else:
        system.firewall.delete()
        system.files.remove(paths.FIREWALL_PRINT)


class Firewall:
    name = "firewall"
    verbs: Mapping[str, Deed] = {
        "load": Deed(_load, _look, _back),
        "store": Deed(_store, _look, _unstore),
        "remove": Deed(_remove, _look, _back),
    }

    def compare(self, want: Resource | None, have: Resource | None) -> list[FieldChange]:
        """``ruleset`` and ``drift`` (what is loaded is not what we loaded)."""
        if want is None or have is None:
            return whole(want, have, "firewall")
        old, new = str(have.fields.get("ruleset", "")), str(want.fields["ruleset"])
        found = []
        if old != new:
            found += [FieldChange("ruleset", None, None, Impact.live, said) for said in changed(old, new)]
        if have.fields.get("drift"):
            found.append(FieldChange("drift", have.fields["drift"], None, Impact.live, str(have.fields["drift"])))
        return found

    def steps(self, change: Change, want: Resource | None, have: Resource | None) -> list[Step]:
        if change.action is Action.delete or want is None:
            return [Step(self.name, "remove", change.id, Phase.firewall)]
        return [Step(self.name, "load", change.id, Phase.firewall, {"ruleset": want.fields["ruleset"]})]

    def observe(self, system: System) -> list[Resource]:
        body = (system.files.read(paths.FIREWALL) or b"").decode(errors="replace")
        loaded = system.firewall.digest()
        if not body and not loaded:
            return []
        ruleset = ruleset_of(body)
        fields: dict[str, Json] = {"ruleset": ruleset}
        drift = _drift(system, body, loaded)
        if not drift and body and body != file_text(system.files, ruleset):
            drift = "it leads to another generation of a container than the current one"
        if drift:
            fields["drift"] = drift
        return [Resource("firewall:eyas", self.name, "host", fields)]


def _drift(system: System, body: str, loaded: str) -> str:
    if not loaded:
        return "the table is not loaded"
    expected = _expected(system, body)
    if expected is None:
        return "not known what was loaded"
    return "" if expected == loaded else "rules changed by hand"


def _expected(system: System, body: str) -> str | None:
    """Digest of the listing that our text gave when it was loaded; None when nobody knows."""
    data = system.files.read(paths.FIREWALL_PRINT)
    if data is not None:
        try:
            seen = json.loads(data)
            return str(seen["listing_digest"]) if seen["text_digest"] == digest(body.encode()) else None
        except (ValueError, KeyError, TypeError):
            return None
    listing = system.files.read(paths.FIREWALL_LISTING)
    return system.firewall.digest_of(listing.decode()) if listing else None
