"""Keys and certificates as files: each pair in a folder of its own, for root alone, whole before it gets its name."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PLACEHOLDER_DAYS = 7


def secret(path: str, data: bytes) -> None:
    """A file for its owner alone, put in place by rename and synced."""
    new = f"{path}.new"
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600)
        file.write(data)
        file.flush()
        os.fsync(handle)
    os.rename(new, path)


def folder_of_secrets(path: str) -> None:
    os.makedirs(path, mode=0o700, exist_ok=True)
    os.chmod(path, 0o700)


def new_key() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: Any, names: Sequence[str]) -> bytes:
    """A request (PKCS #10, PEM) for these names, which stand in subjectAltName alone (RFC 8555, 7.4)."""
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def put(folder: str, key: Any, chain: bytes, directory: str) -> None:
    """A pair as ``fullchain.pem`` and ``key.pem``, and what is to be known of it in ``about.json``."""
    found = x509.load_pem_x509_certificate(chain)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    about = {
        "version": 1,
        "names": sorted(names.get_values_for_type(x509.DNSName)),
        "not_before": found.not_valid_before_utc.timestamp(),
        "not_after": found.not_valid_after_utc.timestamp(),
        "serial": f"{found.serial_number:x}",
        "issuer": found.issuer.rfc4514_string(),
        "directory": directory,
        "made": time.time(),
    }
    new = f"{folder}.new"
    folder_of_secrets(new)
    plain = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, plain, serialization.NoEncryption())
    for name, data in (
        ("key.pem", pem),
        ("fullchain.pem", chain if chain.endswith(b"\n") else chain + b"\n"),
        ("about.json", json.dumps(about).encode()),
    ):
        secret(f"{new}/{name}", data)
    _sync(new)
    os.rename(new, folder)
    _sync(os.path.dirname(folder))


def self_signed(names: Sequence[str], folder: str) -> None:
    """What a server can start with until there is a certificate; nobody trusts it."""
    key, now = new_key(), datetime.datetime.now(datetime.UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "placeholder")])
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=PLACEHOLDER_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    put(folder, key, made.public_bytes(serialization.Encoding.PEM), "")


def leaf(folder: str) -> Any:
    """The certificate of a folder, without its chain."""
    with open(f"{folder}/fullchain.pem", "rb") as file:
        return x509.load_pem_x509_certificate(file.read())


def _sync(folder: str) -> None:
    handle = os.open(folder or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
