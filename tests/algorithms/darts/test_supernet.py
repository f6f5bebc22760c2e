"""The grouped supernet computes what the plain one does, operation by operation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from algorithms.architecture.operations import OperationType, register  # noqa: E402
from algorithms.darts import grouped  # noqa: E402
from algorithms.darts.grouped import EachEdge, GroupedNodes, GroupedSequence  # noqa: E402
from algorithms.darts.mixed import CellPlan, MixedNodes  # noqa: E402
from algorithms.darts.supernet import Supernet  # noqa: E402
from algorithms.darts.wiring import NONE, edges_from, edges_into, edges_of  # noqa: E402
from algorithms.networks.layers import register_layer  # noqa: E402
from katib.core.errors import PermanentError  # noqa: E402
from tests.algorithms.darts.supernets import OPERATIONS, examples, random_mix, shape_of  # noqa: E402

pytestmark = pytest.mark.requires("torch")

MORE = ("convolution_3x3", "depthwise_convolution_3x3", "nor_conv_1x1", "skip_connect", "avg_pool_3x3", "own_gate")


class Gate(nn.Module):
    """A user's layer."""

    def __init__(self, place):
        super().__init__()
        self.inner = nn.Conv2d(place.inputs, place.outputs, 1, place.stride)

    def forward(self, x):
        return torch.sigmoid(self.inner(x))


@pytest.fixture(autouse=True, scope="module")
def _own_operation():
    register(OperationType("own_gate"))
    register_layer("own_gate", _gate)


def _gate(operation, place):
    return Gate(place)


def both(shape):
    """Output, and gradients by weights and by how operations are mixed, of the plain and of the grouped supernet."""
    given = examples(8, shape.image[1], shape.classes, torch.float64)
    for fused in (False, True):
        torch.manual_seed(0)
        net, mixed = Supernet(shape, fused=fused).double(), random_mix(shape)
        output = net(given.inputs, mixed)
        mixing = [x for cell in mixed.values() for x in (cell.operations, cell.edges)]
        functional.cross_entropy(output, given.labels).backward()
        yield net, output, [x.grad for x in mixing]


@pytest.mark.parametrize("size", [8, 7], ids=["even", "odd"])
@pytest.mark.parametrize("more", [{}, {"partial": 2, "auxiliary_skip": True}], ids=["all-channels", "partial"])
@pytest.mark.parametrize("operation", [*OPERATIONS, *MORE])
def test_grouped_is_plain(operation, more, size):
    shape = shape_of([operation, "skip_connection"] if operation != "skip_connection" else [operation], channels=8,
                     size=size, **more)  # fmt: skip
    (plain, output, mixing), (fused, same_output, same_mixing) = both(shape)
    torch.testing.assert_close(output, same_output, rtol=0, atol=1e-10)
    for one, other in zip(mixing, same_mixing, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
    assert sum(x.numel() for x in plain.parameters()) == sum(x.numel() for x in fused.parameters())


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if "conv" in each])
def test_grouped_is_plain_without_composed_kernels(operation, monkeypatch):
    monkeypatch.setattr(grouped, "worth_composing", lambda x: False)
    test_grouped_is_plain(operation, {}, 8)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("operation", [*OPERATIONS, *MORE])
def test_gradients_of_weights(operation, stride):
    shape = shape_of([operation], nodes=3)
    plan = CellPlan(shape.mixed, 3, 4, stride, 1)
    torch.manual_seed(0)
    plain = MixedNodes(plan).double()
    for norm in [module for module in plain.modules() if isinstance(module, nn.BatchNorm2d)]:
        norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
    fused, mixed = GroupedNodes(plain, plan), random_mix(shape)["normal"]
    inputs = [torch.randn(4, 4, 6, 6, dtype=torch.float64) for _ in range(2)]
    weight = torch.randn(4, 12, 6 // stride, 6 // stride, dtype=torch.float64)
    by_edge = []
    for nodes in (plain, fused):
        nodes.zero_grad()
        (torch.cat(nodes(inputs, mixed), dim=1) * weight).sum().backward()
        by_edge.append(_gradients_by_state(nodes, operation))
    for one, other in zip(*by_edge, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def _gradients_by_state(nodes, operation):
    """Of each state the gradients of its edges' kernels, one after the other, in the order of the layers."""
    if isinstance(nodes, GroupedNodes):
        states = [state.learned for state in nodes.states]
        if any(isinstance(layer, EachEdge) for layers in states for layer in layers):
            return []  # the very modules of the plain one
        return [x.grad for layers in states for x in layers.parameters()]
    edges = edges_of(nodes.nodes)
    columns = [1]  # behind none
    found = []
    for state in range(nodes.nodes + 1):
        layers = [nodes.edges[number].layers[column] for number in edges_from(state, nodes.nodes) for column in columns]
        if isinstance(layers[0], Gate):
            return []
        kernels = zip(*(layer.parameters() for layer in layers), strict=True)
        found += [torch.cat([x.grad for x in same]) for same in kernels]
    assert len(edges) == 9
    return found


def test_convolutions_of_an_edge_are_grouped():
    net = Supernet(shape_of())
    kinds = [type(layer) for state in net.cells[0].nodes.states for layer in state.learned]
    assert set(kinds) == {GroupedSequence}
    assert len(kinds) == 4 * 3  # operations with weights, states that edges leave


@pytest.mark.parametrize(("nodes", "cells", "channels"), [(1, 1, 1), (1, 2, 1), (3, 5, 2)])
@pytest.mark.parametrize("fused", [True, False], ids=["grouped", "plain"])
def test_the_smallest_graphs(nodes, cells, channels, fused):
    shape = shape_of(["max_pooling_3x3"], nodes, cells, channels, stem=1)
    output = Supernet(shape, fused=fused)(examples(4).inputs, random_mix(shape, torch.float32))
    assert output.shape == (4, 3)


def test_only_the_operation_that_was_chosen_is_computed():
    shape = shape_of(nodes=1, cells=1)
    net, mixed = Supernet(shape, fused=False), random_mix(shape, torch.float32)
    column = shape.operations.index("separable_convolution_3x3")
    chosen = {kind: type(cell)(cell.operations, cell.edges, (column, 0)) for kind, cell in mixed.items()}
    net(examples(4).inputs, chosen).sum().backward()
    used = {
        name.split(".layers.")[1].split(".")[0]
        for name, x in net.named_parameters()
        if "edges" in name and x.grad is not None
    }
    assert used == {str(column)}


def test_operations():
    assert shape_of(["skip_connection"]).operations == (NONE, "skip_connection")
    assert shape_of([NONE, "max_pooling_3x3"], auxiliary_skip=True).auxiliary_skip is False
    assert [o.label for o in shape_of(["skip_connection"], auxiliary_skip=True).mixed][-1] == "skip_connection"
    with pytest.raises(PermanentError, match="expected some, each once"):
        shape_of([NONE])


def test_wiring():
    assert [(edge.node, edge.state) for edge in edges_of(2)] == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    assert list(edges_into(1)) == [2, 3, 4]
    assert edges_from(1, 3) == (1, 3, 6)


@pytest.mark.parametrize(("channels", "partial", "parts"), [(16, 4, 4), (8, 4, 2), (4, 4, 1), (1, 4, 1), (12, 4, 3)])
def test_parts(channels, partial, parts):
    assert shape_of(partial=partial).parts(channels) == parts
