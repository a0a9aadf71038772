"""Accounts at authorities: one key for each directory, made once and kept; and clients that use it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import josepy
import requests  # type: ignore[import-untyped]
from acme import client, errors, messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eyas.host.acme.keep import folder_of_secrets, secret
from eyas.host.acme.words import Refused

AGENT = "eyas"
NONCES = 60
"""How often a request is made again because its nonce was no good: an authority may refuse many of them in a row."""
BROKEN = 2
"""The same for connections that break: what is asked for twice does no harm."""


def knows_renewal_times() -> bool:
    return hasattr(client.ClientV2, "renewal_time")


class Network(client.ClientNetwork):  # type: ignore[misc]
    """As the library's, but it does not give up after a second refused nonce, or a broken connection."""

    def post(self, *args: Any, **more: Any) -> Any:
        broken = 0
        for _ in range(NONCES):
            try:
                return self._post_once(*args, **dict(more))
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
            except requests.exceptions.ConnectionError:  # an idle connection that was closed just then, for one
                broken += 1
                if broken > BROKEN:
                    raise
                time.sleep(broken)
        raise Refused("the authority refused all our nonces")


class Clients:
    """Clients for the directories of orders, one for each thread; the account is that of the directory."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known = threading.local()
        self._lock = threading.Lock()

    def check(self, order: Mapping[str, Any]) -> None:
        """See that there is an account, also one that the authority knows: a private one may have begun anew."""
        made = self.of(order)
        try:
            made.query_registration(made.net.account)
        except messages.Error as error:
            if error.code != "accountDoesNotExist":
                raise
            os.unlink(f"{self._place(order)}/account.json")
            self._known = threading.local()
            self.of(order)

    def _place(self, order: Mapping[str, Any]) -> str:
        return f"{self._folder}/{hashlib.sha256(str(order['directory']).encode()).hexdigest()[:16]}"

    def of(self, order: Mapping[str, Any]) -> Any:
        """A client with an account; it is made, or told of another mail address, when that is needed."""
        directory = str(order["directory"])
        mine: dict[str, Any] = self._known.__dict__.setdefault("clients", {})
        if directory not in mine:
            with self._lock:
                mine[directory] = self._made(directory, order)
        return mine[directory]

    def _made(self, directory: str, order: Mapping[str, Any]) -> Any:
        place = self._place(order)
        folder_of_secrets(self._folder)
        folder_of_secrets(place)
        network = Network(_key(f"{place}/key.pem"), alg=josepy.ES256, user_agent=AGENT)
        network.verify_ssl = _trusted(order)
        known = _read(f"{place}/account.json")
        if known is not None:
            network.account = messages.RegistrationResource.from_json(known["account"])
        made = client.ClientV2(client.ClientV2.get_directory(directory, network), network)
        email = order.get("email") or None
        if known is None or known["email"] != email:
            account = _registered(made, email, known is not None)
            note = {"directory": directory, "email": email, "account": account.to_json()}
            secret(f"{place}/account.json", json.dumps(note).encode())
        return made


def _registered(made: Any, email: str | None, there: bool) -> Any:
    """The account of our key, which now agrees to the terms of service and has this mail address."""
    contact = messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True)
    if there:
        contacts = tuple([f"mailto:{email}"] if email else [])
        update = made.net.account.body.update(contact=contacts)
        return made.update_registration(made.net.account, update)
    if made.external_account_required():
        raise Refused("the authority wants an external account, which is not supported")
    try:
        return made.new_account(contact)
    except errors.ConflictError as error:  # our note of it was lost
        found = messages.RegistrationResource(uri=error.location, body=contact)
        made.net.account = found
        return found


def _key(path: str) -> Any:
    """The account's key, made when it is missing."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        data = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        secret(path, data)
    return josepy.JWKEC(key=serialization.load_pem_private_key(data, None))


def _trusted(order: Mapping[str, Any]) -> Any:
    """By what the directory itself is trusted: the roots of this machine, or those of a file."""
    ca = order.get("ca")
    if not ca:
        return True
    if not os.path.isfile(str(ca)):
        raise Refused(f"there is no {ca} on the host, by which the authority is to be trusted")
    return str(ca)


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
            return found
    except (FileNotFoundError, ValueError):
        return None
