"""How sure a mean of a few runs is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from katib.core.naming import load

CONFIDENCE = 0.95


def half_width(values: Sequence[float]) -> float | None:
    """Half of the width of the mean's confidence interval of 95 % by Student's t distribution, in the unit of the
    values, which are finite; inf where it is beyond a float, None for fewer than two values."""
    if len(values) < 2:
        return None
    scale = max(map(abs, values)) or 1.0  # squares of the largest numbers are none
    error = statistics.stdev(value / scale for value in values) / math.sqrt(len(values))
    quantile = load("function", "scipy.special:stdtrit", {})  # only here, since to load it takes a while
    return float(quantile(len(values) - 1, (1 + CONFIDENCE) / 2)) * error * scale
