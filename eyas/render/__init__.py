"""Definitions to resources, pure: what one host should hold."""

from eyas.render.desired import Image, desired, desired_digest
from eyas.render.recipes import recipe

__all__ = ["Image", "desired", "desired_digest", "recipe"]
