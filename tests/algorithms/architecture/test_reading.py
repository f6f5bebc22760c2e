"""One architecture of any family out of texts and parameters."""

from __future__ import annotations

import pytest

from algorithms.architecture.cells import Genotype
from algorithms.architecture.operations import Operation
from algorithms.architecture.reading import (
    BenchmarkCell,
    Chain,
    ChainLayer,
    chain_parameters,
    holds_architecture,
    read_architecture,
)

GENOTYPE = "Genotype(normal=[[('skip_connection', 0), ('max_pooling_3x3', 1)]], normal_concat=range(2, 3), " \
           "reduce=[[('avg_pooling_3x3', 0), ('skip_connection', 1)]], reduce_concat=range(2, 3))"  # fmt: skip
BENCHMARK = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
CONVOLUTION = Operation("convolution", (("filter_size", 3), ("num_filter", 8), ("stride", 1)))
REDUCTION = Operation("reduction", (("reduction_type", "max_pooling"), ("pool_size", 2)))
CHAIN = Chain((ChainLayer(CONVOLUTION), ChainLayer(REDUCTION), ChainLayer(CONVOLUTION, (0, 1))))
KATIB = {  # as Katib's ENAS hands it out: numbers of operations that are not 0, 1, ...; parameters as texts
    "architecture": "[[27],[29,0],[27,1,1]]",
    "nn_config": "{'num_layers': 3, 'input_sizes': [8, 8, 1], 'output_sizes': [10], 'embedding': {'27': {'opt_id': "
    "27, 'opt_type': 'convolution', 'opt_params': {'filter_size': '3', 'num_filter': '8', 'stride': '1'}}, '29': "
    "{'opt_id': 29, 'opt_type': 'reduction', 'opt_params': {'reduction_type': 'max_pooling', 'pool_size': 2}}}}",
}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(GENOTYPE, Genotype, id="genotype"),
        pytest.param(f"Best-Genotype={GENOTYPE}", Genotype, id="metric"),
        pytest.param({"genotype": GENOTYPE}, Genotype, id="parameter"),
        pytest.param({"Best-Genotype": GENOTYPE}, Genotype, id="metric-by-name"),
        pytest.param(BENCHMARK, BenchmarkCell, id="benchmark"),
        pytest.param(f"architecture={BENCHMARK}\n", BenchmarkCell, id="benchmark-named"),
        pytest.param({"architecture": BENCHMARK}, BenchmarkCell, id="benchmark-parameter"),
        pytest.param(KATIB, Chain, id="chain"),
        pytest.param(f"Best-Architecture={CHAIN}", Chain, id="chain-metric"),
        pytest.param({"Best-Architecture": str(CHAIN)}, Chain, id="chain-metric-by-name"),
        pytest.param(CHAIN, Chain, id="typed"),
    ],
)
def test_read_and_written(given, kind):
    typed = read_architecture(given)
    assert isinstance(typed, kind)
    assert read_architecture(str(typed)) == typed


def test_a_chain_as_katib_writes_it():
    assert read_architecture(KATIB) == CHAIN
    assert read_architecture(chain_parameters(CHAIN)) == CHAIN


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param("", "expected Genotype", id="empty"),
        pytest.param("Genotype(normal=1)", "expected Genotype", id="genotype"),
        pytest.param(BENCHMARK.replace("none~2", "none~1"), "expected Genotype", id="edge"),
        pytest.param(BENCHMARK[:-9] + "|", "expected Genotype", id="edge-missing"),
        pytest.param({"lr": 0.1}, "got the parameters lr, expected genotype or architecture", id="none"),
        pytest.param({"architecture": "[[0]]"}, "nn_config: missing", id="no-nn_config"),
        pytest.param({**KATIB, "architecture": "[[28]]"}, "embedding", id="not-embedded"),
        pytest.param({**KATIB, "architecture": "[[27],[29]]"}, "layer 1 has the skips", id="skips"),
        pytest.param({**KATIB, "architecture": "[]"}, "a row for each layer", id="no-layers"),
        pytest.param("{nonsense", "expected a JSON object", id="no-json"),
    ],
)
def test_what_is_no_architecture(given, message):
    with pytest.raises(ValueError, match=message):
        read_architecture(given)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [(KATIB, True), ({"genotype": GENOTYPE}, True), ({"Best-Genotype": GENOTYPE}, True), ({"lr": "0.1"}, False)],
    ids=["chain", "genotype", "metric", "none"],
)
def test_whether_there_is_one(parameters, expected):
    assert holds_architecture(parameters) is expected
