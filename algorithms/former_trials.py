"""Trials of former experiments (``spec.warmStart``) as a model fits them beside the experiment's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from katib.core.history import History

MOST = 40  # that are fitted at most, less one for each trial of the experiment's own: what was known before fades


class FormerTrials(NamedTuple):
    """points: (p, d) in the unit cube, NaN where inactive. losses: (p,) on the scale of the experiment's own."""

    points: NDArray[np.float64]
    losses: NDArray[np.float64]


def confirmed_trials(history: History) -> FormerTrials | None:
    """Those of the sources that the experiment's own trials bear out; None if there are none."""
    found = history.prior.evidence(history, MOST - len(history.finished)) if history.sources else None
    return None if found is None else FormerTrials(*found)
