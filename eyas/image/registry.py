"""What a container registry has under a name now: the digest that a tag stands for.

Source: the OCI distribution specification, and Docker's token authentication. Nothing is downloaded: the Docker daemon
in the container fetches what is named by digest, and checks it.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from eyas.core.errors import Failed

HUB = "registry-1.docker.io"
TIMEOUT = 30  # seconds
KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CREDENTIALS = Path("~/.docker/config.json")
"""As ``docker login`` writes it; docker-login(1)."""


@dataclass(frozen=True)
class Name:
    """An image's name, taken apart: ``redis:7`` is library/redis of Docker's own registry."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def of(cls, text: str) -> Name:
        first, slash, rest = text.partition("/")
        known = bool(slash) and ("." in first or ":" in first or first == "localhost")
        registry, path = (first, rest) if known else ("docker.io", text)
        repository, _, tag = path.partition(":")
        if registry == "docker.io" and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry, repository, tag or "latest")

    @property
    def url(self) -> str:
        host = HUB if self.registry == "docker.io" else self.registry
        # As Docker: what never leaves the machine needs no TLS.
        scheme = "http" if re.match(r"(localhost|127\.\d+\.\d+\.\d+)(:|$)", host) else "https"
        return f"{scheme}://{host}/v2/{self.repository}/manifests/{urllib.parse.quote(self.tag)}"


def digest(text: str) -> str:
    """The digest of what an image's name stands for now. Raises Failed."""
    name = Name.of(text)
    try:
        headers = _ask(name)
    except urllib.error.HTTPError as error:
        why = "it has no such image" if error.code in (401, 403, 404) else f"it answers {error.code} {error.reason}"
        hint = (
            "is the name right? docker login, where it is not for everybody" if error.code < 500 else "try again later"
        )
        raise Failed(f"cannot pin {text}: registry {name.registry}: {why}", hint) from None
    except (OSError, ValueError) as error:
        why = str(getattr(error, "reason", error))
        raise Failed(f"cannot pin {text}: registry {name.registry}: {why}", "is the network there?") from None
    found = headers.get("Docker-Content-Digest", "")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
        raise Failed(f"cannot pin {text}: registry {name.registry} names no digest")
    return found


def _ask(name: Name) -> Message:
    try:
        return _open(name.url, {"Accept": ", ".join(KINDS)}, "HEAD")[0]
    except urllib.error.HTTPError as error:
        if error.code != 401:
            raise
        asked = str(error.headers.get("WWW-Authenticate", ""))
    scheme, _, words = asked.partition(" ")
    values = dict(re.findall(r'(\w+)="([^"]*)"', words))
    basic = _credentials(name.registry)
    if scheme.lower() == "basic":
        token = f"Basic {basic}"
    else:
        query = {"service": values.get("service", ""), "scope": f"repository:{name.repository}:pull"}
        url = f"{values['realm']}?{urllib.parse.urlencode(query)}"
        said = json.loads(_open(url, {"Authorization": f"Basic {basic}"} if basic else {})[1])
        token = f"Bearer {said.get('token') or said.get('access_token')}"
    return _open(name.url, {"Accept": ", ".join(KINDS), "Authorization": token}, "HEAD")[0]


def _open(url: str, headers: dict[str, str], method: str = "GET") -> tuple[Message, bytes]:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is no address of a registry")
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 (see above)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        return answer.headers, answer.read()


def _credentials(registry: str) -> str:
    """``user:password`` in base64, '' for nobody."""
    try:
        auths = json.loads(CREDENTIALS.expanduser().read_text()).get("auths", {})
    except (OSError, ValueError):
        return ""
    for key in (registry, f"https://{registry}", "https://index.docker.io/v1/" if registry == "docker.io" else ""):
        found = str(auths.get(key, {}).get("auth", ""))
        if found and base64.b64decode(found, validate=False):
            return found
    return ""
