"""From alphas to weights of operations, in four ways.

softmax: the relaxation of Liu, Simonyan & Yang 2019 ("DARTS", equation 2). sigmoid: each operation by itself (Chu et
al. 2020, "Fair DARTS", equation 4). gumbel: one operation of each edge, drawn by a softmax with Gumbel noise (Dong &
Yang 2019, "GDAS", equations 3 and 4); the gradient is the softmax's, taken on the path that was drawn. dirichlet:
weights drawn from a Dirichlet distribution with concentrations elu(alpha) + 1 (Chen et al. 2021, "DrNAS", section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from algorithms.darts.alphas import Alphas
from algorithms.darts.mixed import CellMix
from algorithms.darts.presets import DIRICHLET, GUMBEL, SIGMOID
from algorithms.darts.wiring import NORMAL, REDUCE, edges_into

TINY = 1e-20


@dataclass(frozen=True, slots=True)
class Moment:
    """What the weights depend on beside the alphas.

    seed: of the noise; without one the weights are those expected. temperature: of the softmax with noise, above 0.
    skip: weight of the auxiliary skip connections, 0 to 1. allowed: (edges, operations) of each kind, the operations
    that are left; all, unless given.
    """

    seed: int | None = None
    temperature: float = 1.0
    skip: float = 0.0
    allowed: Mapping[str, Tensor] | None = None


def mix(alphas: Alphas, sampling: str, moment: Moment) -> dict[str, CellMix]:
    """How both kinds of cells are mixed. ``sampling`` is one of ``presets.SAMPLINGS``."""
    generator = None if moment.seed is None else torch.Generator().manual_seed(moment.seed)
    return {kind: _cell(alphas, kind, sampling, moment, generator) for kind in (NORMAL, REDUCE)}


def strengths(alphas: Alphas, sampling: str) -> dict[str, Tensor]:
    """The expected weight of each operation on each edge, that of the whole edge included, (edges, operations) of each
    kind, on the processor."""
    with torch.no_grad():
        expected = mix(alphas, sampling, Moment())
    return {kind: cell.operations[:, : len(alphas.names)].cpu() for kind, cell in expected.items()}


def zero_one(alphas: Alphas) -> Tensor:
    """The loss that draws the weights of ``sigmoid`` to 0 or 1, -1/4 to 0 (Chu et al. 2020, "Fair DARTS", zero-one
    loss): -1/N sum (sigmoid(alpha) - 1/2)^2, over the N operations of all edges of both kinds of cells. ``none``, which
    the paper's search space has not, is left out."""
    chosen = torch.cat([alphas.operations[kind][:, 1:] for kind in (NORMAL, REDUCE)])  # none is the first one
    return -(torch.sigmoid(chosen) - 0.5).square().mean()


def _cell(alphas: Alphas, kind: str, sampling: str, moment: Moment, generator: torch.Generator | None) -> CellMix:
    logits, chosen = alphas.operations[kind], None
    if generator is not None and sampling == GUMBEL:
        weights = functional.softmax((logits.log_softmax(1) + _gumbel(logits, generator)) / moment.temperature, dim=1)
        columns = weights.argmax(dim=1)
        weights = functional.one_hot(columns, len(alphas.names)) - weights.detach() + weights
        chosen = tuple(columns.tolist())
    elif sampling == SIGMOID:
        weights = torch.sigmoid(logits)
    elif sampling == DIRICHLET:
        weights = _dirichlet(functional.elu(logits) + 1, generator)
    else:
        weights = functional.softmax(logits, dim=1)
    edges = _edges(alphas, kind)
    if moment.allowed is not None:
        allowed = moment.allowed[kind]
        weights = weights * allowed
        weights = weights if sampling == SIGMOID else weights / weights.sum(dim=1, keepdim=True).clamp_min(TINY)
        edges = edges * allowed.any(dim=1)
    if alphas.auxiliary_skip:
        weights = torch.cat([weights, weights.new_full((len(weights), 1), moment.skip)], dim=1)
    return CellMix(weights * edges[:, None], edges, chosen)


def _edges(alphas: Alphas, kind: str) -> Tensor:
    """The weights of whole edges: a softmax over each node's inputs, or 1."""
    if kind not in alphas.edges:
        return alphas.operations[kind].new_ones(len(alphas.operations[kind]))
    betas = alphas.edges[kind]
    return torch.cat([betas[list(edges_into(node))].softmax(dim=0) for node in range(alphas.nodes)])


def _gumbel(logits: Tensor, generator: torch.Generator) -> Tensor:
    """Drawn on the processor, so that every device has the same."""
    drawn = torch.rand(logits.shape, generator=generator, dtype=torch.float64).clamp_min(TINY)
    return -(-drawn.log()).clamp_min(TINY).log().to(logits)


def _dirichlet(concentrations: Tensor, generator: torch.Generator | None) -> Tensor:
    """A Dirichlet variable is Gamma variables divided by their sum; their mean without a generator."""
    shares = concentrations
    if generator is not None:
        shares = torch._standard_gamma(concentrations.cpu(), generator=generator).clamp_min(TINY).to(concentrations)
    return shares / shares.sum(dim=1, keepdim=True)
