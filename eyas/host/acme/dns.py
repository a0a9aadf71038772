"""Records of zones: by dynamic update (RFC 2136) signed with TSIG (RFC 8945), or by a program of the operator's.

A plug is called as ``PROGRAM add ZONE RECORD VALUE`` and ``PROGRAM remove ZONE RECORD VALUE``: VALUE is to be one of
the TXT records of RECORD, then no longer; others of that name stay. Exit status 0 is success; what it writes last to
standard error is the reason of a failure. What it needs to be let in it reads from files of its own.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import dns.exception
import dns.inet
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update

from eyas.core.errors import EyasError
from eyas.host.acme.words import Refused
from eyas.host.command import run

TTL = 60
TIMEOUT = 10.0  # seconds for one question to a name server
PLUG = 300.0  # seconds for a plug
MUTE = 15.0  # seconds after which a name server that does not answer no longer counts


class Dns:
    """The zones that an order may write to, and how long to wait for them."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._zones = {str(zone["name"]).lower(): zone for zone in settings["zones"]}
        self._patience = float(settings.get("wait") or 120)

    def add(self, record: str, value: str) -> None:
        self._change("add", record, value)

    def remove(self, record: str, value: str) -> None:
        self._change("remove", record, value)

    def wait(self, record: str, value: str) -> None:
        """Until every name server of the zone has the record: the authority may ask any of them."""
        name, zone = self._zone(record)
        if zone.get("program"):
            return  # its business: only it knows who serves the zone
        until = time.monotonic() + self._patience
        first = (str(zone["server"]), int(zone["port"]))
        for server in [first, *_servers(name, first)]:
            mute = time.monotonic() + MUTE
            while True:
                try:
                    if value in _texts(record, server):
                        break
                except (OSError, dns.exception.DNSException):
                    if time.monotonic() > mute and server != first:
                        break
                if time.monotonic() > until:
                    raise Refused(f"the name server {server[0]} of {name} does not show the record {record}")
                time.sleep(0.5)

    def _zone(self, record: str) -> tuple[str, Mapping[str, Any]]:
        """The zone that a record belongs to: the longest one that it ends with."""
        labels = record.lower().rstrip(".").split(".")
        for place in range(len(labels)):
            name = ".".join(labels[place:])
            if name in self._zones:
                return name, self._zones[name]
        raise Refused(f"no zone of the definitions has the name {record}")

    def _change(self, verb: str, record: str, value: str) -> None:
        name, zone = self._zone(record)
        if zone.get("program"):
            _plug(str(zone["program"]), verb, name, record, value)
        else:
            _update(name, zone, verb, record, value)


def _plug(program: str, *words: str) -> None:
    try:
        result = run([program, *words], timeout=PLUG, check=False)
    except EyasError as error:
        raise Refused(error.message) from None
    if result.code:
        lines = [line for line in (result.error or result.text).splitlines() if line.strip()]
        raise Refused(f"{program} {words[0]} {words[2]}: {lines[-1] if lines else f'exit status {result.code}'}")


def _update(name: str, zone: Mapping[str, Any], verb: str, record: str, value: str) -> None:
    server, port = str(zone["server"]), int(zone["port"])
    keyring, algorithm = read_key(str(zone["key"]))
    message = dns.update.UpdateMessage(name + ".", keyring=keyring, keyalgorithm=algorithm)
    if verb == "add":
        message.add(f"{record}.", TTL, "TXT", f'"{value}"')
    else:
        message.delete(f"{record}.", "TXT", f'"{value}"')
    try:
        answer = dns.query.tcp(message, _address(server), TIMEOUT, port)
    except (OSError, dns.exception.DNSException) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise Refused(f"the name server {server} did not take the update of {name}: {why}") from None
    if answer.rcode() != dns.rcode.NOERROR:
        raise Refused(f"the name server {server} refused the update of {name}: {dns.rcode.to_text(answer.rcode())}")


def read_key(path: str) -> tuple[Any, Any]:
    """The keyring and the algorithm out of a file as tsig-keygen(8) writes it: ``key "NAME" { algorithm hmac-sha256;
    secret "..."; };``, readable for root alone."""
    try:
        found = os.stat(path)
        with open(path, encoding="ascii") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"the key {path} cannot be read: {getattr(error, 'strerror', None) or 'not text'}") from None
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise Refused(f"others than its owner can read the key {path}: chmod 0600 {path}")
    said = [
        re.search(pattern, text)
        for pattern in (r'key\s+"?([^"\s{]+)"?\s*\{', r'algorithm\s+"?([^"\s;]+)"?', r'secret\s+"?([^"\s;]+)"?')
    ]
    if not all(said):
        raise Refused(f"the key {path} is not written as tsig-keygen does")
    key, algorithm, secret = (match[1] for match in said if match)
    try:
        return dns.tsigkeyring.from_text({key: secret}), dns.name.from_text(algorithm)
    except Exception:  # whatever it is, its text may show the secret
        raise Refused(f"the key {path} has no good secret") from None


def _servers(zone: str, first: tuple[str, int]) -> list[tuple[str, int]]:
    """Other name servers of a zone, as the first one tells; those whose addresses nobody knows are left out."""
    found: dict[tuple[str, int], None] = {}
    with suppress(OSError, dns.exception.DNSException):
        answer = _ask(zone, "NS", first)
        names = [item.target.to_text() for rows in answer.answer for item in rows if item.rdtype == dns.rdatatype.NS]
        for name in names:
            for address in _addresses(name, first):
                found[(address, 53)] = None
    return [server for server in found if server != first]


def _addresses(name: str, first: tuple[str, int]) -> list[str]:
    found = []
    with suppress(OSError, dns.exception.DNSException):
        found = [item.address for rows in _ask(name, "A", first).answer for item in rows if hasattr(item, "address")]
    if not found:
        with suppress(OSError):
            found = [str(row[4][0]) for row in socket.getaddrinfo(name.rstrip("."), 53, proto=socket.IPPROTO_TCP)]
    return found


def _texts(record: str, server: tuple[str, int]) -> list[str]:
    answer = _ask(record, "TXT", server)
    return [
        b"".join(item.strings).decode(errors="replace")
        for rows in answer.answer
        for item in rows
        if item.rdtype == dns.rdatatype.TXT
    ]


def _ask(name: str, kind: str, server: tuple[str, int]) -> Any:
    question = dns.message.make_query(f"{name.rstrip('.')}.", kind)
    return dns.query.tcp(question, _address(server[0]), 2.0, server[1])


def _address(server: str) -> str:
    """A name server by its name is asked for at the resolver of the host."""
    if dns.inet.is_address(server):
        return server
    return str(socket.getaddrinfo(server, 53, proto=socket.IPPROTO_TCP)[0][4][0])
