"""Desired against Actual, pure: what will happen, what it costs, in which order."""

from eyas.plan.make import plan, running
from eyas.plan.order import waves

__all__ = ["plan", "running", "waves"]
