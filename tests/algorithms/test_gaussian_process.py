"""The parts of the Gaussian-process optimiser: gradients, numbers far out, and what is and is not remembered."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize_scalar
from scipy.stats import norm

from algorithms.bayesian.acquisition import (
    Direction,
    HypervolumeScalarization,
    LogExpectedImprovement,
    LogProbabilityBelow,
    LogProbabilityOfImprovement,
    LowerConfidenceBound,
    Utility,
    log_improvement,
)
from algorithms.bayesian.anchors import Memory, anchor
from algorithms.bayesian.encoding import Encoding
from algorithms.bayesian.kernels import matern52, pairwise, squared_distances
from algorithms.bayesian.posterior import Posterior
from algorithms.bayesian.regression import Hyperparameters, _penalty, _Problem, fit
from algorithms.bayesian.search import Region, maximize
from algorithms.bayesian.trend import QuadraticTrend
from algorithms.bayesian.warp import bilog, by_the_distinct, half_rank, standardized, yeo_johnson
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from tests.algorithms.problems import KINDS_OF_SPACES, TREE

REALS = SearchSpace(tuple(Real(f"x{i}", 0, 1) for i in range(3)))
HYPER = Hyperparameters(np.array([4.0, 9.0, 1.0]), 1.3, 0.01)
TREND = Encoding(REALS).trend


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.random((n, 3))
    return points, standardized(np.sin(5 * points).sum(axis=1) + 0.1 * rng.standard_normal(n))


def process(pending: int = 0, trend: QuadraticTrend | None = None) -> Posterior:
    points, y = data(20)
    return Posterior(points, y, HYPER._replace(trend=trend), np.random.default_rng(1).random((pending, 3)))


def test_the_kernel_and_its_derivative() -> None:
    squared = np.array([1e-8, 0.01, 0.5, 3.0, 40.0])
    values, slopes = matern52(squared)
    r = np.sqrt(squared)
    assert values == pytest.approx((1 + 5**0.5 * r + 5 / 3 * squared) * np.exp(-(5**0.5) * r))
    steps = 1e-6 * squared
    numeric = (matern52(squared + steps)[0] - matern52(squared - steps)[0]) / (2 * steps)
    assert slopes[1:] == pytest.approx(numeric[1:], rel=1e-5)


@pytest.mark.parametrize("trend", [False, True], ids=["no trend", "trend"])
@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_the_likelihoods_gradient(n: int, trend: bool) -> None:
    points, y = data(n)
    encoding = Encoding(REALS)
    distances = pairwise(points, encoding.owner, encoding.varying)
    problem = _Problem(distances, y, TREND.covariance(points, points) if trend else None)
    at = np.array([0.3, -0.4, 1.1, 0.2, -3.0, -0.7])[: 6 if trend else 5]
    numeric = approx_fprime(at, lambda x: problem(x)[0], 1e-6)
    assert problem(at)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-4)


def test_the_priors_mode_is_where_its_source_has_it() -> None:
    """A density written for another variable has its mode elsewhere: that of exp(-0.1 / w - 0.1 w) is at w = 1."""

    def penalty(weight: float, scale: float = 1.0, noise: float = 0.1 / 30) -> float:
        return _penalty(np.array([weight]), scale, noise)[0]

    found = minimize_scalar(lambda log: penalty(math.exp(log)), bounds=(-3, 3), method="bounded")
    assert math.exp(found.x) == pytest.approx(1.0, abs=1e-3)
    scale = minimize_scalar(lambda log: penalty(1.0, math.exp(log)), bounds=(-3, 3), method="bounded")
    assert math.exp(scale.x) == pytest.approx(1.0, abs=1e-3)  # Gamma(2, 1)


def test_known_values_are_predicted_and_uncertainty_grows_with_distance() -> None:
    points, y = data(20)
    posterior = Posterior(points, y, HYPER._replace(noise=1e-6), np.empty((0, 3)))
    means, deviations = posterior.moments(points)
    assert means[:, 0] == pytest.approx(y, abs=1e-3)
    assert deviations.max() < 0.01
    assert posterior.moments(np.full((1, 3), 30.0))[1] == pytest.approx(HYPER.scale**0.5)


@pytest.mark.parametrize("name", KINDS_OF_SPACES)
def test_a_trend_is_measured_by_the_space(name: str) -> None:
    """Its variance at random points is about 1: that of (1 + |z|^2) / 2 with |z|^2 = 1 on average. Inactive parameters
    and lists of few values lie a little closer to the middle."""
    encoding = Encoding(KINDS_OF_SPACES[name])
    points = encoding.canonical(np.random.default_rng(0).random((500, len(encoding.axes))))
    features = encoding.features(points)
    variances = encoding.trend.variances(features)
    assert 0.4 < np.sqrt(variances).mean() < 1.6
    assert variances == pytest.approx(np.diag(encoding.trend.covariance(features, features)))


def test_a_narrow_turned_bowl_is_known_from_few_points_by_its_trend() -> None:
    """Fifteen coefficients are to be learned in four dimensions; axes of a Matern kernel know no direction."""
    rng = np.random.default_rng(0)
    space = SearchSpace(tuple(Real(f"x{i}", 0, 1) for i in range(4)))
    encoding, (turn, _) = Encoding(space), np.linalg.qr(rng.standard_normal((4, 4)))
    points, others = rng.random((30, 4)), rng.random((200, 4))

    def bowl(x: np.ndarray) -> np.ndarray:
        return ((x - 0.4) @ turn) ** 2 @ np.array([1.0, 10.0, 100.0, 1000.0])

    losses = bowl(points)
    y = (losses - losses.mean()) / losses.std()
    expected = (bowl(others) - losses.mean()) / losses.std()
    errors = [
        np.abs(
            Posterior(points, y, fit(encoding, points, y, trend=trend), np.empty((0, 4))).moments(others)[0][:, 0]
            - expected
        ).mean()
        for trend in (False, True)
    ]
    assert errors[1] < 0.02 < 0.1 < errors[0]


@pytest.mark.parametrize("trend", [None, TREND._replace(variance=0.7)], ids=["no trend", "trend"])
@pytest.mark.parametrize("pending", [0, 1, 5])
def test_moments_are_those_of_the_textbook(pending: int, trend: QuadraticTrend | None) -> None:
    """Rasmussen & Williams 2006, eq. 2.23 and 2.24; pending points shrink the deviation as known ones do."""
    posterior = process(pending, trend)
    points, y = data(20)
    at = np.random.default_rng(5).random((4, 3))

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        near = HYPER.scale * matern52(squared_distances(a, b, HYPER.weights))[0]
        if trend is None:
            return near
        z, w = ((x - 0.5) * 12**0.5 for x in (a, b))
        return near + 0.7 * ((1 + z @ w.T / 3) / 2) ** 2

    known = posterior.features
    inverse = np.linalg.inv(covariance(known, known) + HYPER.noise * np.eye(len(known)))
    expected = np.diag(covariance(at, at)) - np.einsum(
        "ij,jk,ik->i", covariance(at, known), inverse, covariance(at, known)
    )
    means, deviations = posterior.moments(at)
    assert deviations**2 == pytest.approx(expected, rel=1e-6)
    plain = covariance(at, points) @ np.linalg.solve(covariance(points, points) + HYPER.noise * np.eye(20), y)
    assert means.mean(axis=1) == pytest.approx(plain, abs=0.35 if pending else 1e-9)  # fantasies scatter around it


UTILITIES: dict[str, Callable[[], Utility]] = {
    "EI": lambda: LogExpectedImprovement(process()),
    "EI with pending trials": lambda: LogExpectedImprovement(process(3)),
    "EI with a trend": lambda: LogExpectedImprovement(process(3, TREND._replace(variance=0.7))),
    "PI": lambda: LogProbabilityOfImprovement(process(2)),
    "LCB": lambda: LowerConfidenceBound(process(2)),
    "constraint": lambda: LogProbabilityBelow(process(2), 0.3),
    "scalarization": lambda: HypervolumeScalarization(
        [process(1), Posterior(data(20)[0], data(20, 3)[1], HYPER, np.empty((0, 3)))],
        Direction(np.array([1.0, 2.0]), np.array([0.6, 0.8])),
    ),
}


@pytest.mark.parametrize("make", UTILITIES.values(), ids=UTILITIES)
def test_gradients_of_utilities(make: Callable[[], Utility]) -> None:
    utility = make()
    at = np.random.default_rng(9).random((6, 3))
    graded = utility.graded(at)
    assert graded.values == pytest.approx(utility.values(at), rel=1e-6)
    for row, gradient in zip(at, graded.gradients, strict=True):
        numeric = approx_fprime(row, lambda x: float(utility.values(x[None])[0]), 1e-6)
        assert gradient == pytest.approx(numeric, rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("z", [5.0, 0.5, 0.0, -0.5, -1.0, -3.0, -10.0, -30.0])
def test_log_improvement_is_the_logarithm_of_improvement(z: float) -> None:
    h = norm.pdf(z) + z * norm.cdf(z)
    if z < -5:  # the sum has lost its digits: the series of h does not
        h = norm.pdf(z) / z**2 * (1 - 3 / z**2 + 15 / z**4)
    assert log_improvement(np.array([z]))[0][0] == pytest.approx(math.log(h), rel=1e-4)


@given(st.floats(-1e12, 1e6))
def test_log_improvement_is_finite_and_rises(z: float) -> None:
    (value, above), slopes = log_improvement(np.array([z, z + abs(z) * 0.01 + 0.01]))
    assert math.isfinite(value)
    assert np.isfinite(slopes).all()
    assert above >= value


@pytest.mark.parametrize("warp", [half_rank, yeo_johnson], ids=lambda warp: warp.__name__)
@given(values=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_warps_keep_the_order_and_are_finite(warp: Callable, values: list[float]) -> None:
    losses = np.array(values)
    warped = standardized(warp(losses))
    assert np.isfinite(warped).all()
    order = np.argsort(losses, kind="stable")
    assert (np.diff(warped[order]) >= -1e-9).all()


def test_half_rank_does_not_care_how_bad_the_bad_ones_are() -> None:
    losses = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    far = np.array([1.0, 2.0, 3.0, 4.0, 5e4, 6e7, 7e80])
    assert half_rank(losses) == pytest.approx(half_rank(far))


@given(
    values=st.lists(st.floats(-1e306, 1e306), min_size=1, max_size=20),
    places=st.lists(st.floats(0, 1), min_size=20, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_the_distinct_alone_decide_and_all_stay_finite(values: list[float], places: list[float]) -> None:
    losses, apart = np.array(values), np.arange(len(values))[:, None] / len(values)
    assert by_the_distinct(half_rank, losses, apart) == pytest.approx(half_rank(losses), rel=1e-6, abs=1e-6)
    crowded = standardized(by_the_distinct(half_rank, losses, np.array(places[: len(values)])[:, None]))
    assert np.isfinite(crowded).all()
    assert (np.diff(crowded[np.argsort(losses, kind="stable")]) >= -1e-9).all()


def test_a_crowd_at_the_optimum_counts_once() -> None:
    """However many of its trials there are, the others are warped as if it were one."""
    losses, points = np.array([0.1, 3.0, 5.0, 9.0, 70.0]), np.linspace(0, 1, 5)[:, None]
    crowd = np.linspace(0.1001, 0.1009, 30)
    warped = by_the_distinct(
        half_rank, np.concatenate([losses, crowd]), np.concatenate([points, np.full((30, 1), 0.01)])
    )
    assert warped[:5] == pytest.approx(half_rank(losses))
    assert (np.diff(warped[[0, *range(5, 35), 1]]) > 0).all()


def test_bilog_keeps_the_border() -> None:
    assert bilog(np.array([-1.0, 0.0, 1.0])) == pytest.approx([-math.log(2), 0.0, math.log(2)])


@pytest.mark.parametrize("space", [*KINDS_OF_SPACES.values()], ids=[*KINDS_OF_SPACES])
def test_canonical_points_are_those_that_the_space_knows(space: SearchSpace) -> None:
    encoding = Encoding(space)
    points = np.random.default_rng(0).random((200, len(space)))
    canonical = encoding.canonical(points)
    for raw, row in zip(points, canonical, strict=True):
        expected = space.to_unit(space.from_unit(raw))
        assert (np.isnan(row) == np.isnan(expected)).all()
        listed = [j for j, axis in enumerate(encoding.axes) if axis.levels is not None]
        assert row[listed] == pytest.approx(expected[listed], nan_ok=True)
    assert encoding.canonical(canonical) == pytest.approx(canonical, nan_ok=True)


def test_categories_are_at_equal_distance_and_inactive_numbers_at_none() -> None:
    encoding = Encoding(TREE)
    plain = encoding.canonical(np.array([[0.1, 0.2, 0.3, 0.1, 0.5, 0.5], [0.1, 0.9, 0.8, 0.9, 0.5, 0.5]]))
    features = encoding.features(plain)
    weights = np.ones(features.shape[1])
    assert squared_distances(features, features, weights) == pytest.approx(np.zeros((2, 2)), abs=1e-12)
    space = SearchSpace((Choice("c", tuple("abc")), Real("x", 0, 1)))
    features = Encoding(space).features(Encoding(space).canonical(np.array([[0.1, 0.5], [0.5, 0.5], [0.9, 0.5]])))
    distances = squared_distances(features, features, np.ones(features.shape[1]))
    assert distances == pytest.approx(1 - np.eye(3))


BAD_DATA = {
    "one point": (np.full((1, 3), 0.5), np.zeros(1)),
    "repeats": (np.repeat(data(5)[0], 8, axis=0), np.repeat(data(5)[1], 8)),
    "constant values": (data(30)[0], np.zeros(30)),
    "a constant column": (data(30)[0] * np.array([1, 1, 0]), data(30)[1]),
    "all one point, other values": (np.full((20, 3), 0.3), data(20)[1]),
}


@pytest.mark.parametrize(("points", "y"), BAD_DATA.values(), ids=BAD_DATA)
def test_odd_data_is_fitted(points: np.ndarray, y: np.ndarray) -> None:
    found = fit(Encoding(REALS), points, y)
    posterior = Posterior(points, y, found, np.random.default_rng(0).random((2, 3)))
    utility = LogExpectedImprovement(posterior)
    assert np.isfinite(utility.values(np.random.default_rng(1).random((50, 3)))).all()
    assert np.isfinite(utility.graded(points).gradients).all()


def test_fifty_dimensions() -> None:
    space = SearchSpace(tuple(Real(f"x{i}", 0, 1) for i in range(50)))
    points = np.random.default_rng(0).random((60, 50))
    found = fit(Encoding(space), points, standardized(points[:, 0] - points[:, 1]))
    assert np.isfinite(found.weights).all()
    assert found.weights[:2].min() > found.weights[2:].mean()  # the two that matter


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 40, 100, 1000])
def test_anchors_grow_by_a_twentieth(count: int) -> None:
    assert anchor(count) <= count
    assert count - anchor(count) <= max(0, count // 20)
    assert anchor(anchor(count)) == anchor(count)


def test_memory_is_of_the_data_and_of_nothing_else() -> None:
    memory, calls = Memory(), []

    def fitting(value: float) -> Hyperparameters:
        def run() -> Hyperparameters:
            calls.append(value)
            return HYPER._replace(scale=value)

        return memory.recall(half_rank, (np.array([value]),), run)

    threads = [threading.Thread(target=fitting, args=(float(i % 3),)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = len(calls)
    assert [fitting(float(i)).scale for i in range(3)] == [0.0, 1.0, 2.0]
    assert len(calls) == before


class Bowl:
    """A utility whose maximum is known."""

    def __init__(self, centre: np.ndarray) -> None:
        self.centre = centre

    def values(self, features: np.ndarray) -> np.ndarray:
        return -((features - self.centre) ** 2).sum(axis=1)

    def graded(self, features: np.ndarray) -> object:
        from algorithms.bayesian.acquisition import Graded

        return Graded(self.values(features), -2 * (features - self.centre))


def test_the_search_finds_the_top_of_a_mixed_space() -> None:
    space = SearchSpace(
        (
            Real("x", 0, 1),
            Integer("n", 1, 9),
            Real("y", 1e-3, 1, Distribution.LOG_UNIFORM),
            Ordinal("o", (1, 2, 4)),
            Real("z", 0, 1, condition=Condition("o", (4,))),
        )
    )
    encoding = Encoding(space)
    centre = encoding.features(encoding.canonical(np.array([[0.213, 0.3, 0.77, 0.9, 0.421]])))[0]
    start = encoding.canonical(np.random.default_rng(0).random((40, 5)))
    best = maximize(Bowl(centre), encoding, Region.around(encoding, start[0], None), start)[0]
    assert encoding.features(best[None])[0] == pytest.approx(centre, abs=1e-3)
