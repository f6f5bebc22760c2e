"""The gradient of the architecture (Liu, Simonyan & Yang 2019, "DARTS", section 2.3).

The architecture shall be good on validation images with the weights that training images make of it. First order: the
weights at hand are taken for these. Second order: the weights after one step of training, which depend on the
architecture; their part of the gradient is a product with a second derivative, taken as the difference of two gradients
(equations 7 and 8). That is three passes in place of one, beside the gradient of training, which the step of the
weights needs too. It is done in place: the weights are moved and put back, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Loss = Callable[[], Tensor]


@dataclass(frozen=True, slots=True)
class VirtualStep:
    """The step of training that second order looks ahead. gradients: of the training loss, by each weight. rate:
    learning rate. momentum, decay: of SGD. velocities: of each weight, zeros where there is none yet. distance: by
    which the weights are moved for the difference of two gradients, as the norm of all; 0.01 in the paper."""

    gradients: Sequence[Tensor]
    rate: float
    momentum: float
    decay: float
    velocities: Sequence[Tensor]
    distance: float = 0.01


def first_order(validation: Loss, alphas: Sequence[Tensor]) -> list[Tensor]:
    """Gradient of the validation loss by the architecture alone."""
    return gradients(validation(), alphas)


def second_order(
    training: Loss, validation: Loss, alphas: Sequence[Tensor], weights: Sequence[Tensor], step: VirtualStep
) -> list[Tensor]:
    """Gradient of the validation loss after one step of training. The weights are the same afterwards."""
    with torch.no_grad():
        saved = [weight.detach().clone() for weight in weights]
        directions = torch._foreach_add(list(step.gradients), list(step.velocities), alpha=step.momentum)
        torch._foreach_add_(directions, saved, alpha=step.decay)
        torch._foreach_add_(list(weights), directions, alpha=-step.rate)
    found = gradients(validation(), [*alphas, *weights])
    direct, pulls = found[: len(alphas)], found[len(alphas) :]
    with torch.no_grad():
        norm = torch.stack(torch._foreach_norm(pulls)).norm()
        distance = step.distance / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        torch._foreach_mul_(pulls, distance)
        torch._foreach_copy_(list(weights), saved)
        torch._foreach_add_(list(weights), pulls)
    above = gradients(training(), alphas)
    with torch.no_grad():
        torch._foreach_sub_(list(weights), pulls, alpha=2)
    below = gradients(training(), alphas)
    with torch.no_grad():
        torch._foreach_copy_(list(weights), saved)
        scale = step.rate / (2 * distance)
        return [each - scale * (high - low) for each, high, low in zip(direct, above, below, strict=True)]


def gradients(loss: Tensor, of: Sequence[Tensor]) -> list[Tensor]:
    """Those of a loss; zeros for what it does not depend on, such as reduction cells where there are none."""
    found = torch.autograd.grad(loss, list(of), allow_unused=True)
    return [torch.zeros_like(x) if each is None else each for each, x in zip(found, of, strict=True)]
