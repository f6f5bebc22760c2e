"""Parameters and spaces: bounds, grids, priors, conditions, and the round trip through the unit cube."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from katib.core.errors import SpecError
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace

UNIT = st.floats(0, 1)
NUMERIC = {
    "real": Real("x", -3.0, 5.0),
    "real-log": Real("x", 1e-6, 1e-1, Distribution.LOG_UNIFORM),
    "real-normal": Real("x", -1.0, 1.0, Distribution.NORMAL),
    "real-lognormal": Real("x", 0.1, 10.0, Distribution.LOG_NORMAL),
    "real-step": Real("x", 0.1, 0.9, step=0.2),
    "real-log-step": Real("x", 0.5, 10.0, Distribution.LOG_UNIFORM, step=0.5),
    "real-step-beyond-range": Real("x", 0.0, 1.0, step=5.0),
    "real-single": Real("x", 2.0, 2.0),
    "int": Integer("x", -4, 4),
    "int-log": Integer("x", 1, 1000, Distribution.LOG_UNIFORM),
    "int-normal": Integer("x", 0, 8, Distribution.NORMAL),
    "int-step-not-dividing": Integer("x", 1, 10, step=4),
    "int-log-step": Integer("x", 1, 9, Distribution.LOG_UNIFORM, step=2),
    "int-single": Integer("x", 7, 7),
}
LISTED = {
    "ordinal": Ordinal("x", (0.5, 0.1, 2), ("0.50", "0.1", "2")),
    "choice-text": Choice("x", ("adam", "sgd", "1")),
    "choice-typed": Choice("x", (1, True, None, "1", 2.5)),
}
ALL = NUMERIC | LISTED


@pytest.mark.parametrize("parameter", [pytest.param(p, id=name) for name, p in ALL.items()])
@given(u=UNIT)
def test_values_are_allowed_and_survive_cube_and_text(parameter, u):
    value = parameter.from_unit(u)
    assert parameter.check(value) == value
    again = parameter.from_unit(parameter.to_unit(value))
    assert again == (value if parameter.count < math.inf else pytest.approx(value, rel=1e-9, abs=1e-12))
    assert 0.0 <= parameter.to_unit(value) <= 1.0
    if parameter is not ALL["choice-typed"]:  # 1 and "1" have the same text
        assert parameter.parse(parameter.format(value)) == value


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        pytest.param(Integer("x", 1, 10, step=4), [1, 5, 9], id="step-anchored-at-min"),
        pytest.param(Real("x", 0.1, 0.9, step=0.2), [0.1, 0.3, 0.5, 0.7, 0.9], id="no-rounding-noise"),
        pytest.param(Real("x", -1.0, 1.0, step=0.5), [-1, -0.5, 0, 0.5, 1], id="negative"),
        pytest.param(Integer("x", 0, 4), [0, 1, 2, 3, 4], id="both-ends"),
        pytest.param(Ordinal("x", (3, 1, 2)), [1, 2, 3], id="ordinal-sorted"),
    ],
)
def test_grid_values_have_equal_shares(parameter, expected):
    grid = np.linspace(0, 1, 20_001)
    drawn, counts = np.unique([parameter.from_unit(u) for u in grid], return_counts=True)
    assert drawn.tolist() == expected
    assert counts.max() - counts.min() <= 2
    assert parameter.count == len(expected)


@pytest.mark.parametrize(
    ("parameter", "distribution"),
    [
        pytest.param(NUMERIC["real"], stats.uniform(-3, 8), id="uniform"),
        pytest.param(NUMERIC["real-log"], stats.loguniform(1e-6, 1e-1), id="logUniform"),
        pytest.param(NUMERIC["real-normal"], stats.truncnorm(-3, 3, 0, 1 / 3), id="normal"),
    ],
)
def test_prior_is_the_one_asked_for(parameter, distribution):
    values = [parameter.from_unit(u) for u in np.random.default_rng(0).random(4000)]
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: Real("x", 2, 1), "min 2 is greater than max 1", id="inverted"),
        pytest.param(lambda: Real("x", 0, 1, Distribution.LOG_UNIFORM), "needs min > 0", id="log-of-zero"),
        pytest.param(lambda: Real("x", -1, 1, Distribution.LOG_NORMAL), "needs min > 0", id="log-of-negative"),
        pytest.param(lambda: Real("x", math.nan, 1), "finite", id="nan"),
        pytest.param(lambda: Real("x", 0, math.inf), "finite", id="inf"),
        pytest.param(lambda: Real("x", 0, 1, step=0), "step must be a positive number", id="zero-step"),
        pytest.param(lambda: Real("x", 0, 1, step=-1), "step must be a positive number", id="negative-step"),
        pytest.param(lambda: Real("x", 0, 1, step=1e-310), "step 1e-310 is too small", id="uncountable-steps"),
        pytest.param(lambda: Real("x", -1e308, 1e308), "too far apart", id="infinite-width"),
        pytest.param(lambda: Choice("x", ()), "empty", id="empty-list"),
        pytest.param(lambda: Choice("x", ("a", "a")), "twice", id="repeated"),
        pytest.param(lambda: Ordinal("x", ("a", 1)), "a finite number", id="ordinal-of-text"),
        pytest.param(lambda: SearchSpace((Real("x", 0, 1), Real("x", 0, 1))), "defined twice", id="two-of-a-name"),
        pytest.param(
            lambda: SearchSpace((Real("x", 0, 1, condition=Condition("y", (1,))),)), "listed before", id="no-parent"
        ),
    ],
)
def test_bad_definitions_say_what_is_wrong(make, message):
    with pytest.raises(SpecError, match=message):
        make()


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        pytest.param(NUMERIC["real"], 5.1, id="above"),
        pytest.param(NUMERIC["real"], "nan", id="nan"),
        pytest.param(NUMERIC["real"], "fast", id="text"),
        pytest.param(NUMERIC["real"], True, id="bool"),
        pytest.param(NUMERIC["int"], 1.5, id="fraction"),
        pytest.param(LISTED["choice-text"], "rmsprop", id="not-in-list"),
        pytest.param(LISTED["choice-typed"], False, id="false-is-not-zero"),
    ],
)
def test_bad_values_are_refused(parameter, value):
    with pytest.raises(SpecError, match="parameter 'x'"):
        parameter.check(value)


CONDITIONAL = SearchSpace(
    (
        Choice("optimizer", ("sgd", "adam")),
        Real("momentum", 0, 1, condition=Condition("optimizer", ("sgd",))),
        Integer("warmup", 0, 3, condition=Condition("momentum", (0.0,))),
    )
)


def test_inactive_parameters_are_left_out():
    assert CONDITIONAL.from_unit([0.9, 0.5, 0.5]) == {"optimizer": "adam"}
    assert set(CONDITIONAL.from_unit([0.1, 0.5, 0.5])) == {"optimizer", "momentum"}
    assert set(CONDITIONAL.from_unit([0.1, 0.0, 0.5])) == {"optimizer", "momentum", "warmup"}
    assert np.isnan(CONDITIONAL.to_unit({"optimizer": "adam"})).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"optimizer": "adam", "momentum": 0.5}, "condition does not hold", id="inactive-given"),
        pytest.param({"optimizer": "sgd"}, "momentum: has no value", id="active-missing"),
        pytest.param({"optimizer": "adam", "lr": 1}, "lr: no such parameter", id="unknown"),
    ],
)
def test_check_names_the_parameter(values, message):
    with pytest.raises(SpecError, match=message):
        CONDITIONAL.check(values)


def test_cardinality_is_arithmetic():
    huge = SearchSpace(tuple(Integer(f"x{i}", 1, 10) for i in range(10)))
    assert huge.cardinality == 10**10
    assert SearchSpace((Real("x", 0, 1),)).cardinality == math.inf


@pytest.mark.parametrize("text", ["9007199254740993", "-9007199254740993", "+7", "12"])
def test_whole_numbers_of_any_size_keep_their_digits(text):
    wide = Integer("n", -(2**60), 2**60)
    assert wide.parse(text) == int(text)
