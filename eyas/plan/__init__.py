"""Desired against Actual, pure: what will happen, what it costs, in which order."""

from eyas.plan.foresee import felt, foreseen
from eyas.plan.make import plan, running
from eyas.plan.order import waves

__all__ = ["felt", "foreseen", "plan", "running", "waves"]
