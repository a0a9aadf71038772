"""Certificates by ACME (RFC 8555): a program of its own, with Debian's python3-acme, python3-cryptography and
python3-dnspython. Started by `eyas.host.certificates` with a request on its standard input, never imported by the
agent: those libraries take longer to import than a whole look at a host, and are there only where a fleet asks for
them. Keys are made here and go into files; they are in no argument, no answer and no message.
"""
