"""What is wrong, in the words of a remedy, with the line of the definitions that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eyas.core.words import Json


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``severity`` is error (somebody or something does not get what is declared) or warning
    (nobody notices, yet). ``about`` is a container, a site or ``host``; ``key`` is the same for findings that say the
    same thing from two sides: the first one is kept."""

    kind: str
    about: str
    message: str
    remedy: str = ""
    origin: str = ""
    severity: str = "error"
    key: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind,
            "severity": self.severity,
            "about": self.about,
            "message": self.message,
            "remedy": self.remedy,
            "origin": self.origin,
        }

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.message}{f': {self.remedy}' if self.remedy else ''}{f' ({self.origin})' if self.origin else ''}"


def distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each thing once, errors first, in the order they were found."""
    kept: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        kept.setdefault(finding.key or (finding.kind, finding.about, finding.message), finding)
    return tuple(sorted(kept.values(), key=lambda finding: finding.severity != "error"))
