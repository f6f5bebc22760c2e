"""Selection of genotypes on alphas made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from algorithms.architecture.cells import Genotype
from algorithms.darts.genotype import Selection, entropy, skip_share, skips

OPERATIONS = ("none", "skip_connection", "max_pooling_3x3", "separable_convolution_3x3")
SKIP, POOL, SEP = OPERATIONS[1:]


def rows(*edges):
    return [list(edge) for edge in edges]


EVEN = (0.25, 0.25, 0.25, 0.25)
NORMAL = rows(
    (0.9, 0.04, 0.03, 0.03), (0.1, 0.1, 0.2, 0.6),  # node 0: none is strong, and is not chosen
    (0.1, 0.5, 0.3, 0.1), (0.1, 0.2, 0.1, 0.6), (0.1, 0.1, 0.7, 0.1),  # node 1: the two strongest of three
)  # fmt: skip
REDUCE = rows(EVEN, EVEN, EVEN, EVEN, EVEN)
STRENGTHS = {"normal": NORMAL, "reduce": REDUCE}


def test_strongest():
    genotype = Selection(OPERATIONS, 2).strongest(STRENGTHS)
    assert genotype.normal == (((SKIP, 0), (SEP, 1)), ((SEP, 1), (POOL, 2)))
    assert genotype.reduce == (((SKIP, 0), (SKIP, 1)), ((SKIP, 0), (SKIP, 1)))  # the first of equal ones


def test_edges_have_weights():
    edge = np.array([1, 1, 0.9, 0.3, 0.3])
    weighted = {"normal": (np.array(NORMAL) * edge[:, None]).tolist(), "reduce": REDUCE}
    assert Selection(OPERATIONS, 2).strongest(weighted).normal[1] == ((SKIP, 0), (POOL, 2))


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (None, (((SKIP, 0), (SKIP, 1)), ((SKIP, 0), (SKIP, 1)))),
        (4, (((SKIP, 0), (SKIP, 1)), ((SKIP, 0), (SKIP, 1)))),
        (3, (((SKIP, 0), (POOL, 1)), ((SKIP, 0), (SKIP, 1)))),
        (1, (((SKIP, 0), (POOL, 1)), ((POOL, 1), (SEP, 2)))),
        (0, (((SEP, 0), (POOL, 1)), ((POOL, 1), (SEP, 2)))),
    ],
)
def test_most_skips(most, expected):
    normal = rows(
        (0, 0.9, 0.01, 0.09), (0, 0.4, 0.35, 0.25),
        (0, 0.5, 0.1, 0.2), (0, 0.7, 0.29, 0.01), (0, 0.26, 0.2, 0.3),
    )  # fmt: skip
    genotype = Selection(OPERATIONS, 2, most).strongest({"normal": normal, "reduce": REDUCE})
    assert genotype.normal == expected


def test_a_space_of_skips_alone_keeps_them():
    only = {"normal": rows((0.5, 0.5), (0.5, 0.5)), "reduce": rows((0.5, 0.5), (0.5, 0.5))}
    assert skips(Selection(("none", SKIP), 1, 0).strongest(only).normal) == 2


def test_ranked_by_what_a_change_costs():
    sure = (0.01, 0.01, 0.01, 0.97)
    normal = rows(sure, (0.1, 0.3, 0.1, 0.5), sure, sure, (0, 0, 0.1, 0.9))
    reduce = rows(sure, sure, sure, sure, (0, 0, 0.1, 0.2))
    first, second, third = Selection(OPERATIONS, 2).ranked({"normal": normal, "reduce": reduce}, 3)
    assert first.normal == (((SEP, 0), (SEP, 1)), ((SEP, 0), (SEP, 1)))
    # another edge at 0.9 in place of one at 0.97 costs less than the skip at 0.3 in place of 0.5
    assert {second.normal[1], third.normal[1]} == {((SEP, 1), (SEP, 2)), ((SEP, 0), (SEP, 2))}
    assert second.reduce == third.reduce == first.reduce
    assert len(Selection(OPERATIONS, 2).ranked(STRENGTHS, 1)) == 1


def test_ranked_keeps_to_the_cap():
    ranked = Selection(OPERATIONS, 2, 0).ranked(STRENGTHS, 20)
    assert len(ranked) == 15
    assert {skips(genotype.normal) for genotype in ranked} == {0}
    assert len(set(ranked)) == 15


def test_skip_share_and_entropy():
    assert skip_share(Genotype((((SKIP, 0), (SEP, 1)), ((SKIP, 0), (SKIP, 2))), ())) == 0.75
    certain = {"normal": [[0.0, 1.0]], "reduce": [[0.0, 1.0]]}
    assert entropy(certain) == 0
    assert entropy({**certain, "reduce": [[0.5, 0.5]]}) == pytest.approx(math.log(2) / 2)
