"""Two objectives: fronts, areas, and what is best."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.search.problems import MULTI_OBJECTIVE, latency, multi_objective, problem
from benchmarks.search.problems.parts import random_losses
from benchmarks.search.report.hypervolume import hypervolume


def rng():
    return np.random.default_rng(0)


def test_every_problem_has_a_name():
    assert tuple(multi_objective.PLANS) == MULTI_OBJECTIVE


def front_of(name):
    """True losses of points on the front: x2 to x6 at 0."""
    loaded = problem(name)
    points = [{"x1": float(x), **{f"x{i}": 0.0 for i in range(2, 7)}} for x in np.linspace(0, 1, 2001)]
    true = [loaded.function(point, rng()).true for point in points]
    return np.array([(t["f1"], t["f2"]) for t in true])


@pytest.mark.parametrize("name", ["zdt1", "zdt2", "zdt3"])
def test_best_is_the_area_of_the_front(name):
    """A coarse front has nearly the area, and no more."""
    loaded = problem(name)
    area = hypervolume(front_of(name), loaded.worst)
    assert loaded.best - 2e-3 < area <= loaded.best
    assert 0 < loaded.typical < loaded.best


@pytest.mark.parametrize("name", ["zdt1", "zdt2", "zdt3"])
def test_nothing_is_beyond_the_front(name):
    loaded = problem(name)
    front, random = front_of(name), random_losses(loaded.space, loaded.objective, loaded.function)
    assert np.all(random < loaded.worst)
    together = hypervolume(np.vstack((front, random)), loaded.worst)
    assert together == pytest.approx(hypervolume(front, loaded.worst), abs=1e-9)


VALUES = {  # by hand, at x1 = 0.25 and x2 .. x6 = 1/3, where g = 4
    "zdt1": 4 * (1 - 0.25),
    "zdt2": 4 * (1 - 1 / 256),
    "zdt3": 4 * (1 - 0.25 - np.sin(2.5 * np.pi) / 16),
}


@pytest.mark.parametrize(("name", "f2"), VALUES.items(), ids=VALUES)
def test_values(name, f2):
    point = {"x1": 0.25, **{f"x{i}": 1 / 3 for i in range(2, 7)}}
    assert problem(name).function(point, rng()).true == pytest.approx({"f1": 0.25, "f2": f2})


def test_networks_by_exhaustion():
    loaded = problem("accuracy-latency")
    losses = latency.network_losses()
    assert len(losses) == loaded.space.cardinality
    ordered = losses[np.lexsort((losses[:, 1], losses[:, 0]))]
    front = ordered[np.append(True, ordered[1:, 1] < np.minimum.accumulate(ordered[:, 1])[:-1])]
    inside = front[np.all(front < loaded.worst, axis=1)]
    assert len(inside) > 50
    assert hypervolume(inside, loaded.worst) == pytest.approx(loaded.best)
    every = {tuple(row) for row in losses.round(9)}
    random = random_losses(loaded.space, loaded.objective, loaded.function, 100)
    assert {tuple(row) for row in random.round(9)} <= every


def test_networks_trade_accuracy_for_latency():
    """Larger ones are more accurate and slower; every arithmetic, and attention or none, is on the front somewhere."""
    loaded = problem("accuracy-latency")
    small = {"blocks": 2, "width": 16, "resolution": 96, "kernel": 3, "expansion": 1, "attention": False}
    large = {**small, "blocks": 5, "width": 96, "resolution": 160, "expansion": 4}
    for precision in ("float32", "float16", "int8"):
        few, many = (loaded.function({**p, "precision": precision}, rng()).true for p in (small, large))
        assert few["accuracy"] < many["accuracy"]
        assert few["latency"] < many["latency"]
    losses = latency.network_losses().reshape(3, 2, -1, 2)
    whole = hypervolume(losses.reshape(-1, 2), loaded.worst)
    for without in ((0, slice(None)), (1, slice(None)), (2, slice(None)), (slice(None), 0), (slice(None), 1)):
        rest = losses.copy()
        rest[without] = loaded.worst
        assert hypervolume(rest.reshape(-1, 2), loaded.worst) < whole - 0.1, without
