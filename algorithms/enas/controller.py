"""The controller of ENAS (Pham, Guan, Zoph, Le & Dean 2018, "Efficient neural architecture search via parameter
sharing", sections 2.2 and 2.3): an LSTM that decides an architecture choice by choice, and is fed each decision as the
input of the next one.

An architecture is a row of numbers, the place of each parameter's value among the parameter's values, in the order of
the space. A sequence has a softmax for each parameter. A chain has one for the operation of a layer, shared by all
layers, and then, for each earlier layer, the probability that it is joined, by attention:
``sigmoid(v . tanh(W_prev h_j + W_curr h_i))``; the next input is the mean of the joined layers' states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional

_SPREAD = 0.1  # parameters begin between minus this and this, as the authors have it


@dataclass(frozen=True, slots=True)
class Shape:
    """hidden_size: width of the LSTM. temperature: what logits are divided by, None for nothing. tanh_constant: largest
    absolute logit, by a tanh; None for no limit. skip_target: the share of joined layers that has no penalty."""

    hidden_size: int = 64
    temperature: float | None = 5.0
    tanh_constant: float | None = 2.25
    skip_target: float = 0.4


class Walk(NamedTuple):
    """What came of a batch of b architectures. choices: (b, n) numbers. log_probability, entropy: (b,) sums over all
    decisions, in nats. skip_penalty: (b,) the Kullback-Leibler divergence between the probability of a join and the
    target, summed over the earlier layers and averaged over the layers that have some; 0 for sequences."""

    choices: Tensor
    log_probability: Tensor
    entropy: Tensor
    skip_penalty: Tensor


class Decider:
    """Decides, and keeps account of it. uniforms: (b, n) in [0, 1), by which decisions are drawn; or choices: (b, n),
    which are taken as they are."""

    def __init__(self, shape: Shape, uniforms: Tensor | None = None, choices: Tensor | None = None) -> None:
        self._shape, self._uniforms, self._choices = shape, uniforms, choices
        self._place = 0
        self._decided: list[Tensor] = []
        self._log_probabilities: list[Tensor] = []
        self._entropies: list[Tensor] = []
        self._penalties: list[Tensor] = []

    def one_of(self, logits: Tensor) -> Tensor:
        """(b, options) to the numbers (b,) of what is chosen."""
        logs = functional.log_softmax(self._bounded(logits), dim=-1)
        probabilities = logs.exp()
        if self._choices is not None:
            chosen = self._choices[:, self._place]
        else:
            assert self._uniforms is not None
            passed = probabilities.cumsum(-1) <= self._uniforms[:, self._place, None]
            chosen = passed.sum(-1).clamp(max=logits.shape[-1] - 1)
        self._log_probabilities.append(logs.gather(-1, chosen[:, None])[:, 0])
        self._entropies.append(-(probabilities * logs).sum(-1))
        self._decided.append(chosen[:, None])
        self._place += 1
        return chosen

    def joins(self, logits: Tensor) -> Tensor:
        """(b, earlier layers) to a 0 or 1 for each."""
        logits, target = self._bounded(logits), self._shape.skip_target
        probabilities, places = torch.sigmoid(logits), slice(self._place, self._place + logits.shape[-1])
        if self._choices is not None:
            joined = self._choices[:, places]
        else:
            assert self._uniforms is not None
            joined = (self._uniforms[:, places] < probabilities).long()
        entropies = functional.softplus(logits) - probabilities * logits
        expected = probabilities * np.log(target) + (1 - probabilities) * np.log(max(1 - target, 1e-9))
        self._log_probabilities.append(functional.logsigmoid(logits * (2 * joined - 1)).sum(-1))
        self._entropies.append(entropies.sum(-1))
        self._penalties.append(-(entropies + expected).sum(-1))
        self._decided.append(joined)
        self._place += logits.shape[-1]
        return joined

    def walk(self) -> Walk:
        """The account."""
        logs, entropies = (torch.stack(each).sum(0) for each in (self._log_probabilities, self._entropies))
        penalties = torch.stack(self._penalties).mean(0) if self._penalties else torch.zeros_like(logs)
        return Walk(torch.cat(self._decided, dim=-1), logs, entropies, penalties)

    def _bounded(self, logits: Tensor) -> Tensor:
        if self._shape.temperature is not None:
            logits = logits / self._shape.temperature
        if self._shape.tanh_constant is not None:
            logits = self._shape.tanh_constant * torch.tanh(logits)
        return logits


class Controller(nn.Module):
    """An LSTM over decisions; what they are is the subclass's."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.cell = nn.LSTMCell(shape.hidden_size, shape.hidden_size)

    def begin(self, rng: Generator) -> None:
        """Draw all parameters anew."""
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.from_numpy(rng.uniform(-_SPREAD, _SPREAD, tuple(parameter.shape))))

    def sample(self, uniforms: Tensor) -> Walk:
        """Architectures drawn by ``uniforms`` (b, n), numbers in [0, 1)."""
        return self._walk(Decider(self.shape, uniforms=uniforms), len(uniforms))

    def forward(self, choices: Tensor) -> Walk:
        """The account of given architectures (b, n)."""
        return self._walk(Decider(self.shape, choices=choices), len(choices))

    def _walk(self, decider: Decider, batch: int) -> Walk:
        raise NotImplementedError


class SequenceController(Controller):
    """A softmax, and an embedding of its values, for each parameter. options: the number of values of each."""

    def __init__(self, options: Sequence[int], shape: Shape) -> None:
        super().__init__(shape)
        self.embedding = nn.Embedding(1 + sum(options), shape.hidden_size)  # the first one begins
        self.heads = nn.ModuleList(nn.Linear(shape.hidden_size, count) for count in options)
        self._offsets = [1 + sum(options[:place]) for place in range(len(options))]

    def _walk(self, decider: Decider, batch: int) -> Walk:
        given, state = self.embedding.weight[:1].expand(batch, -1), None
        for head, offset in zip(self.heads, self._offsets, strict=True):
            state = self.cell(given, state)
            given = self.embedding(offset + decider.one_of(head(state[0])))
        return decider.walk()


class ChainController(Controller):
    """operations: how many there are. layers: depth."""

    def __init__(self, operations: int, layers: int, shape: Shape) -> None:
        super().__init__(shape)
        size, self._layers = shape.hidden_size, layers
        self.embedding = nn.Embedding(1 + operations, size)  # the first one begins
        self.head = nn.Linear(size, operations)
        self.earlier, self.current = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.attention = nn.Linear(size, 1, bias=False)

    def _walk(self, decider: Decider, batch: int) -> Walk:
        given, state = self.embedding.weight[:1].expand(batch, -1), None
        states: list[Tensor] = []  # of the earlier layers, (b, size) each
        keys: list[Tensor] = []
        for layer in range(self._layers):
            state = self.cell(given, state)
            given = self.embedding(1 + decider.one_of(self.head(state[0])))
            if layer:
                state = self.cell(given, state)
                query = self.current(state[0])[:, None]
                joined = decider.joins(self.attention(torch.tanh(torch.stack(keys, dim=1) + query))[..., 0])
                weights = joined.to(query.dtype) / (1 + joined.sum(-1, keepdim=True))
                given = (weights[..., None] * torch.stack(states, dim=1)).sum(1)
            states.append(state[0])
            keys.append(self.earlier(state[0]))
        return decider.walk()


def controller_of(options: Sequence[int], layers: int, shape: Shape) -> Controller:
    """The controller of a space whose parameters have ``options`` values each, as yet without numbers: ``begin`` draws
    them. layers: of a chain, 0 for a sequence."""
    with torch.device("meta"):  # where PyTorch's own drawing does not touch the global generator
        made = ChainController(options[0], layers, shape) if layers else SequenceController(options, shape)
    made.to_empty(device="cpu")
    return made
