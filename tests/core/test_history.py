"""History: order by seq, numeric views, curves per attempt, and equality of growing and loading."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from katib.core.history import History
from katib.core.objective import Direction, Measurement, Objective, observe
from katib.core.space import Choice, Real, SearchSpace
from katib.core.trial import Trial, TrialState

SPACE = SearchSpace((Real("x", 0, 10), Choice("c", ("a", "b"))))
OBJECTIVE = Objective("acc", Direction.MAXIMIZE)


def report(value: float, time: float = 0.0) -> Measurement:
    return Measurement("acc", None if math.isnan(value) else value, str(value), time)


def trial(number: int, seq: int, state: TrialState = TrialState.PENDING, acc: float | None = None, **rest) -> Trial:
    observation = {} if acc is None else observe({}, [report(acc)])
    parameters = rest.pop("parameters", {"x": float(number), "c": "a"})
    return Trial(number, f"t-{number}", parameters, seq=seq, state=state, observation=observation, **rest)


FINISHED = [
    trial(0, 9, TrialState.SUCCEEDED, 0.5),
    trial(1, 4, TrialState.FAILED),
    trial(2, 7, TrialState.EARLY_STOPPED, 0.3),
    trial(3, 8, TrialState.KILLED, 0.9),
    trial(4, 10, TrialState.METRICS_UNAVAILABLE),
    trial(5, 11, TrialState.RUNNING),
    trial(6, 12, TrialState.SUCCEEDED, 0.7, parameters={"x": 99.0, "c": "a"}),
]


def test_finished_trials_are_in_order_of_seq_and_killed_ones_are_not_shown():
    history = History(SPACE, OBJECTIVE, FINISHED)
    assert [t.number for t in history.finished] == [1, 2, 3, 0, 4, 6]
    view = history.view()
    assert view.numbers.tolist() == [1, 2, 0, 4, 6]
    assert view.failed.tolist() == [True, False, False, True, False]
    assert view.censored.tolist() == [False, True, False, False, False]
    np.testing.assert_array_equal(view.Y[:, 0], [math.nan, -0.3, -0.5, math.nan, -0.7])
    assert view.in_space.tolist() == [True, True, True, True, False]
    assert np.isnan(view.X[4]).all()
    assert history.pending().shape == (1, 2)
    assert history.next_number == 7


def test_growing_equals_loading():
    grown = History(SPACE, OBJECTIVE)
    for number in range(40):
        grown.record(trial(number, 3 * number + 1))
        grown.record(trial(number, 3 * number + 2, TrialState.RUNNING))
        grown.record(trial(number, 3 * number + 3, TrialState.SUCCEEDED, 1 / (number + 1)))
    loaded = History(SPACE, OBJECTIVE, reversed(list(grown.trials.values())))
    assert loaded.finished == grown.finished
    np.testing.assert_array_equal(loaded.view().X, grown.view().X)
    np.testing.assert_array_equal(loaded.view().Y, grown.view().Y)
    assert not loaded.active
    assert not grown.active


def test_curve_belongs_to_the_current_attempt():
    history = History(SPACE, OBJECTIVE, [trial(0, 1)])
    history.report(0, [report(0.1), Measurement("loss", 2.0, "2.0", 0.0), report(math.nan)], 5)
    curve = history.curve(0)
    assert curve.values.tolist()[0] == 0.1
    assert math.isnan(curve.values[1])
    assert curve.seqs.tolist() == [5, 7]
    history.record(replace(trial(0, 8), attempt=2))
    assert len(history.curve(0)) == 0


def test_duplicates_are_found_whatever_the_order_of_parameters():
    history = History(SPACE, OBJECTIVE, [trial(0, 1, parameters={"x": 1.0, "c": "a"})])
    assert history.number_of({"c": "a", "x": 1.0}) == 0
    assert history.number_of({"c": "b", "x": 1.0}) is None
