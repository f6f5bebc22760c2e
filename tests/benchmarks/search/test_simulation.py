"""The simulation plays the engine: trials, their order on several workers, failures, ends, and what is logged."""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks.search.contestants import contestant
from benchmarks.search.player import Contestant
from benchmarks.search.simulation import LONGEST_ERROR, simulate, spec_of, stream
from benchmarks.search.time_limit import time_limit
from benchmarks.search.trial_log import dumps, loads
from katib.core.errors import SpecError
from katib.core.trial import Proposal, Suggestion
from tests.benchmarks.search.toys import PROBLEMS, conditions, point, scripted


def without_times(log):
    return log._replace(trials=tuple(trial._replace(ask=0.0) for trial in log.trials))


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("problem", ["bowl", "bad-half", "grid"])
@pytest.mark.parametrize("algorithm", ["random", "tpe:n_startup_trials=4"])
def test_same_seed_same_log(algorithm, problem, workers):
    first, again = (
        simulate(PROBLEMS[problem], contestant(algorithm), conditions(workers=workers, budget=16)) for _ in range(2)
    )
    assert first.error == ""
    assert without_times(first) == without_times(again)
    assert loads(dumps(first)) == first


def test_what_is_logged():
    log = simulate(PROBLEMS["bowl"], contestant("random"), conditions(seed=3))
    assert (log.suite, log.problem, log.family, log.algorithm) == ("toys", "bowl", "toys", "random")
    assert (log.seed, log.workers, log.budget, log.best, log.typical, log.worst) == (3, 1, 12, 0.0, 0.2, ())
    assert len(log.trials) == 12
    for number, trial in enumerate(log.trials):
        x, y = trial.parameters["x"], trial.parameters["y"]
        assert trial.losses == ((x - 0.3) ** 2 + (y - 0.7) ** 2,)  # without the noise
        assert (trial.known, trial.duplicate, trial.violations) == (number, False, ())
        assert 0 < trial.ask < 1
    assert log.versions["katib-engine"]
    assert log.machine.endswith("cores")


def test_what_the_algorithm_is_told():
    seen = []

    def look(history):
        seen.extend((t.parameters["x"], history.value(t), t.state.value) for t in history.finished[len(seen) :])
        return point(0.1 * (len(history) + 1), 0.7)

    log = simulate(PROBLEMS["bowl"], scripted(look)[0], conditions(budget=4))
    noise = [stream("bowl", 0, number).normal() for number in range(3)]
    truth = [trial.losses[0] for trial in log.trials[:3]]
    assert [value for _, value, _ in seen] == pytest.approx([t + 0.01 * n for t, n in zip(truth, noise, strict=True)])
    assert {state for *_, state in seen} == {"Succeeded"}


def test_seeds_and_problems_differ():
    specs = [spec_of(PROBLEMS[problem], conditions(seed=seed)) for problem in ("bowl", "bad-half") for seed in (0, 1)]
    assert len({spec.seed for spec in specs}) == 4
    assert all(0 <= spec.seed < 2**31 for spec in specs)
    assert all("bowl" not in repr(spec) for spec in specs)  # the name is not told
    draws = [stream(problem, seed, number).random() for problem in "ab" for seed in (0, 1) for number in (0, 1)]
    assert len(set(draws)) == 8


def test_streams_do_not_overlap():
    assert not np.intersect1d(stream("a", 0, 0).random(10_000), stream("a", 0, 1).random(10_000)).size


def test_workers_on_simulated_time():
    """Whoever ends first asks next, and the rest is pending; what ends in the same moment (at 6) is all known."""
    lengths = iter([8, 3, 6, 1, 3, 3, 3, 2])
    entrant, players = scripted(lambda history: point(next(lengths) / 8, len(history) / 10))
    log = simulate(PROBLEMS["lengths"], entrant, conditions(budget=8, workers=4))
    assert [trial.started for trial in log.trials] == [0, 0, 0, 0, 1, 3, 4, 6]
    assert [trial.finished for trial in log.trials] == [8, 3, 6, 1, 4, 6, 7, 8]
    assert [trial.known for trial in log.trials] == [0, 0, 0, 0, 1, 2, 3, 5]
    assert players[0].pending == [[], [0], [0, 1], [0, 1, 2], [0, 1, 2], [0, 2, 4], [0, 2, 5], [0, 6]]


@pytest.mark.parametrize("workers", [1, 8])
def test_no_more_at_a_time_than_workers(workers):
    log = simulate(PROBLEMS["bowl"], contestant("random"), conditions(budget=40, workers=workers))
    for trial in log.trials:
        running = [other for other in log.trials if other.started <= trial.started < other.finished]
        assert len(running) <= workers
    assert max(trial.finished for trial in log.trials) < 40 * 2.0 / workers + 2.0


def test_what_fails():
    states = []

    def answer(history):
        states[:] = [(t.state.value, dict(t.observation)) for t in history.finished]
        return point((len(history) % 2) * 0.75)

    log = simulate(PROBLEMS["bad-half"], scripted(answer)[0], conditions(budget=5))
    assert [trial.losses for trial in log.trials] == [(1.0,), (), (1.0,), (), (1.0,)]
    assert [trial.violations for trial in log.trials] == [()] * 5
    assert [state for state, _ in states] == ["Succeeded", "Failed", "Succeeded", "Failed"]
    assert states[1][1] == {}


def test_several_objectives_and_a_constraint():
    log = simulate(PROBLEMS["traded"], scripted(lambda history: point(0.25, 0.75))[0], conditions(budget=1))
    assert (log.trials[0].losses, log.trials[0].violations) == ((0.25, -0.75), (0.25,))


def test_duplicates():
    log = simulate(PROBLEMS["bowl"], scripted(lambda history: point(len(history) // 2 / 4))[0], conditions(budget=4))
    assert [trial.duplicate for trial in log.trials] == [False, True, False, True]


@pytest.mark.parametrize("workers", [1, 4])
def test_exhausted(workers):
    log = simulate(PROBLEMS["grid"], contestant("random"), conditions(budget=20, workers=workers))
    assert (len(log.trials), log.exhausted, log.error) == (6, True, "")
    assert {trial.losses for trial in log.trials} == {(-value,) for value in (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)}


def test_one_that_waits():
    """Asked again when a trial has ended."""
    entrant, _ = scripted(lambda history: Proposal() if history.active else point(0.5))
    log = simulate(PROBLEMS["bowl"], entrant, conditions(budget=3, workers=3))
    assert (len(log.trials), log.error) == (3, "")
    assert [trial.started for trial in log.trials][1:] == [trial.finished for trial in log.trials][:2]


def fail(history):
    raise ValueError(f"after {len(history)}  trials\n" + "x" * LONGEST_ERROR)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(fail, "ValueError: after 3 trials xxx", id="exception"),
        pytest.param(lambda history: Proposal(), "proposes nothing although no trial is running", id="nothing"),
        pytest.param(lambda history: point(2.0), "left the search space: parameter 'x': got 2.0", id="outside"),
        pytest.param(lambda history: Proposal((Suggestion({"x": 0.5}),)), "left the search space: y", id="too few"),
        pytest.param(lambda history: Proposal(point(0.1).suggestions * 2), "gave 2 suggestions, 1 was", id="too many"),
    ],
)
def test_errors_of_an_algorithm(answer, error):
    entrant, players = scripted(lambda history: point(0.5) if len(history) < 3 else answer(history))
    log = simulate(PROBLEMS["bowl"], entrant, conditions())
    assert error in log.error
    assert "\n" not in log.error
    assert len(log.error) <= LONGEST_ERROR
    assert (len(log.trials), log.versions) == (3, {"scripted": "1"})
    assert players[0].closed


def test_an_algorithm_that_cannot_begin():
    def create(spec):
        raise SpecError("not with such a space")

    log = simulate(PROBLEMS["bowl"], Contestant("none", create), conditions())
    assert (log.error, log.trials, log.versions) == ("not with such a space", (), {})


def test_what_an_algorithm_cannot_use():
    log = simulate(PROBLEMS["traded"], contestant("hyperband:r_l=9:resource_name=x"), conditions())
    assert "hyperband cannot use" in log.error


def test_a_defect_of_the_problem():
    log = simulate(PROBLEMS["broken"], contestant("random"), conditions())
    assert (log.error, log.trials) == ("ZeroDivisionError: of the problem", ())


def test_out_of_time():
    def slow(history):
        try:
            time.sleep(0.0 if len(history) < 2 else 60.0)
        except Exception:  # a program that lives on after its own errors
            pytest.fail("it was no exception")
        return point(0.5)

    began = time.monotonic()
    with time_limit(0.2 / 60):
        log = simulate(PROBLEMS["bowl"], scripted(slow)[0], conditions())
    assert time.monotonic() - began < 10
    assert (log.error, len(log.trials)) == ("over the limit of 0.00333333 minutes", 2)


def test_seconds_are_those_of_each_suggestion():
    log = simulate(PROBLEMS["bowl"], scripted(lambda history: point(0.5))[0], conditions(budget=3))
    assert [trial.ask for trial in log.trials] == [0.25] * 3
