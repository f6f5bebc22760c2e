"""Changes of a search space: what is said of them, what is refused, and what becomes of the points of before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.core.constraints import Constraint
from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.objective import MetricSummary, Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.space_changes import revised, space_changes
from katib.core.trial import Trial, TrialState

RATE = Real("rate", 0.001, 0.1, Distribution.LOG_UNIFORM)
LAYERS = Integer("layers", 1, 4)
BATCH = Ordinal("batch", (16, 32), ("16", "32"))
OPTIMIZER = Choice("optimizer", ("sgd", "adam"))
MOMENTUM = Real("momentum", 0.0, 1.0, condition=Condition("optimizer", ("sgd",)))
SPACE = SearchSpace((RATE, LAYERS, BATCH, OPTIMIZER, MOMENTUM))


def changed(*parameters, **fields):
    """SPACE with these parameters in place of those of the same names."""
    by_name = {parameter.name: parameter for parameter in parameters}
    return SearchSpace(tuple(by_name.get(p.name, p) for p in SPACE), **fields)


@pytest.mark.parametrize(
    ("new", "said"),
    [
        pytest.param(SPACE, [], id="nothing"),
        pytest.param(changed(replace(RATE, high=1.0)), ["rate: max 0.1 -> 1"], id="max"),
        pytest.param(
            changed(replace(RATE, low=1e-5, step=1e-5, distribution=Distribution.UNIFORM)),
            ["rate: min 0.001 -> 1e-05", "rate: step none -> 1e-05", "rate: distribution logUniform -> uniform"],
            id="all-of-a-range",
        ),
        pytest.param(changed(Integer("layers", 2, 4, step=2)), ["layers: min 1 -> 2", "layers: step 1 -> 2"], id="int"),
        pytest.param(changed(Ordinal("batch", (32, 64))), ["batch: + 64", "batch: - 16"], id="list"),
        pytest.param(changed(Choice("optimizer", ("sgd", "adam", "ftrl"))), ["optimizer: + ftrl"], id="choice"),
        pytest.param(changed(Choice("optimizer", ("adam", "sgd"))), ["optimizer: order of the list"], id="order"),
        pytest.param(changed(replace(LAYERS, default=2)), ["layers: default none -> 2"], id="default"),
        pytest.param(
            changed(replace(MOMENTUM, condition=Condition("optimizer", ("sgd", "adam")))),
            ["momentum: active if optimizer is sgd or adam"],
            id="condition",
        ),
        pytest.param(
            changed(constraints=(Constraint("layers * batch < 99"),)),
            ["constraints: + layers * batch < 99"],
            id="constraint",
        ),
    ],
)
def test_each_change_is_said(new, said):
    assert space_changes(SPACE, new) == said


@pytest.mark.parametrize(
    ("new", "path", "text"),
    [
        pytest.param(
            SearchSpace((*SPACE, Real("decay", 0.0, 1.0))), "spec.parameters[5]", "'decay' is new", id="added"
        ),
        pytest.param(SearchSpace((LAYERS, BATCH, OPTIMIZER, MOMENTUM)), "spec.parameters", "'rate' is gone", id="gone"),
        pytest.param(
            changed(Real("layers", 1.0, 4.0)), "spec.parameters[1].parameterType", "type of 'layers'", id="type"
        ),
        pytest.param(
            changed(replace(MOMENTUM, condition=None)), "spec.parameters[4].condition", "depends on", id="condition"
        ),
        pytest.param(
            SearchSpace((LAYERS, RATE, BATCH, OPTIMIZER, MOMENTUM)), "spec.parameters", "rate, layers", id="order"
        ),
    ],
)
def test_what_makes_it_another_search_is_refused(new, path, text):
    with pytest.raises(SpecError) as caught:
        space_changes(SPACE, new)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert text in problem.message
    assert "spec.warmStart" in problem.message


amounts = st.floats(0, 10)


@st.composite
def widenings(draw):
    """SPACE with each parameter wider or as it was."""
    step = draw(st.none() | st.floats(1e-4, 1.0))
    return changed(
        Real(
            "rate", RATE.low / (1 + draw(amounts)), RATE.high + draw(amounts), draw(st.sampled_from(Distribution)), step
        ),
        Integer("layers", 1 - draw(st.integers(0, 9)), 4 + draw(st.integers(0, 9)), step=draw(st.integers(1, 3))),
        Ordinal("batch", (16, 32, *draw(st.lists(st.integers(33, 99), unique=True)))),
        Choice(
            "optimizer", tuple(draw(st.permutations(["sgd", "adam", *draw(st.sampled_from([[], ["x"], ["x", "y"]]))])))
        ),
        replace(MOMENTUM, low=-draw(amounts), high=1 + draw(amounts)),
    )


def finished(number, parameters):
    summary = MetricSummary(1.0, 1.0, 1.0, "1.0", 0.0, 1)
    return Trial(
        number, f"t{number}", parameters, state=TrialState.SUCCEEDED, seq=number + 1, observation={"loss": summary}
    )


@given(new=widenings(), rows=st.lists(st.lists(st.floats(0, 1), min_size=5, max_size=5), min_size=1, max_size=5))
def test_points_of_before_lie_in_a_wider_space_with_their_values(new, rows):
    points = [SPACE.from_unit(row) for row in rows]
    history = History(SPACE, Objective("loss"), [finished(n, point) for n, point in enumerate(points)])
    moved = history.within(revised(SPACE, new))
    assert moved.view().in_space.all()
    assert [trial.parameters for trial in moved.finished] == points
    for point in points:
        assert new.check(point) == point
        coordinates = new.locate(point)
        assert all(0.0 <= u <= 1.0 for u in coordinates if not np.isnan(u))
        for parameter, u in zip(new, coordinates, strict=True):
            if parameter.name in point and isinstance(parameter, Ordinal | Choice):
                assert parameter.from_unit(u) == point[parameter.name]


def test_points_outside_are_no_rows_to_learn_from_and_come_back():
    inside, outside = {**SPACE.complete({}), "layers": 2}, {**SPACE.complete({}), "layers": 4}
    history = History(SPACE, Objective("loss"), [finished(0, inside), finished(1, outside)])
    narrow = revised(SPACE, changed(Integer("layers", 1, 3)))
    view = history.within(narrow).view()
    assert view.in_space.tolist() == [True, False]
    assert np.isnan(view.X[1]).all()
    assert view.Y[:, 0].tolist() == [1.0, 1.0]
    back = history.within(narrow).within(revised(narrow, SPACE))
    assert back.space.revision == 2
    assert np.array_equal(back.view().X, history.view().X, equal_nan=True)


def test_pending_points_outside_keep_nothing_away():
    inside, outside = {**SPACE.complete({}), "layers": 2}, {**SPACE.complete({}), "layers": 4}
    trials = [Trial(n, f"t{n}", point, seq=n + 1) for n, point in enumerate((outside, inside))]
    history = History(SPACE, Objective("loss"), trials).within(changed(Integer("layers", 1, 3)))
    assert history.pending().shape == (1, 5)
    assert sorted(history.active) == [0, 1]
