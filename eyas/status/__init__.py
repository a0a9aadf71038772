"""The plan read the other way: how a host is, and where it differs from what it should be. Pure."""

from eyas.status.report import Report, Row, report

__all__ = ["Report", "Row", "report"]
