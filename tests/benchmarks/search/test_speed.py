"""Seconds per suggestion: what warm and cold figures are made of, and what is judged."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks.search import speed
from benchmarks.search.contestants import contestant
from benchmarks.search.replay import Recorder, replaying
from benchmarks.search.simulation import simulate
from benchmarks.search.speed import Figure, Question, measure, rows_of
from tests.benchmarks.search.test_simulation import without_times
from tests.benchmarks.search.toys import PROBLEMS, conditions, point, scripted


@pytest.fixture
def toy_problems(monkeypatch):
    monkeypatch.setattr(speed, "problem", lambda name, data: PROBLEMS[name])


@pytest.mark.parametrize("algorithm", ["tpe:n_startup_trials=4", "cmaes", "hyperband:r_l=4:resource_name=x"])
def test_a_replayed_search_goes_on_as_it_did(algorithm):
    """Labels included: they are the memory of some algorithms."""
    entrant, made = contestant(algorithm), []
    problem = PROBLEMS["grid" if "hyperband" in algorithm else "bowl"]
    recorded = entrant.__class__(entrant.name, lambda spec: Recorder(entrant.create(spec), made))
    whole = simulate(problem, recorded, conditions(budget=16))
    assert whole.error == ""
    for start in (0, 7, 15):
        again = simulate(problem, replaying(entrant, made[:start]), conditions(budget=16))
        assert without_times(again) == without_times(whole)
        assert all(trial.ask == 0.0 for trial in again.trials[:start])
        assert all(trial.ask > 0.0 for trial in again.trials[start:])


@pytest.mark.parametrize("own", [True, False])
def test_figures(toy_problems, own):
    answer = measure(Question("tpe:n_startup_trials=4", "bowl", (5, 20), 4, own, None))
    assert answer.error == ""
    assert [(f.size, f.way, len(f.samples)) for f in answer.figures] == [
        (5, "warm", 4),
        (5, "cold", 3),
        (20, "warm", 4),
        (20, "cold", 3),
    ]
    assert all(0 < f.value < 1 and min(f.samples) <= f.value <= max(f.samples) for f in answer.figures)


def test_only_sizes_that_were_reached(toy_problems, monkeypatch):
    def answer(history):
        if len(history) == 12:
            raise TimeoutError("enough")
        return point(0.5)

    entrant, _ = scripted(answer)
    monkeypatch.setattr(speed, "contestant", lambda name: entrant.__class__(entrant.name, entrant.create, False))
    found = measure(Question("scripted", "bowl", (5, 10, 20), 4, True, None))
    assert found == (
        (Figure("scripted", 5, "warm", 0.25, (0.25,) * 4),),
        "TimeoutError: enough",
    )


def test_what_is_judged():
    figures = [
        Figure("bayesianoptimization", 200, "warm", 0.08, (0.08,)),
        Figure("bayesianoptimization", 200, "cold", 0.6, (0.6,)),
        Figure("optuna-gp", 200, "warm", 0.8, (0.8,)),
        Figure("hebo", 200, "warm", 0.8, (0.8,)),
    ]
    rows = {row.case: (row.value, row.target, row.met) for row in rows_of(figures, judged=True)}
    assert rows["bayesianoptimization, 200 trials, warm"] == (0.08, "<= 0.1", True)
    assert rows["bayesianoptimization, 200 trials, cold"] == (0.6, "<= 0.5", False)
    assert rows["optuna-gp, 200 trials, warm"] == (0.8, "", None)
    assert rows["optuna-gp / bayesianoptimization, 200 trials, warm"] == (10.0, ">= 5", True)
    assert rows["hebo / bayesianoptimization, 200 trials, warm"] == (10.0, ">= 20", False)
    assert {row.target for row in rows_of(figures, judged=False)[:4]} == {""}


def test_program(tmp_path, monkeypatch, capsys):
    out = tmp_path / "speed.json"
    words = ["--algorithms", "random,sobol", "--problem", "sphere-2d", "--sizes", "8,4", "--window", "2"]
    monkeypatch.setattr(sys, "argv", ["speed", *words, "--out", str(out)])
    speed.main()
    rows = json.loads(out.read_text())["rows"]
    sizes = ("4 trials", "8 trials")
    expected = [f"{name}, {size}, {way}" for name in ("random", "sobol") for size in sizes for way in ("warm", "cold")]
    assert [row["case"] for row in rows] == expected
    assert all(row["value"] > 0 for row in rows)
    assert expected[0] in capsys.readouterr().out
