"""One search on the table: the algorithm as users get it, trials recorded as the engine records them."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from algorithms import create_algorithm
from benchmarks.architectures.cells import EPOCHS, FULL, CellTable, Floats, nas_config
from benchmarks.search.simulation import stream
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Direction, Measurement, Objective, observe
from katib.core.space import SearchSpace
from katib.core.trial import Key, Suggestion, Trial, TrialState, evolve

METRIC = "accuracy"


class Course(NamedTuple):
    """costs: (n,) full trainings that all trials up to each had cost. regrets: (n,) of the incumbent then, the fully
    trained cell of best validation accuracy; NaN before the first."""

    costs: Floats
    regrets: Floats

    def at(self, cost: float) -> float:
        """The regret once ``cost`` full trainings were paid for."""
        place = int(np.searchsorted(self.costs, cost + 1e-9, side="right"))
        return float(self.regrets[place - 1]) if place else float("nan")


def play(table: CellTable, algorithm: Component, seed: int, cost: float) -> Course:
    """Trials one after the other while they can be paid for."""
    spec = _spec(table, algorithm, seed)
    searcher, history = create_algorithm(spec), History(spec.space, spec.objective)
    costs: list[float] = []
    regrets: list[float] = []
    paid, best, incumbent = 0.0, -np.inf, -1
    while True:
        suggestions = searcher.suggest(history, 1).suggestions
        epochs = int(str(suggestions[0].parameters.get(EPOCHS, FULL))) if suggestions else FULL
        if not suggestions or paid + epochs / FULL > cost + 1e-9:
            return Course(np.array(costs), np.array(regrets))
        row = table.row(suggestions[0].parameters)
        accuracy = table.accuracy(row, epochs, stream(table.name, seed, len(history)))
        _record(history, suggestions[0], accuracy)
        paid += epochs / FULL
        if epochs == FULL and accuracy > best:
            best, incumbent = accuracy, row
        costs.append(paid)
        regrets.append(table.regret(incumbent) if incumbent >= 0 else np.nan)


def _spec(table: CellTable, algorithm: Component, seed: int) -> ExperimentSpec:
    mixed = int.from_bytes(hashlib.sha256(f"{table.name} {seed}".encode()).digest()[:4], "big") >> 1
    return ExperimentSpec(
        key=Key("default", "benchmark"),
        space=SearchSpace(()),
        objective=Objective(METRIC, Direction.MAXIMIZE),
        algorithm=algorithm,
        budget=Budget(1, None),
        nas=nas_config(table.operations),
        seed=mixed,
    )


def _record(history: History, suggestion: Suggestion, accuracy: float) -> None:
    number, seq = len(history), 2 * len(history) + 1
    running = Trial(
        number, f"trial-{number}", suggestion.parameters, suggestion.labels, suggestion.parent, TrialState.RUNNING,
        seq=seq,
    )  # fmt: skip
    history.record(running)
    observation = observe({}, [Measurement(METRIC, accuracy, repr(accuracy), float(seq))])
    history.record(evolve(running, state=TrialState.SUCCEEDED, seq=seq + 1, observation=observation))
