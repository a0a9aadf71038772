"""`eyas lab list`."""

from __future__ import annotations

from eyas.cli.context import Context

FORMAT = 1


def run(context: Context, *, json: bool = False) -> int:
    """List the labs on this machine with their hosts."""
    from eyas.lab import list_labs

    labs = list_labs()
    if json:
        context.write_json(
            {
                "version": FORMAT,
                "labs": [
                    {
                        "id": lab.id,
                        "directory": lab.directory,
                        "hosts": {
                            name: {"state": state, "addresses": list(lab.addresses.get(name, ()))}
                            for name, state in lab.hosts.items()
                        },
                    }
                    for lab in labs
                ],
            }
        )
        return 0
    if not labs:
        context.write("No lab on this machine.")
        return 0
    from eyas.cli.view.text import Cell, Column, table

    paint = context.paint()
    columns = (Column("LAB"), Column("HOST"), Column("STATE"), Column("ADDRESSES", flexible=True),
               Column("DIRECTORY", flexible=True, least=24))  # fmt: skip
    rows: list[list[Cell | str]] = [
        [Cell(lab.id, paint.bold), name, Cell(state, paint.good if state == "up" else paint.warn),
         ", ".join(lab.addresses.get(name, ())), lab.directory]
        for lab in labs
        for name, state in lab.hosts.items()
    ]  # fmt: skip
    context.write(table(columns, rows, context.width(), paint))
    return 0
