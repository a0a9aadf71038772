"""`eyas lab down`."""

from __future__ import annotations

from pathlib import Path

from eyas.cli.context import Context
from eyas.cli.progress import Late


def run(context: Context, *, folder: str | None = None, everything: bool = False) -> int:
    """Stop a lab and remove what it left. Its directory, or the definitions in it, may be gone already."""
    from eyas.lab import list_labs, remove
    from eyas.lab.place import Place, labs_root

    labs = {lab.id: Path(lab.directory) for lab in list_labs()}
    if everything:
        places = [Place(name, labs_root()) for name in labs]
    elif folder in labs:
        places = [Place(folder, labs_root())]
    else:
        given = folder if folder is not None else context.directory
        known = given is not None and Path(given).resolve() in labs.values()
        places = [Place.of(Path(given)) if known and given else Place.of(Path(context.fleet(given)))]
    with Late(context.err, context.verbose) as listener:
        found = [remove(place, listener=listener) for place in places]
    context.write("Nothing of the lab is left." if any(found) else "There was no lab.")
    return 0
