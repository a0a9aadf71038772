"""The lab's certificate authority: what web sites of a lab are trusted by, for clients in its internet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from eyas.host.command import run

DAYS = "3650"


def make_authority(directory: Path) -> None:
    """Make ``ca.key`` and ``ca.pem`` in a directory, if they are not there."""
    if (directory / "ca.pem").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
         "-days", DAYS, "-subj", "/CN=eyas lab authority", "-keyout", str(directory / "ca.key"),
         "-out", str(directory / "ca.new"), "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    )  # fmt: skip
    (directory / "ca.new").rename(directory / "ca.pem")  # last: its presence means that both are there


def issue(directory: Path, names: Sequence[str]) -> tuple[str, str]:
    """A certificate for DNS names, or addresses, by the authority in ``directory``: (certificate chain, key), both PEM
    text."""
    with tempfile.TemporaryDirectory(prefix="eyas-lab-") as scratch:
        key, request, extensions, certificate = (str(Path(scratch, each)) for each in ("key", "csr", "ext", "pem"))
        alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
        Path(extensions).write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth\n")
        run(
            ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", f"/CN={names[0]}"[:68], "-keyout", key, "-out", request]
        )  # fmt: skip
        run(
            ["openssl", "x509", "-req", "-in", request, "-CA", str(directory / "ca.pem"), "-CAkey",
             str(directory / "ca.key"), "-set_serial", f"0x{os.urandom(15).hex()}", "-days", DAYS, "-sha256",
             "-extfile", extensions, "-out", certificate]
        )  # fmt: skip
        chain = Path(certificate).read_text() + (directory / "ca.pem").read_text()
        return chain, Path(key).read_text()


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
