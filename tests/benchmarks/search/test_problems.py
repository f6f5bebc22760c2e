"""What holds of every problem, the registry, and the suites."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.problems import ALL, problem
from benchmarks.search.problems.parts import random_points
from benchmarks.search.suites import SUITES, suite
from katib.core.errors import UnknownNameError
from katib.core.objective import MetricSummary

ROOT = Path(__file__).parents[3]
NAMES = [
    pytest.param(name, id=name, marks=[pytest.mark.requires("bench")] if entry.family == "scikit-learn" else [])
    for name, entry in ALL.items()
    if not entry.needs_data and not name.endswith(("-10d", "-20d"))
]


def losses(problem, point, evaluation):
    observation = {metric: MetricSummary(value, value, value) for metric, value in evaluation.true.items()}
    return problem.objective.losses(observation)


@pytest.mark.parametrize("name", NAMES)
def test_random_points(name):
    """Same point, same stream: the same evaluation. No problem touches the global generator or takes no time."""
    loaded = problem(name)
    assert (loaded.name, loaded.family) == (name, ALL[name].family)
    np.random.seed(3)
    before = np.random.get_state()[1].tolist()
    for place, point in enumerate(random_points(loaded.space, 5 if loaded.family == "scikit-learn" else 50)):
        first = loaded.function(point, np.random.default_rng(place))
        again = loaded.function(dict(point), np.random.default_rng(place))
        assert first == again
        assert first.seconds > 0
        assert first.failed == (not first.true)
        if not first.failed:
            assert set(first.observed) == set(first.true) == set(loaded.objective.metrics)
            assert np.isfinite([*first.observed.values(), *first.true.values()]).all()
            if loaded.best is not None and not loaded.worst:
                observation = {m: MetricSummary(v, v, v) for m, v in first.true.items()}
                feasible = all(v <= 0 for v in loaded.objective.violations(point, observation))
                assert not feasible or losses(loaded, point, first)[0] >= loaded.best - 1e-9
    assert np.random.get_state()[1].tolist() == before


def test_durations_differ():
    loaded = problem("sphere-2d")
    (point,) = random_points(loaded.space, 1)
    seconds = [loaded.function(point, np.random.default_rng(i)).seconds for i in range(200)]
    assert np.std(np.log(seconds)) == pytest.approx(0.5, abs=0.1)
    assert np.median(seconds) == pytest.approx(1, abs=0.15)


def test_names_cost_nothing():
    code = (
        "import sys, benchmarks.search.suites; "
        "print([n for n in ('sklearn', 'onnxruntime', 'scipy', 'benchmarks.search.problems.bbob') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_unknown_names():
    with pytest.raises(UnknownNameError, match=r"unknown problem 'sphere2d' \(did you mean 'sphere-2d'\?\)"):
        problem("sphere2d")
    with pytest.raises(UnknownNameError, match=r"unknown suite 'ful' \(did you mean 'full'\?\)"):
        suite("ful")


def test_suites():
    assert all(name in ALL for names in SUITES.values() for name in names)
    assert all(len(set(names)) == len(names) for names in SUITES.values())
    assert not set(SUITES["tuning"]) & set(SUITES["held-out"])
    assert sorted(SUITES["full"]) == sorted([*SUITES["tuning"], *SUITES["held-out"]])
    assert suite("sphere-20d") == ("sphere-20d",)


def test_halves_are_alike():
    for family in {ALL[name].family for name in SUITES["full"]}:
        counts = [sum(ALL[name].family == family for name in SUITES[half]) for half in ("tuning", "held-out")]
        assert abs(counts[0] - counts[1]) <= 1, family
    for half in ("tuning", "held-out"):
        dimensions = {name.rsplit("-", 1)[1] for name in SUITES[half] if ALL[name].family == "bbob"}
        assert dimensions == {"2d", "5d", "10d", "20d"}
