"""The same mixed operations in fewer and larger calls. Edges that leave one state have the same input, so:

* an operation without weights is computed once for all of them, and one pointwise convolution mixes them;
* the convolutions of an operation on all of these edges are one grouped convolution, their batch normalisations one
  over all channels;
* the weight of an operation is the scale of its last batch normalisation, which is there anyway;
* the ReLU that operations begin with is computed once a state.

It is a rearrangement: outputs and gradients are those of ``mixed``. Modules are made from ``mixed``'s, so the same seed
gives the same network. Layers of the user's are computed edge by edge.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from algorithms.architecture.cells import INPUTS
from algorithms.darts.mixed import CellMix, CellPlan, MixedNodes, passed_by, shuffled
from algorithms.darts.wiring import NONE, edges_from
from algorithms.networks.layers import FactorizedReduce, in_two, thinned

_WITHOUT_WEIGHTS = (nn.Identity, nn.AvgPool2d, nn.MaxPool2d, nn.BatchNorm2d, nn.ReLU)
EPSILON = 1e-5  # of batch normalisation


def normalised(x: Tensor, scale: Tensor | None = None) -> Tensor:
    """Batch normalisation by the batch's own statistics. scale: of each group of channels, (groups,)."""
    weight = None if scale is None else scale.repeat_interleave(x.shape[1] // len(scale))
    return functional.batch_norm(x, None, None, weight, None, True, 0.0, EPSILON)


class JoinedConvolution(nn.Module):
    """One convolution in place of one an edge, all of one shape. shared: whether they have the same input, and not each
    its own, one after the other in the channels."""

    def __init__(self, convolutions: Sequence[nn.Conv2d], *, shared: bool) -> None:
        super().__init__()
        first = convolutions[0]
        self.weight = nn.Parameter(torch.cat([each.weight.detach() for each in convolutions]))
        self.edges, self.stride, self.dilation = len(convolutions), first.stride[0], first.dilation[0]
        self.depthwise = first.groups > 1
        self.repeats = shared and self.depthwise
        self.groups = 1 if shared and not self.depthwise else self.edges * first.groups

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, edges * channels', height', width')."""
        x = x.repeat(1, self.edges, 1, 1) if self.repeats else x
        return convolved(x, self.weight, self.stride, self.dilation, self.groups)


def convolved(x: Tensor, kernels: Tensor, stride: int, dilation: int, groups: int = 1) -> Tensor:
    """A convolution that keeps the image's size, or divides it by the stride. Of large kernels only what can lie on
    the image is computed with, and that is little where images have a few pixels."""
    half = kernels.shape[-1] // 2
    kept = min(half, (max(x.shape[2:]) - 1) // dilation)
    kernels = kernels[:, :, half - kept : half + kept + 1, half - kept : half + kept + 1] if kept < half else kernels
    if not kept:
        x, stride = thinned(x, stride), 1
    return functional.conv2d(x, kernels, None, stride, kept * dilation, dilation, groups)


def worth_composing(x: Tensor) -> bool:
    """Whether ``composed`` is quicker."""
    return bool(x.is_cpu)


def composed(x: Tensor, depthwise: JoinedConvolution, pointwise: JoinedConvolution) -> Tensor:
    """A depthwise and a pointwise convolution on each edge, with the same input for all, as one ordinary convolution
    whose kernels are the products of theirs. On processors that is quicker than the two, two to four times where they
    are dilated, though it takes more multiplications."""
    spread = depthwise.weight.unflatten(0, (depthwise.edges, 1, -1)).squeeze(3)
    kernels = pointwise.weight.unflatten(0, (depthwise.edges, -1)) * spread
    return convolved(x, kernels.flatten(0, 1), depthwise.stride, depthwise.dilation)


class GroupedSequence(nn.Module):
    """A sequence of ReLU, convolutions and batch normalisations, the last of which is a batch normalisation, on each
    edge from one state."""

    def __init__(self, layers: Sequence[nn.Sequential]) -> None:
        super().__init__()
        self.steps = nn.ModuleList()
        shared = True
        for same in list(zip(*layers, strict=True))[1:-1]:
            if isinstance(same[0], nn.Conv2d):
                self.steps.append(JoinedConvolution(same, shared=shared))
                shared = False
            else:
                self.steps.append(nn.ReLU() if isinstance(same[0], nn.ReLU) else Normalisation())
        self.separable = self.steps[0].depthwise

    @staticmethod
    def fits(layer: nn.Module) -> bool:
        """Whether a layer is such a sequence."""
        if not isinstance(layer, nn.Sequential) or len(layer) < 3:
            return False
        kinds = [type(step) for step in layer]
        learned = [step for step in layer if isinstance(step, nn.Conv2d)]
        plain = all(step.bias is None and step.groups in (1, step.in_channels) for step in learned)
        bounded = kinds[0] is nn.ReLU and kinds[1] is nn.Conv2d and kinds[-1] is nn.BatchNorm2d
        return bounded and plain and set(kinds) <= {nn.ReLU, nn.Conv2d, nn.BatchNorm2d}

    def forward(self, x: Tensor, activated: Tensor, scale: Tensor) -> Tensor:
        """The state, the same behind a ReLU, weights (edges,), to (batch, edges * channels, height, width)."""
        steps, x = list(self.steps), activated
        if self.separable and worth_composing(x):
            x, steps = composed(x, steps[0], steps[1]), steps[2:]
        for step in steps:
            x = step(x)
        return normalised(x, scale)


class Normalisation(nn.Module):
    """``normalised`` within a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same."""
        return normalised(x)


class GroupedReduce(nn.Module):
    """``FactorizedReduce`` on each edge from one state."""

    def __init__(self, layers: Sequence[FactorizedReduce]) -> None:
        super().__init__()
        self.count = len(layers)
        self.even = JoinedConvolution([each.even for each in layers], shared=True)
        self.odd = JoinedConvolution([each.odd for each in layers], shared=True)

    def forward(self, x: Tensor, activated: Tensor, scale: Tensor) -> Tensor:
        """As ``GroupedSequence``."""
        even, odd = in_two(activated)
        halves = [half.unflatten(1, (self.count, -1)) for half in (self.even(even), self.odd(odd))]
        return normalised(torch.cat(halves, dim=2).flatten(1, 2), scale)


class EachEdge(nn.Module):
    """Any layer, edge by edge."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, activated: Tensor, scale: Tensor) -> Tensor:
        """As ``GroupedSequence``."""
        return torch.cat([weight * layer(x) for weight, layer in zip(scale, self.layers, strict=True)], dim=1)


def grouped(layers: Sequence[nn.Module]) -> nn.Module:
    """One module in place of one an edge."""
    if all(isinstance(layer, FactorizedReduce) for layer in layers):
        return GroupedReduce(layers)
    if all(GroupedSequence.fits(layer) for layer in layers):
        return GroupedSequence(layers)
    return EachEdge(layers)


def has_no_weights(layer: nn.Module) -> bool:
    """Whether a layer computes the same on each edge."""
    return all(isinstance(step, _WITHOUT_WEIGHTS) for step in layer.modules() if not isinstance(step, nn.Sequential))


class GroupedState(nn.Module):
    """All edges that leave one state."""

    def __init__(self, plain: MixedNodes, plan: CellPlan, state: int) -> None:
        super().__init__()
        numbers = edges_from(state, plan.nodes)
        self.width = plan.width
        self.passed = passed_by(plan.place(state).stride) if plan.parts > 1 else None
        self.free, self.learned = nn.ModuleList(), nn.ModuleList()
        free, learned = [], []
        for column, operation in enumerate(plan.operations):
            layers = [plain.edges[number].layers[column] for number in numbers]
            if operation.type == NONE:
                continue
            if has_no_weights(layers[0]):
                self.free.append(layers[0])
                free.append(column)
            else:
                self.learned.append(grouped(layers))
                learned.append(column)
        self.register_buffer("identity", torch.eye(plan.width), persistent=False)
        for name, places in (("numbers", numbers), ("free_columns", free), ("learned_columns", learned)):
            self.register_buffer(name, torch.tensor(places, dtype=torch.long), persistent=False)

    def forward(self, state: Tensor, mix: CellMix) -> tuple[Tensor, Tensor | None]:
        """What the state adds to the nodes its edges lead to: (batch, edges * width, height, width'), and the same of
        the channels that pass by the operations."""
        part = state[:, : self.width] if self.passed is not None else state
        weights = mix.operations.index_select(0, self.numbers)
        mixed = self._free(part, weights)
        scales = weights.index_select(1, self.learned_columns).unbind(1)
        activated = torch.relu(part) if len(self.learned) else part
        for layer, scale in zip(self.learned, scales, strict=True):
            term = layer(part, activated, scale)
            mixed = term if mixed is None else mixed + term
        if self.passed is None:
            return mixed, None
        others, edges = self.passed(state[:, self.width :]), mix.edges.index_select(0, self.numbers)
        return mixed, (edges.view(1, -1, 1, 1, 1) * others.unsqueeze(1)).flatten(1, 2)

    def _free(self, x: Tensor, weights: Tensor) -> Tensor | None:
        """The operations without weights, mixed for all edges."""
        if not len(self.free):
            return None
        outputs = torch.cat([layer(x) for layer in self.free], dim=1)
        kernels = torch.kron(weights.index_select(1, self.free_columns), self.identity.to(x.dtype))
        return functional.conv2d(outputs, kernels[:, :, None, None])


class GroupedNodes(nn.Module):
    """The intermediate nodes of a cell, state by state."""

    def __init__(self, plain: MixedNodes, plan: CellPlan) -> None:
        super().__init__()
        self.parts, self.widths = plan.parts, (plan.width, plan.channels - plan.width)
        count = INPUTS + plan.nodes - 1  # no edge leaves the last node
        self.states = nn.ModuleList(GroupedState(plain, plan, state) for state in range(count))

    def forward(self, inputs: Sequence[Tensor], mix: CellMix) -> list[Tensor]:
        """Two states to the intermediate nodes' outputs."""
        mixed, passed = self._sum(self.states[0](inputs[0], mix), self.states[1](inputs[1], mix))
        outputs = []
        for state in self.states[INPUTS:]:
            node, mixed, passed = self._first(mixed, passed)
            outputs.append(node)
            mixed, passed = self._sum((mixed, passed), state(node, mix))
        return [*outputs, self._first(mixed, passed)[0]]

    @staticmethod
    def _sum(one: tuple[Tensor, Tensor | None], other: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
        passed = None if one[1] is None or other[1] is None else one[1] + other[1]
        return one[0] + other[0], passed

    def _first(self, mixed: Tensor, passed: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """The first of the nodes whose sums these are, which is complete, and the sums of the others."""
        node, mixed = self._split(mixed, self.widths[0])
        if passed is None:
            return node, mixed, None
        others, passed = self._split(passed, self.widths[1])
        return shuffled(node, others, self.parts), mixed, passed

    @staticmethod
    def _split(sums: Tensor, width: int) -> tuple[Tensor, Tensor]:
        first, others = sums.split([width, sums.shape[1] - width], dim=1)
        return first, others
