"""A fleet with certificates, and an authority that looks at it from the lab's internet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eyas.lab import acme, find
from tests.lab.rig import Rig

HERE = Path(__file__).parent
SITE = "one.example.org"
PUBLIC = {4: "203.0.113.112", 6: "2001:db8:5:1::2"}
STORE = "/var/lib/eyas/certificates"
REFUSED = "three.refused.test"
NAMES = (SITE, "two.example.org", REFUSED, *(f"n{number}.many.example.org" for number in range(60)))

PLUG = """\
#!/bin/sh
# The other way to a zone: a program, which here asks the same name server.
set -eu
echo "$1 $2 $3" >>/run/plugged
[ ! -e /run/plug-broken ] || { echo "no way" >&2; exit 1; }
exec /usr/bin/python3 - "$@" <<'END'
import sys, dns.query, dns.update, dns.tsigkeyring
verb, zone, record, value = sys.argv[1:]
secret = open("/etc/eyas-lab/tsig.key").read().split('secret "')[1].split('"')[0]
update = dns.update.UpdateMessage(zone + ".", keyring=dns.tsigkeyring.from_text({"eyas-lab.": secret}))
if verb == "add":
    update.add(record + ".", 5, "TXT", value)
else:
    update.delete(record + ".", "TXT", value)
sys.exit(dns.query.tcp(update, "198.51.100.53", 10).rcode())
END
"""


class Certified(Rig):
    """The fleet, its lab, and Pebble."""

    declared = HERE / "fleet"
    pebble: acme.Pebble

    def begin(self) -> None:
        self.serve()
        self.furnish()
        super().begin()
        if self.kept:
            self.trust_again()

    def serve(self, **faults: Any) -> None:
        """An authority, started anew, with these faults (`eyas.lab.acme.start`)."""
        lab = find(self.directory)
        names = {name: [*PUBLIC.values()] for name in NAMES}
        lab.set_names(names)  # for clients
        self.pebble = acme.start(
            lab, names=names, zones=["example.org", "example.net"], refused=["refused.test"], **faults
        )
        self.faulty = bool(faults)

    def trust_again(self) -> None:
        """What is there is of an authority that is gone: the new one began with other roots."""
        self.host.succeed("rm", "-rf", f"{STORE}/.spare")
        self.eyas("certificates", "renew", "--all")

    def furnish(self) -> None:
        """What an operator puts on the host by hand: roots, a key, a plug."""
        lab = find(self.directory)
        put = "umask 077; mkdir -p /etc/eyas-lab; cat >/etc/eyas-lab/$0"
        for name, text in (
            ("ca.pem", (lab.ca_dir / "ca.pem").read_text()),
            ("tsig.key", acme.tsig(lab)),
            ("plug", PLUG),
        ):
            self.host.succeed("sh", "-c", put, name, input=text)
        self.host.succeed("chmod", "0700", "/etc/eyas-lab/plug")

    def as_declared(self) -> None:
        self.host.execute("rm", "-f", "/run/plug-broken")
        was_faulty = self.faulty
        if was_faulty:
            self.serve()
        self.restore()
        if was_faulty:
            self.trust_again()

    # ------------------------------------------------------------ what is there

    def certificates(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.json("certificates")["certificates"]}

    def shown(self, name: str = SITE, family: int = 4) -> dict[str, str]:
        """The certificate that a site shows: serial number and issuer."""
        where = f"{PUBLIC[4]}:443" if family == 4 else f"[{PUBLIC[6]}]:443"
        seen = self.internet.succeed("openssl", "s_client", "-connect", where, "-servername", name, input="")
        rows = self.internet.succeed("openssl", "x509", "-noout", "-serial", "-issuer", input=seen).splitlines()
        return {key.lower(): value for key, _, value in (row.partition("=") for row in rows)}

    def serial(self, name: str = SITE) -> str:
        return self.shown(name)["serial"].lower().lstrip("0")

    def held(self, name: str) -> dict[str, Any]:
        """What the host notes of the certificate in use."""
        found: dict[str, Any] = json.loads(self.host.succeed("cat", f"{STORE}/{name}/current/about.json"))
        return found

    def trusted(self, url: str, family: int = 4) -> str:
        """What a site answers to somebody who trusts the authority alone."""
        roots = self.directory / "roots.pem"
        roots.write_text(self.pebble.root())
        return self.internet.get(url, f"-{family}", "--cacert", str(roots)).strip()

    def picture(self) -> str:
        """All certificates of the host, and what containers see of them: names, owners, modes, sums."""
        script = (
            "cd /var/lib/eyas && find certificates shown -path '*/.[as]*' -prune -o -path '*/challenges/*' -prune -o"
            " -name state.json -prune -o -printf '%p %M %U %l\\n' | sort;"
            " find certificates shown -path '*/.[as]*' -prune -o -name '*.pem' -exec md5sum {} + | sort"
        )
        return self.host.succeed("sh", "-c", script)
