"""The special problems: each has the difficulty that it is named for, and its optimum where it says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from benchmarks.search.problems import SPECIAL, discrete, problem, smooth, special, structured
from benchmarks.search.problems.parts import random_points

OPTIMA = {
    "noisy": dict(zip((f"x{i + 1}" for i in range(6)), smooth.HARTMANN_OPTIMUM, strict=True)),
    "failing": dict(zip((f"x{i + 1}" for i in range(4)), map(float, smooth.FAILING_OPTIMUM), strict=True)),
    "mixed": discrete.MIXED_OPTIMUM,
    "tree": structured.TREE_OPTIMUM,
    "cliff": structured.CLIFF_OPTIMUM,
    "vessel": structured.vessel_optimum(),
}


def rng(seed=0):
    return np.random.default_rng(seed)


def test_every_problem_has_a_name():
    assert tuple(special.PLANS) == SPECIAL


@pytest.mark.parametrize("name", OPTIMA)
def test_optimum(name):
    loaded = problem(name)
    point = loaded.space.check(OPTIMA[name])
    true = loaded.function(point, rng()).true
    assert true[loaded.objective.metric] == pytest.approx(loaded.best, abs=1e-7)


@pytest.mark.parametrize("name", [name for name in OPTIMA if name != "vessel"])
def test_nothing_near_the_optimum_is_better(name):
    loaded = problem(name)
    centre = loaded.space.to_unit(OPTIMA[name])
    for scale in (1e-4, 1e-2, 0.1):
        for step in rng(1).standard_normal((100, len(centre))) * scale:
            point = loaded.space.from_unit(np.nan_to_num(np.clip(centre + step, 0, 1), nan=0.5))
            evaluation = loaded.function(point, rng())
            assert evaluation.failed or evaluation.true["loss"] >= loaded.best - 1e-9


def test_noise_grows_along_the_first_coordinate():
    def deviation(x1):
        point = {"x1": x1, **{f"x{i}": 0.5 for i in range(2, 7)}}
        found = [problem("noisy").function(point, rng(seed)) for seed in range(400)]
        assert len({e.true["loss"] for e in found}) == 1
        return np.std([e.observed["loss"] - e.true["loss"] for e in found])

    assert deviation(0.0) == pytest.approx(0.05, rel=0.15)
    assert deviation(1.0) == pytest.approx(0.5, rel=0.15)


def test_a_third_fails():
    loaded = problem("failing")
    points = random_points(loaded.space, 2000, seed=7)
    failed = [loaded.function(point, rng()).failed for point in points]
    assert np.mean(failed) == pytest.approx(1 / 3, abs=0.04)
    centres = [centre for centre, _ in smooth.FAILING_BALLS]
    assert all(smooth.fails(centre) for centre in (*centres, np.array([1.0, 1.0, 0.0, 1.0])))


def test_categories_by_exhaustion():
    losses = discrete.category_losses()
    assert losses.shape == discrete.LEVELS
    names = [[str(value) for value in parameter.values] for parameter in discrete.CATEGORIES]
    for place in [np.unravel_index(losses.argmin(), losses.shape), (0,) * 8, (1, 2, 3, 0, 4, 5, 6, 7)]:
        point = {f"c{i + 1}": names[i][level] for i, level in enumerate(place)}
        assert discrete.categories(point, rng()).true["loss"] == pytest.approx(losses[place])
    assert problem("categories").best == losses.min()


def test_categories_interact():
    """The best level of each factor, chosen one after the other from anywhere, is not always the best point."""
    losses = discrete.category_losses()
    single = [losses.mean(axis=tuple(k for k in range(8) if k != i)).argmin() for i in range(8)]
    assert losses[tuple(single)] > losses.min() + 0.1


def test_grid_has_sixty_points():
    loaded = problem("grid")
    assert loaded.space.cardinality == 60
    every = [dict(zip(("kind", "size", "depth"), p, strict=True)) for p in product("abc", (1, 4, 16, 64), range(1, 6))]
    values = [loaded.function(point, rng()).true["loss"] for point in every]
    assert len(set(values)) == 60
    assert min(values) == loaded.best


def test_inactive_parameters_do_not_matter():
    loaded = problem("tree")
    models = set()
    for point in random_points(loaded.space, 300):
        models.add((point["model"], point.get("optimizer"), point.get("layers")))
        value = loaded.function(point, rng()).true
        inactive = {p.name: p.from_unit(0.9) for p in loaded.space if p.name not in point}
        assert loaded.function({**point, **inactive}, rng()).true == value
    assert len(models) == 2 + 2 * 3


def test_active_parameters_matter():
    loaded = problem("tree")
    for point in random_points(loaded.space, 30):
        value = loaded.function(point, rng()).true["loss"]
        for name in set(point) - {"model", "optimizer", "layers"}:
            moved = {
                **point,
                name: loaded.space[name].from_unit(0.97 if point[name] != loaded.space[name].from_unit(0.97) else 0.03),
            }
            if not (name == "scaling" and point["model"] == "forest"):
                assert loaded.function(moved, rng()).true["loss"] != value, (name, point)


def test_beyond_the_cliff_losses_are_huge():
    loaded = problem("cliff")
    found = np.array([loaded.function(point, rng()).true["loss"] for point in random_points(loaded.space, 1000)])
    assert np.mean(found >= 1e3) == pytest.approx(0.25, abs=0.1)
    assert not np.any((found > 20) & (found < 1e3))
    assert found.max() > 1e7


def test_vessel_against_the_literature_and_exhaustion():
    """6059.714335 with plates of 13 and 7 sixteenths (Coello Coello, 2000); no other plates are cheaper."""
    loaded = problem("vessel")
    assert loaded.best == pytest.approx(6059.714335, abs=1e-6)
    cheapest = {}
    for i, j in product(range(4, 40), range(2, 30)):
        shell, head = i / 16, j / 16
        radius = np.linspace(10, min(shell / 0.0193, head / 0.00954, 200), 400)
        length = np.maximum(1_296_000 / (np.pi * radius**2) - 4 / 3 * radius, 10)
        cost = structured.vessel_cost(shell, head, radius, length)[length <= 200]
        cheapest[i, j] = cost.min() if len(cost) else np.inf
    assert min(cheapest, key=cheapest.get) == (13, 7)
    assert cheapest[13, 7] == pytest.approx(loaded.best, rel=1e-6)


def test_vessel_constraints():
    loaded = problem("vessel")
    shares = np.array(
        [
            loaded.objective.constraints[k].violation(loaded.function(point, rng()).true) <= 0
            for point in random_points(loaded.space, 500)
            for k in range(3)
        ]
    ).reshape(-1, 3)
    assert np.all((shares.mean(axis=0) > 0.3) & (shares.mean(axis=0) < 0.95))
    assert 0.2 < shares.all(axis=1).mean() < 0.6
    optimum = loaded.function(structured.vessel_optimum(), rng()).true
    assert all(c.violation(optimum) <= 1e-9 for c in loaded.objective.constraints)
