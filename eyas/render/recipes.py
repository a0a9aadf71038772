"""The image that a container needs: what its image says, and what its parts add."""

from __future__ import annotations

from eyas.image import Recipe
from eyas.model import Container, System


def recipe(container: Container, system: System) -> Recipe:
    """The recipe of a container's package layer. ``system`` is the container merged with its parts.

    The packages of the declared image are the shared part: containers of one image share the work of installing
    them, and the files. A container that adds nothing uses the image itself, under the image's name.
    """
    image = container.image
    origins = {
        key.split(":", 1)[1]: origin
        for key, origin in system.origins.items()
        if key.startswith(("package:", "npm:", "pip:"))
    }
    own = (system.packages, system.npm, system.pip) != (image.packages, image.npm, image.pip)
    return Recipe(
        name=container.name if own else image.name,
        kind=image.kind,
        suite=image.suite,
        packages=tuple(sorted(set(system.packages))),
        npm=tuple(sorted(set(system.npm))),
        pip=tuple(sorted(set(system.pip))),
        tarball=image.archive or "",
        origins=origins,
        shared=tuple(sorted(set(image.packages))),
    )
