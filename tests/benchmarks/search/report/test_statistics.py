"""Bootstrap, ranks, tests of difference, trials to reach, costs: against answers known by hand or from papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.search.report import bootstrap
from benchmarks.search.report.bootstrap import (
    hierarchical_means,
    interval,
    lower_median,
    median,
    median_draws,
    nan_median,
)
from benchmarks.search.report.costs import seconds_at, shares, waste
from benchmarks.search.report.medians import family_medians, medians_at
from benchmarks.search.report.ranks import completed, group_at, groups, mean_ranks, rank_curves, ranks
from benchmarks.search.report.reach import reach, trials_to_reach
from benchmarks.search.report.regret import regrets_of
from benchmarks.search.report.runs import run_of
from benchmarks.search.report.separability import (
    cliques,
    compare_to_best,
    critical_difference,
    friedman,
    friedman_of,
    holm,
    signed_rank_p,
)
from tests.benchmarks.search.report.logs import run_log, trial

NAN, INF = np.nan, np.inf

# Demšar 2006, table 6: ranks of C4.5, with m, with cf, with both, on 14 data sets.
DEMSAR = np.array(
    [
        *([4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1], [1, 2.5, 4, 2.5], [3, 2, 4, 1]),
        *([2.5, 2.5, 4, 1], [4, 3, 2, 1], [2.5] * 4, [4, 2.5, 1, 2.5], [3, 2, 4, 1], [4, 1, 2, 3], [3, 1, 4, 2]),
    ]
)


def test_the_textbook_example_of_friedmans_test():
    found = friedman(DEMSAR)
    assert found.mean == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.statistic == pytest.approx(9.28, abs=0.01)
    assert 0.01 < found.p < 0.05  # F(3, 39) = 3.69, above the critical value 2.85
    assert found.critical == pytest.approx(1.25, abs=0.01)


@pytest.mark.parametrize(
    ("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (10, 3.164)]
)
def test_critical_values_are_those_of_the_paper(k, q):
    """Demšar 2006, table 5 (a), alpha 0.05: with N = k (k + 1) / 6 the difference is the critical value itself."""
    assert critical_difference(k, k * (k + 1) / 6) == pytest.approx(q, abs=1.5e-3)


@pytest.mark.parametrize(
    ("ranked", "p"),
    [
        pytest.param(np.tile([1.0, 2, 3], (5, 1)), 0.0, id="the same order everywhere"),
        pytest.param(np.array([[1.0, 2, 3]]), 1.0, id="one problem says nothing"),
        pytest.param(np.full((6, 3), 2.0), 1.0, id="all alike"),
    ],
)
def test_friedman_at_its_limits(ranked, p):
    assert friedman(ranked).p == pytest.approx(p)


@pytest.mark.parametrize(
    ("mean", "critical", "expected"),
    [
        pytest.param([3.143, 2.0, 2.893, 1.964], 1.25, [(0, 3)], id="all of them"),
        pytest.param([3.143, 2.0, 2.893, 1.964], 1.12, [(0, 2), (2, 3)], id="overlapping bars"),
        pytest.param([1, 5, 9], 1, [], id="none"),
        pytest.param([1, 1.5, 4, 4.5, 4.9], 1, [(0, 1), (2, 4)], id="two bars"),
    ],
)
def test_cliques(mean, critical, expected):
    assert cliques(np.array(mean, dtype=float), critical) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        pytest.param([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02], id="the usual example"),
        pytest.param([0.5, 0.9], [1, 1], id="at most 1"),
        pytest.param([0.03], [0.03], id="one"),
        pytest.param([], [], id="none"),
    ],
)
def test_holm(p, expected):
    assert holm(np.array(p, dtype=float)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("difference", "p"),
    [
        pytest.param([1, 2, 3, 4, 5, 6], 2 / 2**6, id="all one way: 2 of 2 ** n"),
        pytest.param([1, 2, 3, 4, 5, -6], 2 * 14 / 2**6, id="rank sum 6: 14 subsets of 1..6 have at most that"),
        pytest.param([0, 0, 0, 0], 1.0, id="no difference"),
    ],
)
def test_signed_ranks(difference, p):
    values = np.array(difference, dtype=float)
    assert signed_rank_p(values, np.zeros_like(values)) == pytest.approx(p)
    assert signed_rank_p(-values, np.zeros_like(values)) == pytest.approx(p)


@pytest.mark.parametrize(
    ("values", "middle", "lower"),
    [
        pytest.param([3, 1, 2], 2, 2, id="odd"),
        pytest.param([4, 1, 2, 3], 2.5, 2, id="even"),
        pytest.param([1, INF], INF, 1, id="half never"),
        pytest.param([INF, INF, 5], INF, INF, id="most never"),
        pytest.param([INF, INF], INF, INF, id="all never"),
        pytest.param([7], 7, 7, id="one"),
    ],
)
def test_medians(values, middle, lower):
    assert median(np.array(values, dtype=float)) == middle
    assert lower_median(np.array(values, dtype=float)) == lower
    holes = np.array([NAN, *values, NAN], dtype=float)
    assert nan_median(holes) == middle
    assert nan_median(holes, lower_median) == lower


def test_medians_of_nothing_are_missing():
    samples = np.array([[NAN, NAN], [1, 2]])
    assert nan_median(samples).tolist() == pytest.approx([NAN, 1.5], nan_ok=True)
    assert np.isnan(median_draws(samples)[0]).all()


def test_median_draws_are_those_of_resamples():
    """Of (1, 2, 3) the 27 resamples have the median 1 or 3 in 7 cases each, 2 in 13."""
    draws = median_draws(np.array([[NAN, 3, 1, 2]]), resamples=20000)[0]
    assert [np.mean(draws == v) for v in (1, 2, 3)] == pytest.approx([7 / 27, 13 / 27, 7 / 27], abs=0.015)


def test_the_interval_covers_the_true_median():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(400, 15))
    low, high = interval(median_draws(samples))
    assert 0.90 < np.mean((low <= 0) & (high >= 0)) < 0.99


def test_the_interval_of_hierarchical_means_covers_the_true_mean():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(200):
        problems = rng.normal(size=(20, 1, 1)) + rng.normal(size=(20, 8, 1))
        problems[rng.random((20, 8)) < 0.2] = NAN  # seeds that are not there
        low, high = interval(hierarchical_means(problems, resamples=400))
        covered.append(low[0] <= 0 <= high[0])
    assert 0.88 < np.mean(covered) < 0.99


def test_hierarchical_means_of_uneven_problems():
    values = np.array([[[1.0, 10], [3, 30], [NAN, NAN]], [[5, 50], [NAN, NAN], [NAN, NAN]]])
    draws = hierarchical_means(values, resamples=20000)
    assert draws[1] == pytest.approx(10 * draws[0])  # the same problems and seeds for all
    assert draws[0].mean() == pytest.approx(3.5, abs=0.03)
    assert set(np.unique(draws[0])) <= {1, 1.5, 2, 2.5, 3, 3.5, 4, 5}


def test_small_chunks_change_nothing_of_what_medians_are_drawn(monkeypatch):
    samples = np.random.default_rng(3).random((7, 5))
    whole = median_draws(samples)
    monkeypatch.setattr(bootstrap, "_CHUNK", 1)
    assert (median_draws(samples) == whole).all()


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=8))
def test_ranks_sum_to_the_same_whatever_the_ties(rows):
    ranked = ranks(np.array(rows, dtype=float).T)
    assert ranked.shape == (len(rows), 4)
    assert ranked.sum(axis=1) == pytest.approx(10)


def test_ranks_with_ties_and_holes():
    values = np.array([[0.1, 0.2, 0.3], [0.1, 0.1, NAN], [0.5, 0.1, 0.1]])  # (algorithms, seeds)
    assert ranks(values).tolist()[:2] == [[1.5, 1.5, 3], [3, 1.5, 1.5]]
    assert np.isnan(ranks(values)[2]).all()


def of(losses, **fields):
    """Losses by (algorithm, problem), a list for each seed -> the regrets."""
    logs = [
        run_log(curve, algorithm=algorithm, problem=problem, family=problem[0], seed=seed, **fields)
        for (algorithm, problem), curves in losses.items()
        for seed, curve in enumerate(curves)
    ]
    return regrets_of([run_of(log) for log in logs])[1]


def test_mean_ranks_curves_and_families():
    found = of(
        {
            ("a", "p1"): [[0.9, 0.1], [0.9, 0.1]],
            ("b", "p1"): [[0.5, 0.2], [0.9, 0.1]],
            ("a", "p2"): [[0.3, 0.3], [0.3, 0.3]],
            ("b", "p2"): [[0.5, 0.2], [0.1, 0.1]],
            ("a", "q1"): [[0.3, 0.3]],
            ("b", "q1"): [[0.5, 0.5]],
        }
    )
    group = group_at(found, (0, 1), 2)
    assert group.problems == (0, 1, 2)
    ranked = mean_ranks(found, group, 2)
    # p1: (1 + 1.5) / 2 for a; p2: 2; q1: 1
    assert ranked.mean == pytest.approx([(1.25 + 2 + 1) / 3, (1.75 + 1 + 2) / 3])
    families = ranked.by_family
    assert {name: family.mean.tolist() for name, family in families.items()} == {"p": [1.625, 1.375], "q": [1, 2]}
    assert {name: family.place.tolist() for name, family in families.items()} == {"p": [2, 1], "q": [1, 2]}
    # either of the two problems may be drawn twice, and tell a from b; q has one problem and one seed
    bounds = {name: list(zip(family.low, family.high, strict=True)) for name, family in families.items()}
    assert bounds == {"p": [(1, 2), (1, 2)], "q": [(1, 1), (2, 2)]}
    # before: 2 and 1.5; 1 and 2; 1
    assert rank_curves(found, group, 2)[:, 0] == pytest.approx([(1.75 + 1.5 + 1) / 3, (1.25 + 2 + 1) / 3])


def test_only_what_all_of_them_completed_is_ranked():
    whole, short = [[0.5, 0.4]], [[0.5]]
    found = of(
        {
            **{("a", f"p{i}"): whole for i in range(6)},
            **{("b", f"p{i}"): whole for i in range(5)},
            ("b", "p5"): [*whole, *short],  # its second run ended early
            **{("c", f"p{i}"): whole for i in range(2)},
            **{("d", f"p{i}"): whole for i in range(6)},
        }
    )
    done = completed(found.at(2), found.logged)
    assert done.sum(axis=1).tolist() == [6, 5, 2, 6]
    assert groups(done, found.logged) == ((0, 3), (0, 1, 3))
    assert group_at(found, (0, 1, 3), 2).problems == (0, 1, 2, 3, 4)
    assert group_at(found, (0, 1, 3), 1).problems == (0, 1, 2, 3, 4, 5)
    assert group_at(found, (0, 1), 3) is None


def test_algorithms_on_a_few_problems_get_a_table_of_their_own():
    curve = [[0.5]]
    found = of(
        {
            **{(name, f"p{i:02}"): curve for name in "ab" for i in range(12)},
            **{(name, f"p{i:02}"): curve for name in "sr" for i in range(5)},
        }
    )
    done = completed(found.at(1), found.logged)
    assert groups(done, found.logged) == ((0, 1), (0, 1, 2, 3))
    assert group_at(found, (0, 1, 2, 3), 1).problems == (0, 1, 2, 3, 4)


def test_seeds_that_not_all_have_are_left_out():
    found = of({("a", "p"): [[0.1], [0.9]], ("b", "p"): [[0.5]]})
    ranked = mean_ranks(found, group_at(found, (0, 1), 1), 1)
    assert ranked.mean.tolist() == [1, 2]
    assert np.isnan(ranked.ranks[0, 1]).all()


def test_medians_of_families_need_all_of_their_problems():
    found = of(
        {
            **{("a", f"p{i}"): [[0.1 * 10**-i], [0.1 * 10**-i]] for i in range(3)},
            **{("b", f"p{i}"): [[0.2], [0.2], [0.8]] for i in range(2)},
            ("b", "q1"): [[0.01], [0.0001]],
        }
    )
    medians = medians_at(found, 1)
    assert medians.value.tolist() == [
        pytest.approx([0.1, 0.01, 0.001, NAN], nan_ok=True),
        pytest.approx([0.2, 0.2, NAN, 0.001], nan_ok=True),
    ]
    families = np.array(found.families)
    value, low, high = family_medians(medians, families == "p")
    assert (value[0], low[0], high[0]) == pytest.approx((0.01, 0.01, 0.01))
    assert np.isnan([value[1], low[1], high[1]]).all()
    value, low, high = family_medians(medians, families == "q")
    assert (value[1], low[1], high[1]) == pytest.approx((0.001, 0.0001, 0.01))


def separated(margin, problems=12, seeds=5):
    rng = np.random.default_rng(0)
    luck = lambda scale: 10.0 ** rng.normal(scale, 0.3, (seeds, 1))  # noqa: E731
    return of(
        {
            (name, f"p{i:02}"): luck(scale).tolist()
            for i in range(problems)
            for name, scale in (("a", -2), ("b", -2), ("c", -2 + margin))
        }
    )


@pytest.mark.parametrize(
    ("margin", "worse", "confirmed"),
    [pytest.param(1.5, True, True, id="far apart"), pytest.param(0, False, False, id="alike")],
)
def test_comparison_with_the_best(margin, worse, confirmed):
    found = separated(margin)
    ranked = mean_ranks(found, group_at(found, (0, 1, 2), 1), 1)
    compared = compare_to_best(found, ranked, 1)
    other = next(a for a in (0, 1) if a != compared.best)
    assert (bool(compared.worse[2]), bool(compared.confirmed[2])) == (worse, confirmed)
    assert not compared.worse[other]
    assert compared.difference[compared.best] == 0
    assert compared.p[compared.best] == 1
    assert compared.least_p == pytest.approx(2 * 2 / 2**12)
    test = friedman_of(found, ranked, 1)
    assert test.problems == 12
    assert (test.p < 0.05) == worse


def test_too_few_problems_confirm_nothing():
    found = separated(3, problems=4)
    compared = compare_to_best(found, mean_ranks(found, group_at(found, (0, 1, 2), 1), 1), 1)
    assert compared.worse[2]
    assert not compared.confirmed[2]
    assert compared.least_p == 0.25


@pytest.mark.parametrize(
    ("curve", "target", "expected"),
    [
        pytest.param([0.9, 0.5, 0.1], 0.5, 2, id="the first that is as good"),
        pytest.param([0.9, 0.5, 0.1], 0.95, 1, id="at once"),
        pytest.param([0.9, 0.5, 0.1], 0.05, INF, id="never"),
        pytest.param([0.9, 0.5, NAN], 0.05, INF, id="not before its end"),
        pytest.param([NAN, NAN, NAN], 0.5, NAN, id="no run"),
    ],
)
def test_trials_to_reach(curve, target, expected):
    assert trials_to_reach(np.array([curve]), np.array([target])) == pytest.approx([expected], nan_ok=True)


def test_reach_of_the_reference():
    falling = (1 / np.arange(1, 121)).tolist()
    quick = (1 / (4 * np.arange(1, 121))).tolist()
    problems = {
        (name, problem): [curve, curve]
        for problem in ("p", "q")
        for name, curve in (("optuna-tpe", falling), ("quick", quick), ("stuck", [1.0] * 120))
    }
    found = reach(of(problems))
    assert found.problems == (0, 1)
    assert found.trials.tolist() == [[100, 100], [25, 25], [INF, INF]]
    assert found.median.tolist() == [100, 25, INF]
    assert (found.median_low[1], found.median_high[1]) == (25, 25)
    assert reach(of({key: curves for key, curves in problems.items() if key[0] != "optuna-tpe"})) is None
    assert reach(of({key: [curve[:99] for curve in curves] for key, curves in problems.items()})) is None


def test_the_reference_reaches_its_own_median_in_time_also_with_an_even_number_of_runs():
    rng = np.random.default_rng(0)
    runs = [np.minimum.accumulate(rng.random(110)).tolist() for _ in range(10)]
    found = reach(of({("optuna-tpe", "p"): runs}))
    assert found.median[0] <= 100


def test_seconds_at():
    run = run_of(run_log(trials=tuple(trial(1.0, known=i, ask=i / 100) for i in range(120))))
    assert seconds_at([run, run], 100)[0] == pytest.approx(1.0)  # of 90 to 110
    assert seconds_at([run, run], 100)[2] == 42
    assert seconds_at([run], 20)[:2] == pytest.approx((0.2, 0.216))
    assert np.isnan(seconds_at([run], 1000)[0])
    assert seconds_at([], 20)[2] == 0


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        pytest.param([[1, 1, 0, 0, 0, 0]], (2 / 6, 1, 0), id="thirds"),
        pytest.param([[1, 0, 0, 0], [0, 0, 0, 1, 1]], (3 / 9, 0.5, 0.5), id="several runs, the rest in the middle"),
        pytest.param([[1, 1]], (1, NAN, NAN), id="too short for thirds"),
        pytest.param([], (NAN, NAN, NAN), id="none"),
    ],
)
def test_shares(marks, expected):
    assert shares([np.array(each, dtype=bool) for each in marks]) == pytest.approx(expected, nan_ok=True)


def test_waste_counts_failures_only_where_trials_fail():
    failing = run_of(run_log([None, None, None, 1, 1, None, 1, 1, 1]))
    other = run_of(run_log([1] * 9, problem="calm"))
    found = waste([failing, other], frozenset({"bowl"}), frozenset())
    assert found.failures == pytest.approx((4 / 9, 1, 0))
    assert found.duplicates == (0, 0, 0)
    assert np.isnan(found.infeasible).all()
