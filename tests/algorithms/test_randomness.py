"""Random numbers by (seed, trial number)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from algorithms.randomness import generator, integer_seed, seed_of, uniforms


def test_the_numbers_of_a_trial_depend_on_seed_and_number_alone() -> None:
    forward = [uniforms(3, number, 4) for number in range(600)]
    backward = [uniforms(3, number, 4) for number in reversed(range(600))]
    assert forward == backward[::-1]
    assert len({tuple(row) for row in forward}) == 600
    assert uniforms(4, 5, 4) != uniforms(3, 5, 4)


def test_numbers_are_uniform_over_trials_and_within_one() -> None:
    over_trials = [uniforms(0, number, 1)[0] for number in range(5000)]
    within = [u for number in range(50) for u in uniforms(0, number, 100)]
    first_of_generators = [generator(0, number).random() for number in range(2000)]
    for numbers in (over_trials, within, first_of_generators):
        assert kstest(numbers, "uniform").pvalue > 1e-3


def test_the_streams_of_a_trial_are_apart() -> None:
    assert uniforms(1, 0, 3) != generator(1, 0).random(3).tolist()
    assert len({integer_seed(1, number) for number in range(1000)}) > 990


@pytest.mark.parametrize("seed", [0, 2**31, 2**64 - 1, 2**70, -1])
def test_any_integer_is_a_seed(seed: int) -> None:
    assert 0 <= uniforms(seed, 10**9, 1)[0] < 1
    assert 0 <= integer_seed(seed, 2) < 2**31


def test_the_setting_goes_before_the_experiments_seed() -> None:
    assert [seed_of(5, 6), seed_of(0, 6), seed_of(None, 6), seed_of(None, None)] == [5, 0, 6, 0]


def test_rows_cannot_be_spoilt_by_a_caller() -> None:
    row = uniforms(9, 1, 3)
    row[0] = 7.0
    assert uniforms(9, 1, 3)[0] != 7.0
    assert isinstance(uniforms(9, 1, 3), list)
    assert np.isfinite(uniforms(9, 1, 0)).all()
