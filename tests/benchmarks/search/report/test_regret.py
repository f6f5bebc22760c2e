"""Regret and hypervolume, on runs whose values are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.search.report.hypervolume import hypervolume, hypervolumes_so_far
from benchmarks.search.report.regret import FLOOR, regrets_of
from benchmarks.search.report.runs import read_runs, run_of
from katib.core.errors import PermanentError
from tests.benchmarks.search.report.logs import run_log, trial, write_logs


def curve(*logs, workers=1):
    """Regret after each trial of the first of the logs."""
    found = regrets_of([run_of(log) for log in logs])[workers]
    first = logs[0]
    place = found.algorithms.index(first.algorithm), found.problems.index(first.problem), found.seeds.index(first.seed)
    return found.values[place].tolist()


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        pytest.param(run_log([3, 5, 2], best=1.0, typical=5.0), [0.5, 0.5, 0.25], id="the best so far, in units"),
        pytest.param(run_log([-8, -9], best=-10.0, typical=-6.0), [0.5, 0.25], id="negative losses"),
        pytest.param(run_log([1, 0.5], best=1.0, typical=5.0), [FLOOR, FLOOR], id="never below the best"),
        pytest.param(run_log([9, 1], best=1.0, typical=5.0), [2, FLOOR], id="worse than a random point"),
        pytest.param(run_log([None, 9, None, 3], best=1.0, typical=5.0), [2, 2, 2, 0.5], id="failures first"),
        pytest.param(run_log([None, 3], best=1.0, typical=5.0), [1, 0.5], id="no success yet is at least 1"),
        pytest.param(run_log([None, None]), [1, 1], id="no success at all"),
        pytest.param(run_log([float("nan"), float("inf"), 0.5]), [1, 1, 0.5], id="losses that are no numbers"),
        pytest.param(run_log([4, 2, 3], best=None, typical=6.0), [0.5, FLOOR, FLOOR], id="best of the logs"),
        pytest.param(run_log([2, 2], best=None, typical=2.0), [FLOOR, FLOOR], id="typical is no unit"),
        pytest.param(
            run_log(best=0.0, typical=1.0, trials=(trial(0.1, violation=2.0), trial(0.6), trial(0.2, violation=0.1))),
            [1, 0.6, 0.6],
            id="infeasible trials",
        ),
        pytest.param(
            run_log(best=2.0, worst=(2.0, 2.0), trials=(trial(3.0, 0.0), trial(1.0, 1.0), trial(0.5, 1.5))),
            [1, 0.5, 0.375],
            id="two objectives",
        ),
        pytest.param(
            run_log(best=None, worst=(2.0, 2.0), trials=(trial(), trial(1.0, 1.0))), [1, FLOOR], id="best front of logs"
        ),
        pytest.param(run_log(best=None, worst=(2.0, 2.0), trials=(trial(),)), [1], id="no front at all"),
    ],
)
def test_regret(log, expected):
    assert curve(log) == pytest.approx(expected)


def test_the_best_and_the_worst_are_those_of_all_logs():
    here = run_log([None, 4, 2], best=None, typical=6.0)
    there = run_log([10, 0, 0], best=None, typical=6.0, algorithm="other", workers=8)
    assert curve(here, there) == pytest.approx([10 / 6, 4 / 6, 2 / 6])
    assert regrets_of([run_of(here), run_of(there)])[1].best_seen == ("bowl",)


def test_two_fronts_together_are_the_best():
    logs = [
        run_log(best=None, worst=(2.0, 2.0), algorithm=name, trials=(trial(*losses),))
        for name, losses in (("a", (0.0, 1.0)), ("b", (1.0, 0.0)))
    ]
    assert curve(*logs) == pytest.approx([1 / 3])  # each has 2 of 3


def test_an_exhausted_run_keeps_its_last_value_and_an_ended_one_has_none():
    logs = [
        run_log([0.5, 0.25], algorithm="spent", budget=4, exhausted=True),
        run_log([0.5, 0.25], algorithm="ended", budget=4, error="ValueError: no"),
        run_log([0.9] * 4, algorithm="whole"),
    ]
    found = regrets_of([run_of(log) for log in logs])[1]
    values = dict(zip(found.algorithms, found.values[:, 0, 0], strict=True))
    assert values["spent"].tolist() == [0.5, 0.25, 0.25, 0.25]
    assert values["ended"][:2].tolist() == [0.5, 0.25]
    assert np.isnan(values["ended"][2:]).all()
    assert found.logged.all()


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([(1, 2), (2, 1)], 3 * 2 + 2 * 1, id="two points"),
        pytest.param([(1, 2), (2, 1), (2, 2), (1, 2)], 8, id="dominated and equal ones add nothing"),
        pytest.param([(0, 4), (4, 0), (5, 5)], 0, id="none within the reference point"),
        pytest.param([(0, 0)], 16, id="the ideal point"),
        pytest.param([(0, 3), (1, 2), (2, 1), (3, 0)], 4 + 3 + 2 + 1, id="a staircase"),
    ],
)
def test_hypervolume(losses, expected):
    points = np.array(losses, dtype=float).reshape(-1, 2)
    assert hypervolume(points, (4.0, 4.0)) == pytest.approx(expected)
    assert hypervolume(points[::-1], (4.0, 4.0)) == pytest.approx(expected)


def test_the_hypervolume_of_zdt1s_front():
    """Its front is f2 = 1 - sqrt(f1): within (1, 1) it dominates 1 - integral of 1 - sqrt = 2/3."""
    first = np.linspace(0, 1, 20001)
    assert hypervolume(np.column_stack([first, 1 - np.sqrt(first)]), (1.0, 1.0)) == pytest.approx(2 / 3, abs=1e-4)


def test_hypervolumes_so_far_are_those_of_each_beginning():
    rng = np.random.default_rng(0)
    losses, feasible = rng.random((40, 2)), rng.random(40) < 0.7
    found = hypervolumes_so_far(losses, feasible, (0.8, 0.9))
    assert found == pytest.approx([hypervolume(losses[: i + 1][feasible[: i + 1]], (0.8, 0.9)) for i in range(40)])


def test_three_objectives_are_refused():
    log = run_log(worst=(1.0, 1.0, 1.0), best=None, trials=(trial(0.1, 0.2, 0.3),))
    with pytest.raises(PermanentError, match="2 objectives, got 3"):
        regrets_of([run_of(log)])


def test_reading(tmp_path):
    logs = [run_log([0.5]), run_log([0.5, 0.4], suite="full"), run_log([0.1], seed=1)]
    write_logs(tmp_path, logs)
    (tmp_path / "toys/bowl/random/w1-s7.json").write_text("{")
    (tmp_path / "toys/bowl/random/w1-s8.json.part").write_text("{")
    uneven = run_log(algorithm="uneven", trials=(trial(1.0, 2.0),))
    write_logs(tmp_path, [uneven])
    found = read_runs(tmp_path)
    assert sorted((run.seed, run.length) for run in found.runs) == [(0, 2), (1, 1)]
    assert list(found.unreadable) == ["toys/bowl/random/w1-s7.json", "toys/bowl/uneven/w1-s0.json"]
    assert "2 losses" in found.unreadable["toys/bowl/uneven/w1-s0.json"]
