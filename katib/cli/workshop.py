"""What most commands begin with: the options that say where the store is, and opening it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import click

from algorithms import ALGORITHMS, STOPPERS
from katib.compose import Options, Workshop, default_home
from katib.core.trial import Key
from katib.resources.load import Known

Command = TypeVar("Command", bound=Callable[..., object])

store_option = click.option(
    "--store",
    default="",
    metavar="URL",
    envvar="KATIB_STORE",
    help="Where experiments are kept [default: SQLite in $KATIB_HOME]",
)
namespace_option = click.option("-n", "--namespace", default="default", show_default=True, help="Namespace")


def output_option(*formats: str, default: str = "table") -> Callable[[Command], Command]:
    """``-o`` with the formats a command knows."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=default, show_default=True, help="Output format"
    )


@contextmanager
def open_workshop(store: str, options: Options | None = None) -> Iterator[Workshop]:
    """The store of this machine's user, or the one at ``store``; closed afterwards."""
    workshop = Workshop(replace(options or Options(default_home()), store=store))
    try:
        yield workshop
    finally:
        workshop.close()


def split_name(words: tuple[str, ...], kinds: dict[str, str], default: str) -> tuple[str, str]:
    """``NAME``, ``KIND NAME`` or ``KIND/NAME`` -> (kind, name), kinds by any of kubectl's spellings."""
    parts = words[0].split("/", 1) if len(words) == 1 else list(words)
    if len(parts) == 1:
        return default, parts[0]
    kind = kinds.get(parts[0].split(".")[0].lower())
    if kind is None or len(parts) != 2:
        raise click.UsageError(f"got {' '.join(words)!r}, expected [KIND] NAME with KIND one of {', '.join(kinds)}")
    return kind, parts[1]


KINDS = {spelling: kind for kind in ("experiment", "trial", "suggestion") for spelling in (kind, f"{kind}s")}


def known_names() -> Known:
    """The algorithms and early-stopping rules that a document may name."""
    return Known(frozenset(ALGORITHMS), frozenset(STOPPERS))


def experiment_of(trial: str, namespace: str) -> Key:
    """The experiment that a trial of this name belongs to: trials are called ``<experiment>-<8 characters>``."""
    return Key(namespace, trial.rpartition("-")[0])
