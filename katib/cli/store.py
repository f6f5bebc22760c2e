"""``katib store migrate`` and ``katib store check``: care for the database that experiments are kept in."""

from __future__ import annotations

import click

from katib.cli.exits import FAILED, OK
from katib.cli.output import count, print_object, print_table
from katib.cli.workshop import output_option, store_option
from katib.compose import store_url
from katib.options import Options
from katib.storage import check_store, migrate_store
from katib.storage.home import default_home


@click.group(short_help="Migrate or check the database that experiments are kept in")
def store() -> None:
    """Care for the database that experiments are kept in."""


@store.command(short_help="Bring the tables to this program's version")
@store_option
def migrate(store: str) -> int:
    """Bring the tables to this program's version, or make them if there are none.

    A SQLite file is copied beside itself first; back up a server's database yourself. Refused while an experiment runs,
    and if a newer version of this program made the tables.
    """
    done = migrate_store(_url(store))
    if done.before == done.after:
        click.echo(f"{done.database}: the tables have version {done.after}, nothing to do")
    elif done.before is None:
        click.echo(f"{done.database}: tables of version {done.after} made")
    else:
        click.echo(f"{done.database}: tables brought from version {done.before} to {done.after}")
    return OK


@store.command(short_help="Read every record and name those that are damaged")
@store_option
@output_option("table", "json")
def check(store: str, output: str) -> int:
    """Read every record: checksums, counts, records that belong to nothing, the order of revisions.

    Names what is damaged, one line each, and exits with 1 if anything is. Changes nothing; experiments may run.
    """
    report = check_store(_url(store))
    if output == "json":
        print_object(report.tree(), output)
        return FAILED if report.damages else OK
    damaged = [damage.table for damage in report.damages]
    print_table(
        ("TABLE", "ROWS", "DAMAGES"),
        [(name, str(rows), str(damaged.count(name))) for name, rows in report.rows.items()],
    )
    for damage in report.damages:
        click.echo(f"damaged: {damage.record}: {damage.text}")
    verdict = count(len(damaged), "damage") if damaged else "sound"
    click.echo(f"{report.database}, version {report.version}: {verdict}")
    return FAILED if damaged else OK


def _url(store: str) -> str:
    return store_url(Options(default_home(), store=store))
