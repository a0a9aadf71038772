"""`eyas lab down`."""

from __future__ import annotations

from pathlib import Path

from eyas.cli.context import Context
from eyas.cli.progress import Late


def run(context: Context, *, folder: str | None = None, everything: bool = False) -> int:
    """Stop a lab and remove what it left. Its directory, or the definitions in it, may be gone already."""
    from eyas.lab import list_labs, remove
    from eyas.lab.place import Place, all_places, labs_root

    everywhere = all_places(labs_root())
    named = [place for place in everywhere if place.id == folder]
    if everything or named:
        places = everywhere if everything else named
    else:
        given = folder if folder is not None else context.directory
        known = given is not None and Path(given).resolve() in {Path(lab.directory) for lab in list_labs()}
        places = [Place.of(Path(given)) if known and given else Place.of(Path(context.fleet(given)))]
    with Late(context.err, context.verbose) as listener:
        found = [remove(place, listener=listener) for place in places]
    context.write("Nothing of the lab is left." if any(found) else "There was no lab.")
    return 0
