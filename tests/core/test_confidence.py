"""How sure a mean of a few runs is."""

import math

import pytest
from scipy.stats import t

from katib.core.confidence import half_width


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([3.0], None, id="one"),
        pytest.param([2.0, 2.0, 2.0], 0.0, id="equal"),
        pytest.param([0.0, 0.0], 0.0, id="zeros"),
        pytest.param([1.0, 2.0, 4.0], float(t.ppf(0.975, 2)) * math.sqrt(7 / 9), id="three"),
        pytest.param([-1e308, 1e308], math.inf, id="beyond-a-float"),
        pytest.param([1e200, 3e200], float(t.ppf(0.975, 1)) * 1e200, id="squares-beyond-a-float"),
        pytest.param([1e-200, 3e-200], float(t.ppf(0.975, 1)) * 1e-200, id="squares-below-a-float"),
    ],
)
def test_half_width_of_the_interval(values, expected):
    found = half_width(values)
    assert found is None if expected is None else found == pytest.approx(expected, rel=1e-12)
