"""`eyas build`: build the images that the definitions need."""

from __future__ import annotations

import time

from eyas.cli.context import Context
from eyas.cli.progress import Late
from eyas.core.words import Json

FORMAT = 1


def run(context: Context, *, jobs: int | None = None, json: bool = False) -> int:
    """Build what is missing, and list all images."""
    from eyas import image
    from eyas.cli.evaluate import build, locked, read

    began = time.monotonic()
    definitions = read(context.fleet())
    context.warn(definitions.warnings)
    state = image.state_dir()
    with Late(context.err, context.verbose) as listener:
        lock = locked(definitions, listener)
        keys = {recipe.name: image.key(recipe, lock) for recipe in definitions.distinct()}
        there = {key for key in keys.values() if image.present(state, key)}
        built = build(definitions, lock, jobs or 0, listener)
    if json:
        images: list[Json] = [
            {"name": name, "key": key, "commit": built[key].commit, "built": key not in there}
            for name, key in keys.items()
        ]
        context.write_json({"version": FORMAT, "images": images})
        return 0
    from eyas.cli.view.text import Cell, Column, count, table

    paint = context.paint()
    columns = (Column("IMAGE"), Column("COMMIT"), Column("PACKAGES", right=True), Column("OS", flexible=True))
    rows: list[list[Cell | str]] = [
        [Cell(name, paint.bold), built[key].commit[:12], str(len(built[key].packages)),
         str(built[key].os.get("PRETTY_NAME") or "-")]
        for name, key in keys.items()
    ]  # fmt: skip
    new, old = len(set(keys.values()) - there), len(there)
    context.write(table(columns, rows, context.width(), paint))
    context.write(f"{count(new, 'image')} built, {old} there, {time.monotonic() - began:.1f} s.")
    return 0
