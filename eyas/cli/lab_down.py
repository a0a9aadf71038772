"""`eyas lab down`."""

from __future__ import annotations

from pathlib import Path

from eyas.cli.context import Context
from eyas.cli.progress import Late


def run(context: Context, *, folder: str | None = None, everything: bool = False) -> int:
    """Stop a lab and remove what it left. Its directory may be gone already."""
    from eyas.lab import down, list_labs, remove
    from eyas.lab.place import Place, labs_root

    with Late(context.err, context.verbose) as listener:
        if everything:
            found = [remove(Place(lab.id, labs_root()), listener=listener) for lab in list_labs()]
        else:
            given = folder if folder is not None else context.directory
            place = Path(given) if given is not None and not Path(given).exists() else Path(context.fleet(given))
            found = [down(place, listener=listener)]
    context.write("Nothing of the lab is left." if any(found) else "There was no lab.")
    return 0
