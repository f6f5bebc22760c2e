"""Declarations of trials: as text and back, drawn values, and what differs."""

from __future__ import annotations

import pytest

from katib.core.declarations import Declaration, described, difference, draw, read, written
from katib.core.errors import SpecError
from katib.core.parameters import Choice, Integer, Real
from katib.core.priors import Distribution

LOG = Distribution.LOG_UNIFORM
DECLARATIONS = [
    (Declaration(Real("x", 0.1, 0.3), 0.1 + 0.1), "suggest_float(0.1, 0.3)"),
    (Declaration(Real("x", 0.0, 1.0, step=0.25), 0.5), "suggest_float(0.0, 1.0, step=0.25)"),
    (Declaration(Real("x", 1e-5, 1.0, LOG), 1e-3), "suggest_float(1e-05, 1.0, log=True)"),
    (Declaration(Integer("n", 1, 9), 3), "suggest_int(1, 9)"),
    (Declaration(Integer("n", 2, 64, LOG, 2), 8), "suggest_int(2, 64, step=2, log=True)"),
    (Declaration(Choice("k", ("a", 1, 1.5, None, False)), None), "suggest_categorical(['a', 1, 1.5, None, False])"),
]


@pytest.mark.parametrize(("declaration", "call"), DECLARATIONS, ids=[call for _, call in DECLARATIONS])
def test_it_reads_back_as_it_was(declaration, call):
    again = read(written(declaration))
    assert again == declaration
    assert type(again.value) is type(declaration.value)
    assert described(again.parameter) == call
    assert difference(again.parameter, declaration.parameter) == ""


@pytest.mark.parametrize(
    "text",
    ["", "3", "{}", '{"kind": "Real", "name": "x", "low": 2, "high": 1, "log": false, "step": null, "value": 1}'],
)
def test_what_is_none(text):
    with pytest.raises(SpecError):
        read(text)


def test_draws_depend_on_seed_and_name_and_cover_the_prior():
    x = Real("x", 0.0, 1.0)
    drawn = [draw(x, seed) for seed in range(400)]
    assert drawn == [draw(x, seed) for seed in range(400)]
    assert drawn != [draw(Real("y", 0.0, 1.0), seed) for seed in range(400)]
    counts = [sum(i / 4 <= value < (i + 1) / 4 for value in drawn) for i in range(4)]
    assert sum(counts) == 400
    assert all(70 <= count <= 130 for count in counts)  # 100 and three standard deviations and a half
    rates = [draw(Real("rate", 1e-4, 1.0, LOG), seed) for seed in range(400)]
    assert 150 <= sum(rate < 1e-2 for rate in rates) <= 250


def test_what_differs_is_said_with_both_ranges():
    assert difference(Real("x", 0.0, 2.0), Integer("x", 0, 1)) == (
        "parameter 'x' is suggest_float(0.0, 2.0) here, but was declared as suggest_int(0, 1); "
        "one name is one parameter, with the same range in every trial"
    )
