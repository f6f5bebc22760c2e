"""Wishes of people, carried out: by the experiment's owner, or here where it has none."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from katib.compose import Workshop
from katib.core.errors import LeaseHeldError, MissingExtraError, NotFoundError, PermanentError
from katib.core.experiment import Desired, Experiment
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.resources.edits import Counts, edited_budget

POLL_SECONDS = 0.1

Change = Callable[[Experiment], Experiment]


def set_counts(workshop: Workshop, key: Key, counts: Counts, moved: Change = lambda stored: stored) -> Experiment:
    """Write the experiment's new counts for its owner, and what ``moved`` changes besides. Raises SpecError."""

    def change(stored: Experiment) -> Experiment:
        if stored.desired is Desired.DELETE:
            raise PermanentError(f"experiment {key.name!r} is being deleted")
        budget, changed = edited_budget(stored, counts) if counts else stored.budget, moved(stored)
        with suppress(MissingExtraError):  # what it runs with may be installed elsewhere
            workshop.check(replace(changed.spec, budget=budget))
        return replace(changed, budget=budget)

    return lifecycle.edit(workshop.store, key, change)


def carry_out(workshop: Workshop, key: Key, desired: Desired, deadline: float) -> bool:
    """Wait until the owner has done what was wished (stop or delete), or do it here if there is no owner. deadline: by
    ``time.monotonic``. Returns whether it is done."""
    while not _is_done(workshop, key, desired):
        if time.monotonic() > deadline:
            return False
        controller = workshop.controller()
        try:
            controller.run(key)
        except LeaseHeldError:
            time.sleep(POLL_SECONDS)
        except NotFoundError:
            return True
        finally:
            controller.close()
    return True


def _is_done(workshop: Workshop, key: Key, desired: Desired) -> bool:
    try:
        experiment = workshop.store.get(key)
    except NotFoundError:
        return True
    return desired is Desired.STOP and (experiment.status.stopped or experiment.status.verdict is not None)
