"""Experiments that search architectures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from algorithms import ALGORITHMS, STOPPERS, create_algorithm
from algorithms.architecture.search import ArchitectureSettings, architecture_space
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Direction, Objective
from katib.core.space import SearchSpace
from katib.core.trial import Key
from katib.resources.load import Known, load_experiment
from tests.contracts.simulation import MIXED_FATES, Simulation

EXAMPLES = Path(__file__).parents[2] / "resources" / "examples"
BENCHMARK = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def operation(kind: str, **lists: list[Any]) -> dict[str, Any]:
    """An operation whose parameters are lists of values."""
    parameters = [
        {"name": name, "parameterType": "categorical", "feasibleSpace": {"list": list(map(str, values))}}
        for name, values in lists.items()
    ]
    return {"operationType": kind, "parameters": parameters}


CELLS = {
    "graphConfig": {"numLayers": 3},
    "operations": [
        operation("separable_convolution", filter_size=[3, 5]),
        operation("max_pooling", filter_size=[3]),
        {"operationType": "skip_connection"},
    ],
}
CHAIN = {
    "graphConfig": {"numLayers": 3, "inputSizes": [8, 8, 1], "outputSizes": [10]},
    "operations": [
        operation("convolution", filter_size=[3, 5], num_filter=[8, 16], stride=[1]),
        operation("reduction", reduction_type=["max_pooling"], pool_size=[2]),
    ],
}
CELL_201 = {"graphConfig": {"numLayers": 1}, "operations": [{"operationType": name} for name in BENCHMARK]}
FAMILIES = {"cells": CELLS, "chain": CHAIN, "nasbench201": CELL_201}


def spec(nas: Mapping[str, Any], algorithm: str = "random", **settings: object) -> ExperimentSpec:
    """An experiment over ``nas``."""
    component = Component(algorithm, {name: str(value) for name, value in settings.items()})
    objective = Objective("accuracy", Direction.MAXIMIZE)
    return ExperimentSpec(
        Key("default", "nas"), SearchSpace(()), objective, component, Budget(2, 1000), nas=nas, seed=7
    )


def example(name: str) -> ExperimentSpec:
    """One of the examples in Katib's form."""
    return load_experiment(EXAMPLES / f"{name}.yaml", known=Known(frozenset(ALGORITHMS), frozenset(STOPPERS))).spec


def merit(family):
    """The share of the first operation (of the third for the benchmark) among the choices: easy to learn."""

    def value(parameters):
        values = list(family.parameters(parameters).values())
        return sum(each in ("0", "separable_convolution_3x3", "nor_conv_3x3") for each in values) / len(values)

    return value


def simulation(nas: Mapping[str, Any], algorithm: str, **settings: object) -> Simulation:
    """A search of which ``merit`` tells the results."""
    made = spec(nas, algorithm, **settings)
    return Simulation(made, merit(architecture_space(made, ArchitectureSettings())))


def check_restarts(searched: Simulation) -> None:
    """A restart at any moment changes nothing, and nothing comes twice."""

    def restart(proposal) -> None:
        fresh = create_algorithm(searched.spec).suggest(searched.restarted(), max(len(proposal.suggestions), 1))
        assert fresh.suggestions == proposal.suggestions

    searched.run(create_algorithm(searched.spec), 14, parallel=3, order=4, fates=MIXED_FATES, at_each_step=restart)
    texts = [str(trial.parameters) for trial in searched.history.trials.values()]
    assert len(set(texts)) == len(texts) == 14
