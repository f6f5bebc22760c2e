"""Networks of architectures of all families: shapes on images of any size, published parameter counts, what each
parameter of an operation does."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from algorithms.architecture.operations import Operation  # noqa: E402
from algorithms.architecture.reading import Chain, ChainLayer  # noqa: E402
from algorithms.networks.benchmark_network import ResidualBlock  # noqa: E402
from algorithms.networks.building import Width, network, parameter_count  # noqa: E402
from algorithms.networks.cell_network import DropPath  # noqa: E402
from katib.core.errors import PermanentError  # noqa: E402

pytestmark = pytest.mark.requires("torch")

# Liu, Simonyan & Yang 2019: the cells of DARTS' second order, "DARTS_V2" of github.com/quark0/darts.
DARTS_V2 = """Genotype(normal=[('separable_convolution_3x3', 0), ('separable_convolution_3x3', 1),
('separable_convolution_3x3', 0), ('separable_convolution_3x3', 1), ('separable_convolution_3x3', 1),
('skip_connection', 0), ('skip_connection', 0), ('dilated_convolution_3x3', 2)], normal_concat=[2, 3, 4, 5],
reduce=[('max_pooling_3x3', 0), ('max_pooling_3x3', 1), ('skip_connection', 2), ('max_pooling_3x3', 1),
('max_pooling_3x3', 0), ('skip_connection', 2), ('skip_connection', 2), ('max_pooling_3x3', 1)],
reduce_concat=[2, 3, 4, 5])"""
SMALL = "Genotype(normal=[[('separable_convolution_3x3', 0), ('skip_connection', 1)]], " \
        "reduce=[[('max_pooling_3x3', 0), ('none', 1)]])"  # fmt: skip
RESNET = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def _chain(*operations, skips=()):
    layers = [ChainLayer(each) for each in operations]
    layers[-1] = layers[-1]._replace(skips=tuple(skips))
    return Chain(tuple(layers))


def _operation(type, **parameters):
    return Operation(type, tuple(parameters.items()))


CHAIN = _chain(
    _operation("convolution", filter_size=3, num_filter=6, stride=2),
    _operation("reduction", reduction_type="avg_pooling", pool_size=2),
    _operation("separable_convolution", filter_size=5, num_filter=9, stride=1, depth_multiplier=2),
    _operation("depthwise_convolution", filter_size=3, stride=2, depth_multiplier=2),
    skips=(0, 1),
)


@pytest.mark.parametrize("architecture", [SMALL, RESNET, EMPTY, CHAIN], ids=["cells", "benchmark", "zeros", "chain"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 7, 9), (2, 1, 1)], ids=str)
def test_a_number_for_each_class(architecture, shape):
    module = network(architecture, 5, shape, Width(channels=4))
    scores = module(torch.randn(3, *shape))
    assert scores.shape == (3, 5)
    scores.square().sum().backward()


def test_a_published_count_of_genotype_parameters():
    """3.3 million (Liu et al. 2019, table 1), 3,349,342 by the authors' code with 36 channels and 20 cells."""
    module = network(DARTS_V2, 10, (3, 32, 32), Width(channels=36, cells=20))
    assert parameter_count(module) == 3_349_342


@pytest.mark.parametrize(
    ("cell", "millions"),
    [
        pytest.param("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
                     1.531546, id="all-3x3"),
        pytest.param("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
                     0.073306, id="all-skip"),
    ],
)  # fmt: skip
def test_a_published_count_of_benchmark_parameters(cell, millions):
    """As the benchmark's files have them, in millions (Dong & Yang 2020)."""
    assert parameter_count(network(cell, 10, (3, 32, 32))) == round(millions * 1e6)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        pytest.param(
            _operation("convolution", filter_size=7, num_filter=12, stride=2), (12, 4, 8 * 12 * 49), id="conv"
        ),
        pytest.param(
            _operation("dilated_convolution", filter_size=3, num_filter=12), (12, 8, 8 * 12 * 9), id="dilated"
        ),
        pytest.param(
            _operation("separable_convolution", filter_size=5, num_filter=12, stride=1, depth_multiplier=2),
            (12, 8, 16 * 25 + 16 * 12),
            id="separable",
        ),
        pytest.param(
            _operation("depthwise_convolution", filter_size=3, stride=2, depth_multiplier=3),
            (24, 4, 24 * 9),
            id="depthwise",
        ),
        pytest.param(
            _operation("depthwise_convolution", filter_size=3, num_filter=12),
            (12, 8, 8 * 9 + 8 * 12),
            id="depthwise-num_filter",
        ),
        pytest.param(_operation("reduction", reduction_type="max_pooling", pool_size=4), (8, 2, 0), id="reduction"),
        pytest.param(_operation("avg_pooling", filter_size=3, stride=2), (8, 4, 0), id="pooling"),
        pytest.param(_operation("skip_connection"), (8, 8, 0), id="skip"),
    ],
)
def test_parameters_of_a_chain_are_in_effect(operation, expected):
    layer = network(_chain(operation), 2, (8, 8, 8), Width(channels=8)).layers[0]
    _, channels, height, _ = layer(torch.randn(2, 8, 8, 8)).shape
    weights = sum(each.numel() for each in layer.parameters() if each.dim() == 4)
    assert (channels, height, weights) == expected


@pytest.mark.parametrize(("kind", "expected"), [("max_pooling", 3.0), ("avg_pooling", 1.5)])
def test_kinds_of_reduction(kind, expected):
    layer = network(_chain(_operation("reduction", reduction_type=kind, pool_size=2)), 2, (1, 2, 2)).layers[0]
    assert float(layer(torch.arange(4.0).reshape(1, 1, 2, 2))) == expected


def test_a_skip_of_a_chain_changes_the_result():
    one, other = (
        network(_chain(*[_operation("skip_connection")] * 2, skips=skips), 2, (1, 4, 4)) for skips in ([0], [])
    )
    assert len(one.joins) == 1
    assert not other.joins


def test_auxiliary_head_and_drop_path_are_for_training_only():
    module = network(DARTS_V2, 4, (1, 8, 8), Width(channels=4, cells=3, auxiliary=True))
    module.set_drop_path(0.5)
    x = torch.randn(4, 1, 8, 8)
    assert module.outputs(x)[1].shape == (4, 4)
    module.eval()
    assert module.outputs(x)[1] is None
    assert torch.equal(module(x), module(x))
    assert parameter_count(module) == parameter_count(network(DARTS_V2, 4, (1, 8, 8), Width(channels=4, cells=3)))


def test_drop_path_keeps_the_mean():
    path = DropPath()
    path.rate = 0.25
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dropped = path(torch.ones(4000, 1, 1, 1))
    assert dropped.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert float(dropped.mean()) == pytest.approx(1, abs=0.03)


def test_weights_are_drawn_by_the_seed_and_the_process_keeps_its_numbers():
    before = torch.random.get_rng_state()
    one, same, other = (network(RESNET, 2, (1, 4, 4), seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_odd_images_are_rounded_up():
    assert ResidualBlock(4)(torch.randn(2, 4, 7, 5)).shape == (2, 8, 4, 3)


@pytest.mark.parametrize(
    ("architecture", "width", "message"),
    [
        (RESNET, Width(cells=0), "cells 0, expected whole numbers from 1 on"),
        (_chain(Operation("convolutions")), Width(), "'convolutions' has no layer"),
        (RESNET.replace("nor_conv_3x3", "nor_conv_2x2"), Width(), "unknown operation 'nor_conv_2x2'"),
    ],
    ids=["width", "layer", "operation"],
)
def test_what_cannot_be_built(architecture, width, message):
    with pytest.raises(PermanentError, match=message):
        network(architecture, 2, (1, 4, 4), width)
