"""Moves of parameters: direction, steps, bounds, types, neighbours, conditions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms.perturbation import explore, perturb
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.core.trial import Value


def moves(parameter: Parameter, value: Value) -> set[Value]:
    return {perturb(parameter, value, np.random.default_rng(seed)) for seed in range(64)}


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        pytest.param(Real("p", 0, 10), 5.0, {4.0, 6.0}, id="by a fifth"),
        pytest.param(Real("p", -10, 10), -5.0, {-4.0, -6.0}, id="negative"),
        pytest.param(Real("p", 0, 5), 5.0, {4.0, 5.0}, id="clamped above"),
        pytest.param(Real("p", 5, 10), 5.0, {5.0, 6.0}, id="clamped below"),
        pytest.param(Real("p", 0, 1, step=0.1), 0.5, {0.4, 0.6}, id="on the steps"),
        pytest.param(Real("p", 0, 1, step=0.1), 0.1, {0.0, 0.2}, id="at least one step"),
        pytest.param(Real("p", 0.0001, 0.02, step=0.0001), 0.01, {0.008, 0.012}, id="no float noise"),
        pytest.param(Real("p", 0, 1, step=0.3), 0.9, {0.6, 0.9}, id="the last step lies below the bound"),
        pytest.param(Integer("p", 1, 100), 10, {8, 12}, id="int"),
        pytest.param(Integer("p", 1, 100), 1, {1, 2}, id="int 1 moves up"),
        pytest.param(Integer("p", 1, 100), 2, {1, 3}, id="int 2 moves both ways"),
        pytest.param(Integer("p", 0, 100), 0, {0, 1}, id="int 0"),
        pytest.param(Integer("p", -5, 5), 0, {-1, 1}, id="int 0 inside"),
        pytest.param(Integer("p", -5, 5), -1, {-2, 0}, id="int -1"),
        pytest.param(Integer("p", 16, 256, Distribution.LOG_UNIFORM, step=16), 32, {16, 48}, id="int with a step"),
        pytest.param(Integer("p", 1, 10), 10, {8, 10}, id="int clamped"),
        pytest.param(Ordinal("p", (16, 32, 64)), 32, {16, 64}, id="list: neighbours"),
        pytest.param(Ordinal("p", (16, 32, 64)), 64, {32}, id="list: no wrap around"),
        pytest.param(Ordinal("p", (16,)), 16, {16}, id="list of one"),
        pytest.param(Choice("p", tuple("abcd")), "a", {"b", "d"}, id="choice: the ends are neighbours"),
        pytest.param(Choice("p", (False, True)), True, {False}, id="choice of two"),
        pytest.param(Integer("p", 3, 3), 3, {3}, id="one value"),
    ],
)
def test_moves(parameter: Parameter, value: Value, expected: set[Value]) -> None:
    found = moves(parameter, value)
    assert found == expected
    assert {type(each) for each in found} == {type(value)}


def test_zero_without_a_step_is_drawn_anew() -> None:
    assert len(moves(Real("p", -1, 1), 0.0)) == 64


ANY = st.one_of(
    st.builds(
        lambda low, width, step: Real("p", low, low + width, step=step),
        st.floats(-1e6, 1e6),
        st.floats(1e-3, 1e6),
        st.none() | st.floats(1e-3, 1e3),
    ),
    st.builds(
        lambda low, width, step: Integer("p", low, low + width, step=step),
        st.integers(-(10**6), 10**6),
        st.integers(0, 10**6),
        st.integers(1, 1000),
    ),
    st.builds(
        lambda low, times: Real("p", low, low * times, Distribution.LOG_UNIFORM), st.floats(1e-9, 1), st.floats(2, 1e9)
    ),
    st.lists(st.integers(-99, 99), min_size=1, unique=True).map(lambda values: Ordinal("p", tuple(values))),
)


@settings(max_examples=300, deadline=None)
@given(ANY, st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_every_move_is_an_allowed_value_of_the_same_type(parameter: Parameter, u: float, seed: int) -> None:
    value, rng = parameter.from_unit(u), np.random.default_rng(seed)
    for _ in range(5):
        moved = perturb(parameter, value, rng)
        assert type(moved) is type(value)
        assert parameter.check(moved) == moved
        assert parameter.parse(parameter.format(moved)) == moved
        if isinstance(parameter, Real | Integer) and parameter.step:
            steps = (moved - parameter.low) / parameter.step
            assert abs(steps - round(steps)) * parameter.step <= 1e-9 * max(1.0, abs(moved))
        value = moved


SPACE = SearchSpace(
    (
        Choice("kind", ("sgd", "adam")),
        Real("momentum", 0.1, 1.0, condition=Condition("kind", ("sgd",))),
        Real("beta", 0.1, 1.0, condition=Condition("kind", ("adam",))),
        Integer("units", 1, 64),
    )
)


def test_conditions_are_followed() -> None:
    start = {"kind": "sgd", "momentum": 0.5, "units": 32}
    found = explore(SPACE, start, np.random.default_rng(1), 0.0)
    assert list(found) == ["kind", "beta", "units"]
    assert SPACE.check(found) == found
    back = explore(SPACE, found, np.random.default_rng(2), 0.0)
    assert list(back) == ["kind", "momentum", "units"]


@pytest.mark.parametrize(("resample", "share"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
def test_the_share_of_fresh_draws(resample: float, share: float) -> None:
    space, rng = SearchSpace((Real("a", 0, 1), Real("b", 0, 1))), np.random.default_rng(0)
    start = {"a": 0.5, "b": 0.5}
    draws = [value for _ in range(2000) for value in explore(space, start, rng, resample).values()]
    assert sum(value not in (0.4, 0.6) for value in draws) / len(draws) == pytest.approx(share, abs=0.02)
