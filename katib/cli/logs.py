"""``katib logs``: what a trial printed, to its end or as it grows."""

from __future__ import annotations

import sys
import time

import click

from katib.cli.main import OK
from katib.cli.workshop import experiment_of, namespace_option, open_workshop, store_option
from katib.core.ports import LogReader
from katib.core.trial import AttemptId

CHUNK = 1 << 16
POLL_SECONDS = 0.2


@click.command(short_help="Print what a trial printed")
@click.argument("trial")
@namespace_option
@click.option("-f", "--follow", is_flag=True, help="Go on until the trial ends")
@click.option("--attempt", type=click.IntRange(min=1), help="An earlier run of the trial [default: the newest]")
@store_option
def logs(trial: str, namespace: str, follow: bool, attempt: int | None, store: str) -> int:
    """Print the output of TRIAL (standard output and error, as it wrote them)."""
    with open_workshop(store) as workshop:
        key = experiment_of(trial, namespace)
        record = workshop.store.trial(key, trial)
        id = AttemptId(key, trial, attempt or record.attempt)
        reader, offset = workshop.log_reader(), 0
        while True:
            finished = workshop.store.trial(key, trial).state.finished if follow else True
            offset = _copy(reader, id, offset)
            if finished:
                return OK
            time.sleep(POLL_SECONDS)


def _copy(reader: LogReader, id: AttemptId, offset: int) -> int:
    """Write everything from ``offset`` on; returns the offset behind it."""
    while data := reader.read(id, offset, CHUNK):
        sys.stdout.buffer.write(data)
        offset += len(data)
    sys.stdout.buffer.flush()
    return offset
