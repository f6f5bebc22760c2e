"""Our own algorithms as contestants, under the names that users give them, with any settings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from algorithms import ALGORITHMS, create_algorithm
from algorithms.settings import Settings, parse
from benchmarks.search.machine import installed
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.trial import Proposal

PACKAGES = ("katib-engine", "numpy", "scipy", "optuna", "cmaes", "scikit-optimize", "scikit-learn")


class Ours:
    """An algorithm in this process, timed. Raises as ``create_algorithm`` does."""

    def __init__(self, spec: ExperimentSpec) -> None:
        self._algorithm = create_algorithm(spec)
        self.seconds = 0.0

    @property
    def versions(self) -> Mapping[str, str]:
        """Of this project, and of the libraries that one or another algorithm is built on."""
        return installed(PACKAGES)

    def suggest(self, history: History, count: int) -> Proposal:
        """What the algorithm answers."""
        began = time.perf_counter()
        try:
            return self._algorithm.suggest(history, count)
        finally:
            self.seconds += time.perf_counter() - began

    def close(self) -> None:
        """It holds nothing but memory."""


def check_ours(component: Component) -> None:
    """Raises UnknownNameError, MissingExtraError, or SpecError on settings that the algorithm does not have."""
    kind = load("algorithm", component.name, ALGORITHMS)
    parse(getattr(kind, "settings_class", Settings), component, component.name)


def create_ours(component: Component, spec: ExperimentSpec) -> Ours:
    """The algorithm, for one experiment."""
    return Ours(replace(spec, algorithm=component))
