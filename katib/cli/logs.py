"""``katib logs``: what a trial printed, to its end or as it grows."""

from __future__ import annotations

import sys
import time

import click

from katib.cli.exits import OK
from katib.cli.workshop import find_trial, namespace_option, open_workshop, split_name, store_option
from katib.core.errors import NotFoundError
from katib.core.ports import LogReader, Store
from katib.core.trial import AttemptId

CHUNK = 1 << 16
POLL_SECONDS = 0.2


@click.command(short_help="Print what a trial printed")
@click.argument("words", nargs=-1, required=True, metavar="[trial] NAME")
@namespace_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the trial ends")
@click.option("--attempt", type=click.IntRange(min=1), help="An earlier run of the trial  [default: the newest]")
@store_option
def logs(words: tuple[str, ...], namespace: str, follow: bool, attempt: int | None, store: str) -> int:
    """Print the output of the trial NAME (standard output and error, as it wrote them)."""
    kind, name = split_name(words, default="trial")
    if kind != "trial":
        raise click.UsageError(f"trials have logs, got {kind} {name!r}; see: katib get trials {name}")
    with open_workshop(store) as workshop:
        experiment, trial = find_trial(workshop.store, namespace, name)
        if attempt is not None and attempt > trial.attempt:
            raise NotFoundError(f"trial {name!r} has no attempt {attempt}; its newest one is {trial.attempt}")
        id = AttemptId(experiment.key, name, attempt or trial.attempt)
        _print(workshop.log_reader(), id, workshop.store if follow else None)
    return OK


def _print(reader: LogReader, id: AttemptId, follow: Store | None) -> None:
    """Print what there is; with a store to ``follow`` the trial in, go on until the attempt is over."""
    offset = 0
    while True:
        over = follow is None or _is_over(follow, id)  # asked first, so that its last words are read after
        offset = _copy(reader, id, offset)
        if over:
            return
        time.sleep(POLL_SECONDS)


def _is_over(store: Store, id: AttemptId) -> bool:
    try:
        trial = store.trial(id.key, id.trial)
    except NotFoundError:
        return True
    return trial.state.finished or trial.attempt > id.attempt


def _copy(reader: LogReader, id: AttemptId, offset: int) -> int:
    """Write everything from ``offset`` on; returns the offset behind it."""
    while data := reader.read(id, offset, CHUNK):
        sys.stdout.buffer.write(data)
        offset += len(data)
    sys.stdout.buffer.flush()
    return offset
