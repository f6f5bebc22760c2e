"""Points of former experiments in another space, their ranks, and how far a new experiment's trials bear them out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.core.constraints import Constraint
from katib.core.history import History
from katib.core.objective import MetricSummary, Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.transfer import FormerPoints, Relevance, carried_over, relevance, spread
from katib.core.trial import Key, Trial, TrialState
from katib.core.warm_start import FormerTrial, Source

SPACE = SearchSpace(
    (
        Real("rate", 1e-4, 1.0, Distribution.LOG_UNIFORM),
        Integer("layers", 1, 9, step=2),
        Ordinal("batch", (16, 32, 64), ("16", "32", "64"), default=32),
        Choice("optimizer", ("sgd", "adam")),
        Real("momentum", 0.0, 1.0, condition=Condition("optimizer", ("sgd",))),
    ),
    constraints=(Constraint("layers * batch < 500"),),
)
ADAM = {"rate": 0.01, "layers": 3, "batch": 16, "optimizer": "adam"}


@pytest.mark.parametrize(
    ("former", "point"),
    [
        pytest.param(ADAM, ADAM, id="the-same"),
        pytest.param({**ADAM, "epochs": 7}, ADAM, id="unknown-here-is-left-out"),
        pytest.param({"rate": 0.01, "layers": 3, "optimizer": "adam"}, {**ADAM, "batch": 32}, id="missing-has-default"),
        pytest.param(
            {"layers": 3, "batch": 16, "optimizer": "adam"}, {**ADAM, "rate": 0.01}, id="missing-is-in-the-middle"
        ),
        pytest.param({**ADAM, "layers": 4}, {**ADAM, "layers": 5}, id="nearest-step"),
        pytest.param({**ADAM, "rate": "0.01", "layers": "3", "batch": "16"}, ADAM, id="texts-that-are-numbers"),
        pytest.param({**ADAM, "batch": 16.0}, ADAM, id="other-type"),
        pytest.param({**ADAM, "momentum": 0.5}, ADAM, id="inactive-here"),
        pytest.param({**ADAM, "optimizer": "sgd"}, {**ADAM, "optimizer": "sgd", "momentum": 0.5}, id="active-here"),
        pytest.param({**ADAM, "rate": 2.0}, None, id="beyond-the-range"),
        pytest.param({**ADAM, "batch": 128}, None, id="not-in-the-list"),
        pytest.param({**ADAM, "optimizer": "ftrl"}, None, id="no-such-choice"),
        pytest.param({**ADAM, "rate": "fast"}, None, id="no-number"),
        pytest.param({**ADAM, "rate": None}, None, id="nothing"),
        pytest.param({**ADAM, "layers": 9, "batch": 64}, None, id="forbidden"),
    ],
)
def test_points_of_another_space(former, point):
    found = carried_over(SPACE, former)
    assert found == (None if point is None else pytest.approx(point))
    if found is not None:
        assert SPACE.check(found) == found
        assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in point.items()}


@given(ranked=st.integers(0, 300), most=st.integers(1, 120))
def test_what_is_kept_of_many(ranked, most):
    kept = spread(ranked, most)
    assert len(kept) == min(ranked, most)
    assert kept == sorted(set(kept))
    assert kept[: (most + 1) // 2] == list(range(min(ranked, (most + 1) // 2)))
    assert not kept or kept[-1] == ranked - 1 or most <= 3  # of two or three, one stands for all other ranks


BOX = SearchSpace((Real("x", 0.0, 1.0), Real("y", 0.0, 1.0)))


def source(function, count=30, seed=0, name="former"):
    rows = np.random.default_rng(seed).random((count, 2))
    points = [{"x": float(x), "y": float(y)} for x, y in rows]
    return Source(
        Key("default", name), tuple(FormerTrial(f"t{i}", p, (function(p),)) for i, p in enumerate(points)), count
    )


def bowl(point):
    return (point["x"] - 0.3) ** 2 + (point["y"] - 0.6) ** 2


def history_of(function, points, sources=()):
    trials = []
    for number, (x, y) in enumerate(points):
        value = function({"x": x, "y": y})
        observation = {"loss": MetricSummary(value, value, value, str(value), 0.0, 1)}
        parameters = {"x": float(x), "y": float(y)}
        trials.append(
            Trial(number, f"n{number}", parameters, state=TrialState.SUCCEEDED, seq=number + 1, observation=observation)
        )
    return History(BOX, Objective("loss"), trials, sources=sources)


def test_scores_are_ranks_whatever_the_scale():
    plain, scaled = FormerPoints(BOX, source(bowl)), FormerPoints(BOX, source(lambda p: 1e6 * np.exp(3 * bowl(p)) - 5))
    assert plain.points == scaled.points
    assert np.allclose(plain.scores, scaled.scores)
    assert (np.diff(plain.scores) > 0).all()
    assert plain.points[0] == min((t.parameters for t in plain.source.trials), key=bowl)


def test_equal_points_are_one_and_equal_values_share_a_rank():
    point, other, third = ({"x": x, "y": 0.5} for x in (0.1, 0.2, 0.3))
    trials = (
        FormerTrial("a", point, (1.0,)), FormerTrial("b", {**point, "z": 9}, (3.0,)),
        FormerTrial("c", other, (2.0,)), FormerTrial("d", third, (5.0,)),
    )  # fmt: skip
    found = FormerPoints(BOX, Source(Key("default", "a"), trials, 4))
    assert len(found.points) == 3
    assert found.scores[0] == found.scores[1] < found.scores[2]


def test_predictions_interpolate():
    former = FormerPoints(BOX, source(bowl, count=60))
    X = np.random.default_rng(1).random((200, 2))
    true = np.array([bowl({"x": x, "y": y}) for x, y in X])
    assert np.corrcoef(np.argsort(np.argsort(former.predict(X))), np.argsort(np.argsort(true)))[0, 1] > 0.95


@pytest.mark.parametrize(
    ("function", "confirmed", "refuted"),
    [
        pytest.param(lambda p: 40 * bowl(p) + 3, True, False, id="the-same-on-another-scale"),
        pytest.param(lambda p: bowl({"x": p["x"] + 0.05, "y": p["y"] - 0.05}), True, False, id="moved-a-little"),
        pytest.param(lambda p: -bowl(p), False, True, id="the-opposite"),
    ],
)
def test_relevance_is_found_out(function, confirmed, refuted):
    former = FormerPoints(BOX, source(bowl))
    X = np.random.default_rng(2).random((8, 2))
    judged = relevance(former, X, np.array([function({"x": x, "y": y}) for x, y in X]))
    assert (judged.confirmed, judged.refuted) == (confirmed, refuted)


@pytest.mark.parametrize(
    ("judged", "confirmed", "refuted"),
    [
        pytest.param(Relevance(1.0, 2), False, False, id="too-few"),
        pytest.param(Relevance(1.0, 3), True, False, id="three-in-order"),
        pytest.param(Relevance(0.33, 3), False, False, id="by-chance"),
        pytest.param(Relevance(0.33, 10), True, False, id="more-of-them"),
        pytest.param(Relevance(-1.0, 3), False, False, id="not-yet"),
        pytest.param(Relevance(0.0, 4), False, True, id="of-no-use"),
    ],
)
def test_rules_of_relevance(judged, confirmed, refuted):
    assert (judged.confirmed, judged.refuted) == (confirmed, refuted)


def test_best_points_first_and_apart():
    sources = [source(bowl)]
    history = history_of(bowl, [], sources)
    first = history.prior.next_point(history, 3)
    assert first == history.prior.sources[0].points[0]
    tried = []
    while (
        point := history_of(bowl, [(p["x"], p["y"]) for p in tried], sources).prior.next_point(
            history_of(bowl, [(p["x"], p["y"]) for p in tried], sources), 3
        )
    ) is not None:
        tried.append(point)
    assert len(tried) == 3
    rows = np.array([[p["x"], p["y"]] for p in tried])
    distances = np.linalg.norm(rows[:, None] - rows[None, :], axis=2)[np.triu_indices(3, 1)]
    assert distances.min() >= 0.1 * np.sqrt(2)


def test_sources_take_turns_and_a_refuted_one_gets_none():
    good, bad = source(bowl, name="good", seed=3), source(lambda p: -bowl(p), name="bad", seed=4)
    known = {
        str(p): former.source.key.name
        for former in history_of(bowl, [], [bad, good]).prior.sources
        for p in former.points
    }

    def origin(history):
        return known[str(history.prior.next_point(history, 50))]

    empty = history_of(bowl, [], [bad, good])
    assert origin(empty) == "bad"  # nothing is known yet: the user's order
    asked = history_of(bowl, [tuple(empty.prior.next_point(empty, 9).values())], [bad, good])
    assert origin(asked) == "good"
    random = np.random.default_rng(5).random((6, 2)).tolist()
    told = history_of(bowl, random, [bad, good])
    assert [judged.refuted for judged in told.prior.relevances(told)] == [True, False]
    tried = [tuple(point) for point in random]
    for _ in range(5):
        history = history_of(bowl, tried, [bad, good])
        assert origin(history) == "good"
        tried.append(tuple(history.prior.next_point(history, 50).values()))


def test_evidence_is_on_the_new_scale_and_only_if_confirmed():
    def scaled(point):
        return 50 * bowl(point) + 100

    points = np.random.default_rng(6).random((10, 2)).tolist()
    history = history_of(scaled, points, [source(bowl, count=60)])
    X, losses = history.prior.evidence(history, 20)
    assert X.shape == (20, 2)
    assert 80 < losses.min() < 115
    true = np.array([scaled({"x": x, "y": y}) for x, y in X])
    assert np.corrcoef(true, losses)[0, 1] > 0.8
    assert history.prior.evidence(history, 0) is None
    assert (
        history_of(lambda p: -scaled(p), points, [source(bowl)]).prior.evidence(
            history_of(lambda p: -scaled(p), points, [source(bowl)]), 20
        )
        is None
    )
    assert (
        history_of(scaled, points[:2], [source(bowl)]).prior.evidence(
            history_of(scaled, points[:2], [source(bowl)]), 20
        )
        is None
    )


def test_another_space_sees_the_sources_anew():
    history = history_of(bowl, [], [source(bowl)])
    narrow = SearchSpace((Real("x", 0.0, 0.5), Real("y", 0.0, 1.0)), revision=1)
    moved = history.within(narrow)
    assert 0 < len(moved.prior.sources[0].points) < len(history.prior.sources[0].points)
    assert all(point["x"] <= 0.5 for point in moved.prior.sources[0].points)
    assert moved.within(BOX).prior.sources[0].points == history.prior.sources[0].points


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [Source(Key("default", "empty"))],
        [Source(Key("default", "far"), (FormerTrial("t", {"x": 9.0, "y": 0.0}, (1.0,)),), 1)],
    ],
)
def test_nothing_to_learn_from(sources):
    history = history_of(bowl, [(0.1, 0.2)], sources)
    assert history.prior.next_point(history, 3) is None
    assert history.prior.evidence(history, 10) is None
