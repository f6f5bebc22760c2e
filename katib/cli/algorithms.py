"""``katib algorithms``: what there is, and each one's settings out of its Settings class."""

from __future__ import annotations

import click

from algorithms import ALGORITHMS, STOPPERS, settings_of
from algorithms.settings import SettingInfo
from katib.cli.main import OK
from katib.cli.output import print_object, print_table
from katib.cli.workshop import output_option
from katib.core.naming import load

Rows = list[tuple[str, ...]]


@click.command(short_help="List algorithms, or the settings of one")
@click.argument("name", required=False)
@output_option("table", "json", "yaml")
def algorithms(name: str | None, output: str) -> int:
    """List search algorithms and early-stopping rules; with NAME, its settings: type, default, range."""
    if name is not None:
        return _show(("SETTING", "TYPE", "DEFAULT", "ALLOWED", "ABOUT"), [_row(s) for s in settings_of(name)], output)
    rows: Rows = []
    for kind, table in (("search", ALGORITHMS), ("early stopping", STOPPERS)):
        rows += [(known, kind, _about(known)) for known in sorted(table)]
    return _show(("NAME", "KIND", "ABOUT"), rows, output)


def _row(setting: SettingInfo) -> tuple[str, ...]:
    default = "required" if setting.required else "" if setting.default is None else str(setting.default)
    return setting.name, setting.type.__name__, default, setting.expected, setting.help


def _about(name: str) -> str:
    """The first sentence of what the class says of itself."""
    found = load("algorithm", name, {**ALGORITHMS, **STOPPERS})
    return " ".join((found.__doc__ or "").split("\n\n")[0].split())


def _show(header: tuple[str, ...], rows: Rows, output: str) -> int:
    if output == "table":
        print_table(header, rows)
    else:
        keys = [column.lower() for column in header]
        print_object([dict(zip(keys, row, strict=True)) for row in rows], output)
    return OK
