"""``katib algorithms``: what there is, and each one's settings out of its Settings class."""

from __future__ import annotations

from typing import Any

import click

from algorithms import ALGORITHMS, STOPPERS, choices_of, features_of, settings_of
from algorithms.features import Feature
from katib.cli.exits import OK
from katib.cli.output import print_object, print_table
from katib.cli.workshop import output_option
from katib.core.errors import MissingExtraError
from katib.core.naming import load

KINDS = {"search": ALGORITHMS, "early stopping": STOPPERS}


@click.command(short_help="List algorithms, or the settings of one")
@click.argument("name", required=False)
@output_option("table", "json", "yaml")
def algorithms(name: str | None, output: str) -> int:
    """List search algorithms and early-stopping rules; with NAME, its settings: type, default, range."""
    if name is None:
        found = [_summary(known, kind) for kind, table in KINDS.items() for known in sorted(table)]
        if output == "table":
            print_table(("NAME", "KIND", "ABOUT"), [tuple(entry.values()) for entry in found])
            return OK
        print_object(found, output)
        return OK
    settings = [info.tree for info in settings_of(name)]
    if output != "table":
        print_object(settings, output)
        return OK
    click.echo(f"{name}: {_about(name)}\n")
    if settings:
        print_table(("SETTING", "TYPE", "DEFAULT", "ALLOWED", "ABOUT"), [_row(setting) for setting in settings])
    else:
        click.echo("It has no settings.")
    if choices := choices_of(name):
        click.echo("\nThe first line that fits decides:\n")
        print_table(("RULE", "ALGORITHM", "WHEN"), [(each.rule, each.algorithm, each.when) for each in choices])
    if name in ALGORITHMS:
        click.echo(
            "\nIt can use: " + (", ".join(f.value for f in Feature if f in features_of(name)) or "a plain space only")
        )
    return OK


def _summary(name: str, kind: str) -> dict[str, str]:
    try:
        return {"name": name, "kind": kind, "about": _about(name)}
    except MissingExtraError as error:
        return {"name": name, "kind": kind, "about": str(error)}


def _about(name: str) -> str:
    """The first sentence of what the class says of itself."""
    found = load("algorithm", name, {**ALGORITHMS, **STOPPERS})
    return " ".join((found.__doc__ or "").split("\n\n")[0].split())


def _row(setting: dict[str, Any]) -> tuple[str, ...]:
    default = "" if setting["default"] is None else str(setting["default"])
    shown = "required" if setting["required"] else default
    return setting["name"], setting["type"], shown, setting["allowed"], setting["about"]
