"""Median losses of random points of scikit-learn's tasks: ``python -m benchmarks.search.problems.typical [NAME ...]``
prints the lines of ``scikit_learn.TYPICAL``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.search.problems.models import TASKS
from benchmarks.search.problems.parts import typical_loss
from benchmarks.search.problems.scikit_learn import Training

POINTS = 101


def measure(name: str) -> float:
    """Of the task of that name."""
    return typical_loss(TASKS[name].space, TASKS[name].objective, Training(name), POINTS)


def main(names: Sequence[str]) -> None:
    """Print those of ``names``, of all without any."""
    for name in names or TASKS:
        print(f'    "{name}": {measure(name):.6g},')


if __name__ == "__main__":
    main(sys.argv[1:])
