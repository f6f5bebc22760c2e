"""The benchmark of ENAS: its figures, and what Katib's rule for the reward comes to."""

from __future__ import annotations

import json
import sys

import pytest

pytest.importorskip("torch")

from algorithms import create_algorithm
from algorithms.architecture.search import ArchitectureSettings, architecture_space
from benchmarks.enas import main
from tests.algorithms.architecture.experiments import CELL_201, spec
from tests.contracts.simulation import Simulation

pytestmark = pytest.mark.requires("torch")


def test_the_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("KATIB_BENCH_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", ["enas", "--trials", "3", "--out", str(tmp_path / "enas.json")])
    main()
    rows = json.loads((tmp_path / "enas.json").read_text())["rows"]
    assert [row["case"] for row in rows[:2]] == [
        "chain of 8 layers: first suggestion after 3 trials",
        "chain of 8 layers: the next one",
    ]
    assert all(row["value"] > 0 for row in rows)
    assert "cells of NAS-Bench-201: the next one" in capsys.readouterr().out


def share_of_right_choices(algorithm):
    """Of the newest 20 of 100 trials, over three seeds; a random cell has a fifth of its operations right."""
    shares = []
    for seed in range(3):
        made = spec(CELL_201, algorithm, random_state=seed)
        family = architecture_space(made, ArchitectureSettings())

        def right(parameters, family=family):
            return 100 * sum(value == "nor_conv_3x3" for value in family.parameters(parameters).values()) / 6

        searched = Simulation(made, right)
        searched.run(create_algorithm(made), 100)
        shares += [right(searched.history.trials[number].parameters) / 100 for number in range(80, 100)]
    return sum(shares) / len(shares)


def test_the_mean_of_all_trials_as_the_reward_is_no_better_than_chance():
    """Katib's rule. What differs is the reward alone: each trial's own result is learned from."""
    assert share_of_right_choices("enas") > 0.5
    assert share_of_right_choices("benchmarks.enas:AveragedReward") < 0.35
