"""The name server of a lab's internet: public names as clients there resolve them, and zones that take updates.

One process (``python -m eyas.lab.nameserver SETTINGS``), in the lab's internet. It answers A, AAAA, TXT, NS and SOA
over UDP and TCP, and takes dynamic updates of TXT records (RFC 2136), signed with the TSIG key (RFC 8945) of the zone.
SETTINGS is a file:

    {"listen": "198.51.100.53", "names": [FILE...], "keys": {"name.": ["hmac-sha256.", SECRET]},
     "zones": {"example.org.": "name."}}

``names`` are hosts(5) files, read for each question. Records that were written are kept in memory.
"""

from __future__ import annotations

import base64
import json
import socketserver
import struct
import sys
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

TTL = 5
SOA = "ns1.{zone} hostmaster.{zone} 1 3600 600 86400 5"


class Server:
    """Names, zones, and what was written into them."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.listen = str(settings["listen"])
        self.names = [Path(path) for path in settings["names"]]
        self.keys = {
            dns.name.from_text(name): dns.tsig.Key(name, base64.b64decode(secret), algorithm)
            for name, (algorithm, secret) in settings["keys"].items()
        }
        self.zones = {dns.name.from_text(zone): dns.name.from_text(key) for zone, key in settings["zones"].items()}
        self.texts: dict[dns.name.Name, list[bytes]] = {}
        self.updates = 0

    def answer(self, wire: bytes) -> bytes:
        """The answer to one message; empty for what is none."""
        try:
            asked = dns.message.from_wire(wire, keyring=self.keys)
        except dns.tsig.PeerError:
            return b""
        except (dns.message.UnknownTSIGKey, dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadTime):
            return self._refusal(wire, dns.rcode.NOTAUTH)
        except dns.exception.DNSException:
            return self._refusal(wire, dns.rcode.FORMERR)
        answer = dns.message.make_response(asked)
        if asked.opcode() == dns.opcode.UPDATE:
            answer.set_rcode(self._update(asked))
        elif asked.question:
            self._fill(answer, asked.question[0].name, asked.question[0].rdtype)
        return bytes(answer.to_wire())

    @staticmethod
    def _refusal(wire: bytes, code: dns.rcode.Rcode) -> bytes:
        """A header alone: the number of the question, that it is an answer, and why there is none."""
        if len(wire) < 12:
            return b""
        number, flags = struct.unpack("!HH", wire[:4])
        return struct.pack("!HHHHHH", number, flags & 0x7900 | 0x8000 | int(code), 0, 0, 0, 0)

    def _update(self, asked: Any) -> dns.rcode.Rcode:
        zone = asked.zone[0].name
        if zone not in self.zones:
            return dns.rcode.NOTAUTH
        if not asked.had_tsig or asked.keyname != self.zones[zone]:
            return dns.rcode.REFUSED
        for rows in asked.update:
            if not rows.name.is_subdomain(zone) or rows.rdtype not in (dns.rdatatype.TXT, dns.rdatatype.ANY):
                return dns.rcode.REFUSED
            known = self.texts.setdefault(rows.name, [])
            values = [b"".join(item.strings) for item in rows]
            if rows.deleting == dns.rdataclass.ANY:
                known.clear()
            elif rows.deleting == dns.rdataclass.NONE:
                known[:] = [value for value in known if value not in values]
            else:
                known += [value for value in values if value not in known]
        self.updates += 1
        return dns.rcode.NOERROR

    def _fill(self, answer: Any, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        """What is known of a name. One that exists without this kind of record has an empty answer, not none."""
        answer.flags |= dns.flags.AA
        zone = max((z for z in self.zones if name.is_subdomain(z)), key=len, default=None)
        found: list[str] = []
        addresses = self._addresses(name)
        if kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            found = [address for address in addresses if (":" in address) == (kind == dns.rdatatype.AAAA)]
        elif kind == dns.rdatatype.TXT:
            found = [f'"{value.decode()}"' for value in self.texts.get(name, [])]
        elif kind == dns.rdatatype.NS and name in self.zones:
            found = [f"ns1.{name}"]
        elif kind == dns.rdatatype.SOA and name in self.zones:
            found = [SOA.format(zone=name)]
        if found:
            answer.answer.append(dns.rrset.from_text_list(name, TTL, "IN", kind, found))
        elif zone is not None:
            answer.authority.append(dns.rrset.from_text(zone, TTL, "IN", "SOA", SOA.format(zone=zone)))
        if not found and not addresses and name not in self.texts and name not in self.zones:
            answer.set_rcode(dns.rcode.NXDOMAIN)

    def _addresses(self, name: dns.name.Name) -> list[str]:
        if name.labels[0] == b"ns1" and name.parent() in self.zones:
            return [self.listen]
        wanted, wild = (str(each).rstrip(".").lower() for each in (name, dns.name.Name((b"*", *name.labels[1:]))))
        known: dict[str, list[str]] = {}
        for line in "\n".join(path.read_text() for path in self.names).splitlines():
            address, *names = line.split("#")[0].split() or [""]
            for each in names:
                known.setdefault(each.lower(), []).append(address)
        return known.get(wanted) or known.get(wild) or []


class Datagram(socketserver.BaseRequestHandler):
    server: Any

    def handle(self) -> None:
        data, socket = self.request
        if answer := self.server.zones.answer(data):
            socket.sendto(answer, self.client_address)


class Stream(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        while len(size := self.rfile.read(2)) == 2:
            answer = self.server.zones.answer(self.rfile.read(struct.unpack("!H", size)[0]))
            if not answer:
                return
            self.wfile.write(struct.pack("!H", len(answer)) + answer)


class Udp(socketserver.ThreadingUDPServer):
    allow_reuse_address = daemon_threads = True


class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


def main(path: str) -> None:
    import threading

    zones = Server(json.loads(Path(path).read_text()))
    for kind, handler in ((Udp, Datagram), (Tcp, Stream)):
        server: Any = kind((zones.listen, 53), handler)
        server.zones = zones
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
