"""Experiments that search architectures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from algorithms import ALGORITHMS, STOPPERS
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Direction, Objective
from katib.core.space import SearchSpace
from katib.core.trial import Key
from katib.resources.load import Known, load_experiment

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
