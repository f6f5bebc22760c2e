"""Layers of operations: shapes at both strides, and what each one computes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from algorithms.architecture.operations import Operation, operation_named  # noqa: E402
from algorithms.networks.layers import FactorizedReduce, Place, layer, register_layer  # noqa: E402
from katib.core.errors import PermanentError  # noqa: E402

pytestmark = pytest.mark.requires("torch")

LABELS = [
    "none", "skip_connection", "convolution_3x3", "separable_convolution_3x3", "separable_convolution_5x5",
    "dilated_convolution_3x3", "dilated_convolution_5x5", "depthwise_convolution_3x3", "max_pooling_3x3",
    "avg_pooling_3x3", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3",
]  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("size", [8, 7], ids=["even", "odd"])
@pytest.mark.parametrize(("outputs", "stride"), [(4, 1), (4, 2), (6, 1), (6, 2)])
def test_shape(label, size, outputs, stride):
    module = layer(operation_named(label), Place(4, outputs, stride))
    assert module(torch.randn(2, 4, size, size)).shape == (2, outputs, -(-size // stride), -(-size // stride))


@pytest.mark.parametrize("label", [each for each in LABELS if "conv" in each])
def test_batch_normalisation_of_a_supernet_learns_nothing(label):
    kept = list(layer(operation_named(label), Place(4, 4, affine=False)).parameters())
    assert kept
    assert all(parameter.dim() == 4 for parameter in kept)


def test_a_pooling_of_a_supernet_is_normalised():
    pooled = layer(operation_named("avg_pooling_3x3"), Place(4, 4, normalised_pooling=True))(torch.randn(8, 4, 6, 6))
    assert pooled.mean().abs() < 1e-6


@pytest.mark.parametrize("size", [8, 7, 1], ids=["even", "odd", "pixel"])
def test_a_reducing_skip_is_two_convolutions_of_stride_2(size):
    module = FactorizedReduce(Place(3, 5, 2)).double()
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    moved = nn.functional.pad(x.relu(), (0, 1, 0, 1))[:, :, 1:, 1:]
    strided = [
        nn.functional.conv2d(seen, half.weight, stride=2)
        for seen, half in ((x.relu(), module.even), (moved, module.odd))
    ]
    torch.testing.assert_close(module(x), module.norm(torch.cat(strided, dim=1)), rtol=1e-12, atol=1e-12)


def test_gradients_of_a_reducing_skip_stay_in_their_memory():
    """As they are wanted with channels last, few of them and one thread; PyTorch's own strides end the process."""
    module = FactorizedReduce(Place(3, 3, 2)).to(memory_format=torch.channels_last)
    for _ in range(20):
        x = torch.randn(8, 3, 8, 8).contiguous(memory_format=torch.channels_last)
        module(x).sum().backward()
        assert module.even.weight.grad.isfinite().all()


def test_every_pixel_goes_into_a_reducing_skip():
    module = FactorizedReduce(Place(2, 4, 2)).eval()
    x = torch.rand(1, 2, 4, 4, requires_grad=True)
    module(x).square().sum().backward()
    touched = (x.grad != 0).any(dim=1)[0]
    assert int(touched.sum()) == 8  # of each 2x2 block one pixel by each of the two convolutions


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("separable_convolution_5x5", Operation("separable_convolution", (("filter_size", 5),))),
        ("nor_conv_3x3", Operation("nor_conv_3x3")),
        ("skip_connection", Operation("skip_connection")),
    ],
)
def test_the_operation_behind_a_label(label, expected):
    assert operation_named(label) == expected
    assert operation_named(label).label == label


def test_an_operation_of_ones_own():
    with pytest.raises(PermanentError, match="'attention' has no layer"):
        layer(Operation("attention"), Place(4, 4))
    register_layer("attention", _identity)
    assert isinstance(layer(Operation("attention"), Place(4, 4)), nn.Identity)
    with pytest.raises(PermanentError, match="has a layer already"):
        register_layer("attention", lambda operation, place: nn.Identity())


def _identity(operation, place):
    return nn.Identity()
