"""nasConfig's operations: all combinations in order, labels, and everything that is wrong, each with its place."""

from __future__ import annotations

import pytest

from algorithms.architecture.operations import COUNT, PATH, Operation, OperationType, operations_of, register
from katib.core.errors import SpecError
from tests.algorithms.architecture.experiments import CELLS, CHAIN, operation


def number(name: str, kind: str = "int", **space: str) -> dict[str, object]:
    return {"name": name, "parameterType": kind, "feasibleSpace": space}


def tree(*operations: object) -> dict[str, object]:
    return {"operations": list(operations)}


def test_labels_of_cells():
    assert [each.label for each in operations_of(CELLS)] == [
        "separable_convolution_3x3", "separable_convolution_5x5", "max_pooling_3x3", "skip_connection",
    ]  # fmt: skip


def test_all_combinations_in_the_order_of_the_document():
    found = operations_of(CHAIN)
    convolutions = [(each["filter_size"], each["num_filter"], each["stride"]) for each in found[:-1]]
    assert convolutions == [(3, 8, 1), (3, 16, 1), (5, 8, 1), (5, 16, 1)]
    assert found[-1] == Operation("reduction", (("reduction_type", "max_pooling"), ("pool_size", 2)))


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (number("pool_size", min="2", max="4"), [2, 3, 4]),
        (number("pool_size", min="2", max="7", step="2"), [2, 4, 6]),
        (number("pool_size", max="3"), [3]),
        (number("pool_size", "double", min="1", max="3", step="2.0"), [1, 3]),
        (number("pool_size", "discrete", list=["5", "2"]), [5, 2]),
    ],
)
def test_values(parameter, values):
    kind = {"name": "reduction_type", "parameterType": "categorical", "feasibleSpace": {"list": ["max_pooling"]}}
    found = operations_of(tree({"operationType": "reduction", "parameters": [kind, parameter]}))
    assert [each["pool_size"] for each in found] == values


@pytest.mark.parametrize(
    ("operations", "path", "words"),
    [
        ([{"operationType": "seperable_convolution"}], "[0].operationType", "did you mean 'separable_convolution'"),
        ([operation("convolution", filter_size=[3], filters=[8])], "[0].parameters[1].name", "it has: filter_size"),
        ([operation("convolution", filter_size=[4])], "[0].parameters[0].feasibleSpace", "got 4, expected an odd"),
        ([operation("convolution", filter_size=["wide"])], "[0].parameters[0].feasibleSpace", "got 'wide'"),
        ([operation("reduction", pool_size=[2])], "[0].parameters", "'reduction_type' is missing"),
        ([{"operationType": "convolution", "parameters": [number("filter_size", "double", min="1", max="3")]}],
         "[0].parameters[0].feasibleSpace", "a step greater than 0"),
        ([{"operationType": "skip_connection"}] * 2, "", "'skip_connection' is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong(operations, path, words):
    with pytest.raises(SpecError) as caught:
        operations_of(tree(*operations))
    (problem,) = caught.value.problems
    assert problem.path == PATH + path
    assert words in problem.message


def test_operations_that_only_the_trial_knows():
    given = tree(operation("feedforward", units=[8, 16], activation=["relu"]))
    found = operations_of(given, own=["feedforward"])
    assert [each["units"] for each in found] == [8, 16]
    with pytest.raises(SpecError):
        operations_of(given)


def test_a_registered_operation():
    kind = OperationType("squeeze_excite", {"ratio": COUNT})
    register(kind)
    register(kind)
    assert operations_of(tree(operation("squeeze_excite", ratio=[4])))[0]["ratio"] == 4
    with pytest.raises(SpecError, match="registered with other parameters"):
        register(OperationType("squeeze_excite"))
