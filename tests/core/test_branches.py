"""Which conditions the trials of an open space show."""

from __future__ import annotations

from itertools import count, permutations

import pytest

from katib.core.branches import Branches
from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.objective import Objective
from katib.core.parameters import Choice, Condition, Integer, Real
from katib.core.space import SearchSpace
from katib.core.trial import Trial, TrialState

MODEL = Choice("model", ("svm", "forest", "knn"))
LAYERS = Integer("layers", 1, 5)
X, Y = Real("x", 0.0, 1.0), Real("y", 0.0, 1.0)
FOREST = {"model": "forest"}
SVM = {"model": "svm", "x": 0.5}
CASES = {
    "nothing seen": ([MODEL, X], [], None),
    "always there": ([MODEL, X], [SVM, {"model": "knn", "x": 0.1}], None),
    "one of two values": ([MODEL, X], [SVM, FOREST], ("model", ("svm", "knn"))),  # of knn nothing is known
    "one of three values": ([MODEL, X], [SVM, FOREST, {"model": "knn"}], ("model", ("svm",))),
    "with and without at the same value": ([MODEL, X], [SVM, FOREST, {"model": "svm"}], None),
    "above a threshold": ([LAYERS, X], [{"layers": 1}, {"layers": 4, "x": 0.1}], ("layers", (3, 4, 5))),
    "below a threshold": ([LAYERS, X], [{"layers": 4}, {"layers": 2, "x": 0.1}], ("layers", (1, 2, 3))),
    "no threshold": ([LAYERS, X], [{"layers": 1}, {"layers": 3, "x": 0.1}, {"layers": 5}], None),
    "a range tells nothing": ([Y, X], [{"y": 0.1}, {"y": 0.9, "x": 0.1}], None),
    "a category before a number": (
        [MODEL, LAYERS, X],
        [{**FOREST, "layers": 1}, {**SVM, "layers": 4}],
        ("model", ("svm", "knn")),
    ),
    "declared later": ([X, MODEL], [SVM, FOREST], None),
    "of what is not always there either": (
        [MODEL, LAYERS, X],
        [{"model": "svm", "layers": 1, "x": 0.5}, {"model": "svm", "layers": 2, "x": 0.5}, FOREST, {"model": "knn"}],
        ("model", ("svm",)),
    ),
    "within a branch": (
        [MODEL, LAYERS, X],
        [{"model": "svm", "layers": 1}, {"model": "svm", "layers": 2, "x": 0.5}, FOREST],
        ("layers", (2, 3, 4, 5)),
    ),
    "without the parent": ([MODEL, X], [SVM, FOREST, {"x": 0.5}], None),
}


@pytest.mark.parametrize(("parameters", "trials", "expected"), CASES.values(), ids=CASES)
def test_what_explains_that_x_is_not_always_there(parameters, trials, expected):
    space = SearchSpace(tuple(parameters), open=True)
    for order in permutations(trials):
        branches = Branches(space)
        for trial in order:
            branches.take(trial)
        shape = branches.space()
        assert shape["x"].condition == (Condition(*expected) if expected else None)
        assert (shape.open, shape.revision, [p.name for p in shape]) == (True, 0, [p.name for p in parameters])
        assert shape.conditional


def test_an_open_space_has_a_place_for_whatever_has_some_of_its_parameters():
    space = SearchSpace((MODEL, X), open=True)
    assert space.locate(SVM) == [pytest.approx(1 / 6), 0.5]
    assert str(space.locate(FOREST)) == "[0.5, nan]"
    assert [space.locate(values) for values in ({}, {"z": 1}, {"x": 2})] == [None] * 3
    with pytest.raises(SpecError):
        space.check(FOREST)  # what an algorithm proposes is whole


def test_a_history_that_followed_trials_is_the_one_that_is_read_again():
    space, objective = SearchSpace((MODEL, X), open=True), Objective("loss")
    followed = History(space, objective)
    numbers = count(1)

    def record(number, parameters, state):
        trial = Trial(number, f"t-{number}", parameters, state=state, seq=next(numbers))
        followed.record(trial)
        return trial

    first = record(0, {}, TrialState.RUNNING), record(1, {}, TrialState.RUNNING)
    record(0, SVM, TrialState.RUNNING)
    record(2, {"model": "forest", "x": 0.3}, TrialState.RUNNING)
    record(2, FOREST, TrialState.SUCCEEDED)
    again = History(space, objective, followed.trials.values())
    assert [t.parameters for t in first] == [{}, {}]
    for parameters in (SVM, FOREST, {"model": "forest", "x": 0.3}):
        assert followed.number_of(parameters) == again.number_of(parameters)
    assert (followed.number_of(SVM), followed.number_of({"model": "forest", "x": 0.3})) == (0, None)
    assert followed.pending().tolist() == again.pending().tolist() == [[pytest.approx(1 / 6), 0.5]]
    assert str(followed.view().X) == str(again.view().X)
