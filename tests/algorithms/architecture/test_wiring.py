"""Graphs of operations: which architectures are the same, and which paths run through them."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from algorithms.architecture.cells import read_genotype
from algorithms.architecture.search import ArchitectureSettings, architecture_space
from algorithms.architecture.wiring import Edge, Wiring, paths, signature, size
from tests.algorithms.architecture.experiments import BENCHMARK, CELL_201, CELLS, operation, spec

CELL = architecture_space(spec(CELL_201), ArchitectureSettings())
GENOTYPES = architecture_space(spec(CELLS), ArchitectureSettings(num_nodes=2))
LAYERS = architecture_space(
    spec(
        {
            "graphConfig": {"numLayers": 3, "inputSizes": [8, 8, 1], "outputSizes": [10]},
            "operations": [operation("convolution", filter_size=[3]), {"operationType": "skip_connection"}],
        }
    ),
    ArchitectureSettings(search_space="chain"),
)


def cell(text: str) -> tuple[Wiring, ...]:
    """A cell whose operations are written by their first letters: n(one), s(kip), 1, 3, a(verage)."""
    short = dict(zip("ns13a", BENCHMARK, strict=True))
    edges = iter(short[letter] for letter in text)
    nodes = ["|" + "|".join(f"{next(edges)}~{source}" for source in range(node)) + "|" for node in (1, 2, 3)]
    return CELL.wirings(CELL.parameters({"architecture": "+".join(nodes)}))


def genotype(normal: object, reduce: object) -> tuple[Wiring, ...]:
    text = str(read_genotype(f"Genotype(normal={normal!r}, reduce={reduce!r})"))
    return GENOTYPES.wirings(GENOTYPES.parameters({"genotype": text}))


def chain(*rows: list[int]) -> tuple[Wiring, ...]:
    return LAYERS.wirings(LAYERS.point(rows))


A, B, SKIP = "separable_convolution_3x3", "max_pooling_3x3", "skip_connection"
ONE = [[(A, 0), (B, 1)], [(B, 0), (A, 1)]]
OTHER = [[(B, 0), (A, 1)], [(A, 0), (B, 1)]]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(cell("3nnnsn"), cell("snnn3n"), True, id="passed on before or behind the operation"),
        pytest.param(cell("3nnnsn"), cell("n3nnns"), True, id="the same path over another node"),
        pytest.param(cell("3n1nsn"), cell("3nnnsn"), True, id="a branch that reaches no output"),
        pytest.param(cell("nn3133"), cell("nnn1nn"), True, id="operations on nothing"),
        pytest.param(cell("333nnn"), cell("nnnnnn"), True, id="no output"),
        pytest.param(cell("333nnn"), cell("nnn1nn"), False, id="no output, and an output"),
        pytest.param(cell("3nnn1n"), cell("1nnn3n"), False, id="the order of operations"),
        pytest.param(cell("snn3nn"), cell("snn33n"), False, id="once and twice"),
        pytest.param(cell("3ssnn1"), cell("3nn11n"), False, id="a sum before or behind the operation"),
        pytest.param(genotype(ONE, ONE), genotype(OTHER, ONE), True, id="nodes in another order"),
        pytest.param(genotype(ONE, ONE), genotype(ONE, [[(A, 0), (A, 1)], ONE[1]]), False, id="another reduction"),
        pytest.param(
            genotype([ONE[0], [(SKIP, 0), (A, 2)]], ONE), genotype([ONE[0], [(SKIP, 1), (A, 2)]], ONE), False,
            id="another input passed on",
        ),
        pytest.param(chain([0], [1, 0], [0, 0, 0]), chain([1], [0, 0], [0, 0, 0]), True, id="a layer that passes on"),
        pytest.param(chain([0], [0, 0], [0, 0, 0]), chain([0], [0, 0], [0, 1, 0]), False, id="a skip"),
    ],
)  # fmt: skip
def test_what_computes_the_same_has_the_same_signature(one, other, same):
    assert (signature(one) == signature(other)) == same


def test_what_is_passed_on_at_half_the_size_is_an_operation():
    plain, skipping = [ONE[0], ONE[1]], [[(SKIP, 0), (B, 1)], ONE[1]]
    assert len(paths(genotype(plain, skipping)[1], 9)) == len(paths(genotype(plain, plain)[1], 9))
    assert ("skip_connection" in str(paths(genotype(skipping, plain)[0], 9))) is False
    assert ("skip_connection" in str(paths(genotype(plain, skipping)[1], 9))) is True


def test_how_many_different_cells_the_benchmark_has():
    """Fewer than the 6,466 of Dong & Yang (2020), who leave in what an operation makes of nothing."""
    names = [parameter.name for parameter in CELL.space]
    points = (dict(zip(names, values, strict=True)) for values in itertools.product(BENCHMARK, repeat=6))
    sizes = Counter(signature(CELL.wirings(point)) for point in points)
    assert (sizes.total(), len(sizes)) == (15_625, 4_930)


def test_paths_are_counted_without_what_is_passed_on():
    (wiring,) = cell("3s1s3a")
    assert paths(wiring, 3) == {
        (0,): 1,
        (0, "nor_conv_3x3", "nor_conv_3x3"): 1,
        (0, "avg_pool_3x3"): 1,
        (0, "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"): 1,
    }
    assert sorted(map(len, paths(wiring, 2))) == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("333333", 54), ("3nnnnn", 0), ("3nnn1n", 10), ("nn3333", 9), ("3n1nsn", 9), ("aaaaaa", 0), ("ssssss", 0)],
)
def test_the_size_is_that_of_operations_on_a_path(text, expected):
    assert sum(size(wiring, CELL.weights) for wiring in cell(text)) == expected


def test_weights_of_operations():
    assert GENOTYPES.weights == {A: 2, "separable_convolution_5x5": 2, B: 0, SKIP: 0}
    assert set(LAYERS.weights.values()) == {9, 0}


def test_many_layers_cost_no_more_than_their_edges():
    """Number of paths and size of the expression double with each layer."""
    nodes = tuple(tuple(Edge("a", source) for source in range(node)) for node in range(1, 60))
    assert len(signature([Wiring(1, nodes)])) == 32
    assert paths(Wiring(1, nodes), 2) == {(0, "a"): 1, (0, "a", "a"): 58}
