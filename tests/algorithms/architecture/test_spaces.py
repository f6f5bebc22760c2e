"""Families of architectures: every point is a trial's text and comes back from it; Katib's texts; what is none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.architecture.cells import Genotype, read_genotype
from algorithms.architecture.search import ArchitectureSettings, architecture_space
from algorithms.architecture.wire import quoted, unquoted
from tests.algorithms.architecture.experiments import CELL_201, CELLS, CHAIN, spec

FAMILIES = {"cells": CELLS, "chain": CHAIN, "nasbench201": CELL_201}
SPACES = {name: architecture_space(spec(nas), ArchitectureSettings()) for name, nas in FAMILIES.items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_family_is_told_by_the_graph_and_the_operations(name):
    assert type(SPACES[name]) is type(architecture_space(spec(FAMILIES[name]), ArchitectureSettings(name)))


@pytest.mark.parametrize("name", FAMILIES)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_point_comes_back_from_its_texts(name, seed):
    family = SPACES[name]
    point = family.space.from_unit(np.random.default_rng(seed).random(len(family.space)))
    assignments = family.assignments(point)
    assert all(isinstance(text, str) for text in assignments.values())
    assert family.parameters(assignments) == point


def test_the_size_of_the_benchmarks_space():
    assert SPACES["nasbench201"].space.cardinality == 15_625


def test_a_cell_of_the_benchmark():
    text = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|none~2|"
    point = SPACES["nasbench201"].parameters({"architecture": text})
    assert list(point.values()) == [
        "avg_pool_3x3", "nor_conv_1x1", "skip_connect", "nor_conv_1x1", "skip_connect", "none",
    ]  # fmt: skip
    assert SPACES["nasbench201"].assignments(point) == {"architecture": text}


def test_the_texts_of_a_chain():
    family = SPACES["chain"]
    texts = family.assignments(family.point([[3], [4, 1], [0, 0, 1]]))
    assert texts["architecture"] == "[[3], [4, 1], [0, 0, 1]]"
    network = json.loads(texts["nn_config"].replace("'", '"'))
    assert network["embedding"]["4"] == {
        "opt_id": 4, "opt_type": "reduction", "opt_params": {"reduction_type": "max_pooling", "pool_size": 2},
    }  # fmt: skip
    assert (network["num_layers"], network["input_sizes"], network["output_sizes"]) == (3, [8, 8, 1], [10])
    assert set(network["embedding"]) == {"0", "3", "4"}


GENOTYPE = (
    "Genotype(normal=[[('skip_connection', 0), ('max_pooling_3x3', 1)], [('max_pooling_3x3', 0), ('skip_connection', "
    "2)]], normal_concat=range(2, 4), reduce=[[('skip_connection', 0), ('skip_connection', 1)], [('skip_connection', "
    "1), ('max_pooling_3x3', 2)]], reduce_concat=range(2, 4))"
)


@pytest.mark.parametrize(
    "text",
    [
        GENOTYPE,
        f"Best-Genotype={GENOTYPE}",
        GENOTYPE.replace("[[", "[").replace("]]", "]").replace("], [", ", "),
        GENOTYPE.replace("range(2, 4)", "[2, 3]"),
    ],
    ids=["katib", "as-metric", "flat", "lists"],
)
def test_forms_of_a_genotype(text):
    genotype = read_genotype(text)
    assert str(genotype) == GENOTYPE
    assert genotype.normal[1] == (("max_pooling_3x3", 0), ("skip_connection", 2))


def test_a_concat_of_its_own_stays():
    genotype = Genotype(*read_genotype(GENOTYPE)[:2], (1, 2), (2, 3))
    assert "normal_concat=[1, 2]" in str(genotype)
    assert read_genotype(str(genotype)) == genotype._replace(reduce_concat=(2, 3))


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("nasbench201", {"architecture": "|none~0|+|none~0|none~1|"}),
        ("nasbench201", {"architecture": "|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|"}),
        ("chain", {"architecture": "[[0], [1, 2], [0, 0, 0]]"}),
        ("chain", {"architecture": "[[0], [1, 0]]"}),
        ("chain", {"architecture": "[[9], [1, 0], [0, 0, 0]]"}),
        ("chain", {"architecture": "__import__('os')"}),
        ("cells", {"genotype": GENOTYPE}),
        ("cells", {"genotype": "Genotype(normal=[[('a', 0), ('a', 0)]], reduce=[])"}),
        ("cells", {"genotype": "Genotype(normal=open('x'), reduce=[])"}),
        ("cells", {}),
    ],
)
def test_texts_that_are_none_of_the_space(name, texts):
    with pytest.raises(ValueError, match=r"architecture|genotype|Genotype"):
        SPACES[name].parameters(texts)


LEAVES = st.none() | st.booleans() | st.integers() | st.text("abc_- .", max_size=5)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
)


@given(TREES)
def test_trees_in_single_quotes_come_back(tree):
    assert unquoted(quoted(tree)) == tree


def test_a_quotation_mark_cannot_be_told_apart():
    with pytest.raises(ValueError, match="quotation mark"):
        quoted({"a": "it's"})
