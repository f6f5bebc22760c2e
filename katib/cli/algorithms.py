"""``katib algorithms``: what there is, and each one's settings out of its Settings class."""

from __future__ import annotations

import click

from algorithms import ALGORITHMS, STOPPERS, describe_algorithm, settings_of
from katib.cli.main import OK
from katib.cli.output import print_object, print_table
from katib.cli.workshop import output_option


@click.command(short_help="List algorithms, or the settings of one")
@click.argument("name", required=False)
@output_option("table", "json", "yaml")
def algorithms(name: str | None, output: str) -> int:
    """List search algorithms and early-stopping rules; with NAME, its settings: type, default, range."""
    if name is None:
        rows = [
            (known, kind, describe_algorithm(known))
            for kind, table in (("search", ALGORITHMS), ("early stopping", STOPPERS))
            for known in sorted(table)
        ]
        return _show(("NAME", "KIND", "ABOUT"), rows, output)
    rows = [(s.name, s.type, s.default, s.allowed, s.help) for s in settings_of(name)]
    return _show(("SETTING", "TYPE", "DEFAULT", "ALLOWED", "ABOUT"), rows, output)


def _show(header: tuple[str, ...], rows: list[tuple[str, ...]], output: str) -> int:
    if output == "table":
        print_table(header, rows)
    else:
        keys = [column.lower() for column in header]
        print_object([dict(zip(keys, row, strict=True)) for row in rows], output)
    return OK
