"""Every point of the axes is a point of the space, and the other way round."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.search.adapters.axes import active, axes_of, point
from benchmarks.search.rival import described, parameters_of
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from tests.benchmarks.search.rival_runs import CONDITIONAL, MIXED


def told(space: SearchSpace):
    """The axes that an adapter makes of what comes through the pipe."""
    return axes_of(json.loads(json.dumps(described(space))))


@pytest.mark.parametrize("space", [pytest.param(MIXED, id="mixed"), pytest.param(CONDITIONAL, id="conditional")])
@given(data=st.data())
def test_places_are_points(space, data):
    axes, places = told(space), {}
    for axis in axes:
        if active(axis, places):
            whole = st.integers(int(axis.low), int(axis.high))
            places[axis.name] = data.draw(st.floats(axis.low, axis.high) if axis.kind == "real" else whole)
    answer = json.loads(json.dumps(point(axes, places)))
    parameters = parameters_of(space, answer)
    assert space.check(parameters) == parameters
    assert parameters.keys() == answer.keys()


@given(data=st.data())
def test_points_are_places(data):
    parameters = MIXED.from_unit([data.draw(st.floats(0, 1)) for _ in MIXED])
    axes = told(MIXED)
    places = {axis.name: axis.place(parameters[axis.label]) for axis in axes}
    assert all(axis.low <= places[axis.name] <= axis.high for axis in axes)
    assert parameters_of(MIXED, point(axes, places)) == parameters


@pytest.mark.parametrize(
    ("parameter", "kind", "low", "high"),
    [
        pytest.param(Real("p", 0.0, 0.9, step=0.1), "integer", 0, 9, id="stepped-real"),
        pytest.param(Integer("p", 16, 256, step=16), "integer", 0, 15, id="stepped-integer"),
        pytest.param(Integer("p", 3, 10, step=4), "integer", 0, 1, id="step-short-of-the-end"),
        pytest.param(Integer("p", 3, 7), "integer", 3, 7, id="integer"),
        pytest.param(Integer("p", 1, 500, Distribution.LOG_UNIFORM), "integer", 1, 500, id="log-integer"),
        pytest.param(Real("p", 1e-3, 1.0, Distribution.LOG_UNIFORM), "real", 1e-3, 1.0, id="log-real"),
        pytest.param(Ordinal("p", (8, 16, 32)), "integer", 0, 2, id="ordinal"),
        pytest.param(Choice("p", ("a", "b")), "category", 0, 1, id="categories"),
    ],
)
def test_kinds(parameter, kind, low, high):
    (axis,) = told(SearchSpace((parameter,)))
    assert (axis.kind, axis.low, axis.high) == (kind, low, high)


def test_true_and_one_are_different_values():
    (axis,) = told(SearchSpace((Choice("p", (1, True, "1")),)))
    assert [axis.place(value) for value in (True, 1, "1")] == [1, 0, 2]


def test_a_little_beyond_the_bounds_is_put_right_and_more_is_not():
    (axis,) = told(SearchSpace((Real("p", 0.0, 10.0),)))
    assert axis.value(10.000001) == 10.0
    assert axis.value(10.1) == 10.1
    assert math.isnan(axis.value(math.nan))


def test_children_of_children_follow_their_parents():
    space = SearchSpace(
        (
            Choice("a", ("no", "yes")),
            Choice("b", (False, True), condition=Condition("a", ("yes",))),
            Real("c", 0.0, 1.0, condition=Condition("b", (True,))),
        )
    )
    _, b, c = told(space)
    assert not active(b, {"x000": 0})
    assert active(c, {"x000": 1, "x001": 1})
    assert not active(c, {"x000": 1, "x001": 0})
    assert not active(c, {"x000": 0})
    assert parameters_of(space, {"a": "no", "b": True, "c": 0.5}) == {"a": "no"}
