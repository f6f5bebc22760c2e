"""The continuous problems: rotations, optima, offsets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.search.problems import BBOB, DIMENSIONS, bbob
from benchmarks.search.problems import bbob_functions as functions

EVERY = [pytest.param(name, d, id=f"{name}-{d}d") for name in BBOB for d in DIMENSIONS]


def test_every_function_has_a_name():
    assert tuple(functions.FUNCTIONS) == BBOB
    assert len({shape.number for shape in functions.FUNCTIONS.values()}) == len(BBOB)


@pytest.mark.parametrize(("name", "dimension"), EVERY)
def test_the_optimum_is_where_it_says(name, dimension):
    problem = bbob.problem(name, dimension)
    terrain = problem.function.terrain
    assert np.all(np.abs(terrain.optimum) <= 4)
    at_optimum = problem.function.values(terrain.optimum[None])
    assert at_optimum == pytest.approx([problem.best], abs=1e-9)
    rng = np.random.default_rng(5)
    near = np.clip(terrain.optimum + rng.standard_normal((500, dimension)) * 10 ** rng.uniform(-6, 0, (500, 1)), -5, 5)
    anywhere = rng.uniform(-5, 5, (500, dimension))
    values = problem.function.values(np.vstack((near, anywhere)))
    assert np.all(values >= problem.best - 1e-9)
    assert problem.typical > np.median(values[:500])  # being near is worth something


@pytest.mark.parametrize(("name", "dimension"), EVERY)
def test_terrain(name, dimension):
    shape = functions.FUNCTIONS[name]
    terrain = shape.terrain(dimension)
    for matrix in (terrain.rotation, terrain.second):
        assert matrix @ matrix.T == pytest.approx(np.eye(dimension), abs=1e-12)
        assert np.max(np.abs(matrix - np.diag(np.diag(matrix)))) > 0.05
    again = shape.terrain(dimension)
    assert all(np.array_equal(mine, other) for mine, other in zip(terrain, again, strict=True))
    assert -1000 <= shape.offset(dimension) <= 1000


@pytest.mark.parametrize(("name", "dimension"), EVERY)
def test_a_batch_has_the_values_of_its_points(name, dimension):
    problem = bbob.problem(name, dimension)
    x = np.random.default_rng(1).uniform(-5, 5, (3, dimension))
    together = problem.function.values(x)
    for point, value in zip(x, together, strict=True):
        parameters = problem.space.check({f"x{i + 1}": float(v) for i, v in enumerate(point)})
        assert problem.function(parameters, np.random.default_rng(0)).true["loss"] == pytest.approx(value, rel=1e-9)


PLAIN = functions.Terrain(np.zeros(2), np.eye(2), np.eye(2))
AT_ONE = functions.Terrain(np.ones(2), np.eye(2), np.eye(2))
VALUES = {  # worked out by hand on terrains that turn nothing
    "sphere": ("sphere", PLAIN, (3.0, 4.0), 25.0),
    "ellipsoid, where T_osz changes nothing": ("ellipsoid", PLAIN, (1.0, 0.0), 1.0),
    "ellipsoid, steep axis": ("ellipsoid", PLAIN, (0.0, 1.0), 1e6),
    "rastrigin at an integer": ("rastrigin", PLAIN, (1.0, 0.0), 1.0),
    "rosenbrock on the valley's floor": ("rosenbrock", AT_ONE, (0.0, 0.0), 1.0),
    "rosenbrock off it": ("rosenbrock", AT_ONE, (0.0, 1.0), 101.0),
    "sector, good side": ("attractive-sector", AT_ONE, (0.0, 1.0), 1.0),
    "step, plateau at 1": ("step-ellipsoid", PLAIN, (1.2, 0.0), 0.1),
    "step, fine plateau": ("step-ellipsoid", PLAIN, (0.32, 0.0), 0.1 * 0.3**2),
    "ridge, along": ("sharp-ridge", PLAIN, (3.0, 0.0), 9.0),
    "ridge, across": ("sharp-ridge", PLAIN, (0.0, 1.0), 100 * math.sqrt(10)),
    "different powers": ("different-powers", PLAIN, (2.0, 2.0), math.sqrt(4 + 64)),
    "weierstrass, period of 1": ("weierstrass", PLAIN, (1.0, 0.0), 0.0),
    "griewank-rosenbrock": ("griewank-rosenbrock", AT_ONE, (0.0, 0.0), 10 * (1 / 4000 - math.cos(1)) + 10),
    "katsuura at an integer": ("katsuura", PLAIN, (1.0, 0.0), 0.0),
    "katsuura": ("katsuura", PLAIN, (0.25, 0.0), 10 / 4 * (1.25 ** (10 / 2**1.2) - 1)),
    "schaffers": ("schaffers", PLAIN, (1.0, 0.0), (1 + math.sin(50) ** 2) ** 2),
    "ackley at an integer": ("ackley", PLAIN, (1 / 6.5536, 1 / 6.5536), 20 * (1 - math.exp(-0.2))),
    "levy": ("levy", PLAIN, (2.0, 0.0), 1 + 10 * math.sin(1) ** 2),
}


@pytest.mark.parametrize(("name", "terrain", "point", "value"), VALUES.values(), ids=VALUES)
def test_values(name, terrain, point, value):
    found = functions.FUNCTIONS[name].values(np.array([point]), terrain)
    assert found == pytest.approx([value], rel=1e-9, abs=1e-9)


def test_peaks():
    """The best peak is the optimum; the others are lower, and as many as the report says."""
    problem = bbob.problem("gallagher", 2)
    peaks = functions._peaks(2)
    assert peaks.heights[0] == 10
    assert max(peaks.heights[1:]) == pytest.approx(9.1)
    assert len(peaks.centres) == 101
    on_peaks = problem.function.values(peaks.centres[1:]) - problem.best
    alone = functions.oscillate(10 - peaks.heights[1:]) ** 2
    assert np.all(on_peaks <= alone + 1e-9)
    assert np.mean(np.isclose(on_peaks, alone)) > 0.2  # the others stand in the slopes of higher ones


def test_transformations():
    x = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    bent = functions.oscillate(x)
    assert bent[0, [1, 2, 3]] == pytest.approx([-1, 0, 1])
    assert np.all(np.abs(bent - x) <= 0.25)
    assert np.array_equal(functions.skew(x, 0.5)[x <= 0], x[x <= 0])
    assert functions.skew(x, 0.5)[0, 4] == pytest.approx(2 ** (1 + 0.5 * math.sqrt(2)))
