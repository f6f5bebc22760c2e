"""The hypervolume of points with two losses: the area that they dominate, within a reference point.

Zitzler & Thiele 1999, "Multiobjective evolutionary algorithms: a comparative case study and the strength Pareto
approach", IEEE TEC 3(4); by a sweep over the sorted front, as in Fonseca, Paquete & López-Ibáñez 2006, section II.
"""

from __future__ import annotations

import numpy as np

from benchmarks.search.report.runs import Bools, Floats
from katib.core.errors import PermanentError


def hypervolume(losses: Floats, worst: tuple[float, ...]) -> float:
    """Area dominated by the rows of ``losses`` (n, 2), all smaller-is-better, and not by ``worst``; 0 of none.

    Raises PermanentError for another number of objectives.
    """
    if len(worst) != 2:
        raise PermanentError(f"hypervolumes are computed for 2 objectives, got {len(worst)}")
    inside = losses[(losses < np.array(worst)).all(axis=1)]
    if not len(inside):
        return 0.0
    swept = inside[np.lexsort((inside[:, 1], inside[:, 0]))]
    lowest = np.minimum.accumulate(swept[:, 1])
    above = np.concatenate(([worst[1]], lowest[:-1]))
    return float(np.sum((worst[0] - swept[:, 0]) * (above - lowest)))


def hypervolumes_so_far(losses: Floats, feasible: Bools, worst: tuple[float, ...]) -> Floats:
    """(n,) the hypervolume of the first 1, 2, ... n trials, those that are not feasible left out."""
    volumes = np.zeros(len(losses))
    front = np.empty((0, 2))
    for i, point in enumerate(losses):
        volumes[i] = volumes[i - 1] if i else 0.0
        if feasible[i] and not (front <= point).all(axis=1).any():
            front = np.vstack([front[~(front >= point).all(axis=1)], point])
            volumes[i] = hypervolume(front, worst)
    return volumes
