"""What HEBO's adapter puts in the place of pymoo's own functions gives the same as they do, in HEBO's environment."""

from __future__ import annotations

import pytest

from tests.benchmarks.search.rival_program import run_in

_COMPARISON = """
import numpy as np
from pymoo.core.individual import Individual
from pymoo.core.mixed import MixedVariableDuplicateElimination
from pymoo.core.population import Population
from pymoo.util.nds.fast_non_dominated_sort import fast_non_dominated_sort
from adapters import pymoo_quicker

generator = np.random.default_rng(1)

def population(size):
    numbers, words = generator.integers(0, 3, size) / 2, generator.choice(["a", "b"], size)
    return Population.create(*[Individual(X={"x": x, "w": w}) for x, w in zip(numbers, words)])

pairs = [(population(size), population(7)) for size in (0, 1, 2, 5, 30)]
values = [generator.integers(0, 4, (size, 3)).astype(float) for size in (0, 1, 2, 50, 200)]
values += [generator.random((200, 3))]
survivors = lambda: [[each.X for each in MixedVariableDuplicateElimination().do(one, other)] for one, other in pairs]
kept = survivors()
sorted_before = [fast_non_dominated_sort(each) for each in values]
pymoo_quicker.install()
assert survivors() == kept and 0 < len(kept[-1]) < 6
assert [pymoo_quicker.fronts(each) for each in values] == sorted_before and len(sorted_before[-1]) > 3
print("the same")
"""


@pytest.mark.slow
@pytest.mark.requires("rival-hebo")
def test_the_quicker_functions_give_the_same():
    assert run_in("hebo", _COMPARISON).endswith("the same\n")
