"""The algorithms that are compared, with their settings, and many searches of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.architectures.cells import EPOCHS, FULL, SHORT, table
from benchmarks.architectures.play import Course, play
from katib.core.experiment import Component

CONTESTANTS: Mapping[str, Component] = {
    "random": Component("random"),
    "regularized-evolution": Component("regularized-evolution"),
    "local-search": Component("local-search"),
    "gp-nas": Component("gp-nas"),
    "gp-nas-size": Component("gp-nas", {"prior": "size"}),
    "gp-nas-naswot": Component("benchmarks.architectures.priors:NaswotPrior", {"prior": "size"}),
    "gp-nas-synflow": Component("benchmarks.architectures.priors:SynflowPrior", {"prior": "size"}),
    "gp-nas-two-fidelities": Component(
        "gp-nas", {"resource_name": EPOCHS, "r_l": str(FULL), "min_resource": str(SHORT)}
    ),
    "enas": Component("enas"),
}


def courses(folder: Path, data_set: str, name: str, cost: float, seeds: int, jobs: int) -> list[Course]:
    """One search a seed, in ``jobs`` processes. cost: full trainings that each may spend."""
    one = partial(_course, folder, data_set, name, cost)
    if jobs == 1:
        return list(map(one, range(seeds)))
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return list(pool.map(one, range(seeds)))


def _course(folder: Path, data_set: str, name: str, cost: float, seed: int) -> Course:
    return play(table(folder, data_set), CONTESTANTS[name], seed, cost)
