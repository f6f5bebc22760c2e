"""The policy gradient that trains a controller: REINFORCE (Williams 1992, "Simple statistical gradient-following
algorithms for connectionist reinforcement learning") with a moving average of the rewards as the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from algorithms.enas.controller import Controller, Walk


@dataclass(frozen=True, slots=True)
class Learning:
    """How a controller learns. learning_rate: Adam's. baseline_decay: share of the baseline that stays when a reward
    comes, from 0 to 1, where it is the mean of all. entropy_weight, skip_weight: of the entropy, which is rewarded, and
    of the skip penalty; None for nothing. steps: of the optimiser, for each update."""

    learning_rate: float
    baseline_decay: float
    entropy_weight: float | None = None
    skip_weight: float | None = None
    steps: int = 1


class Baseline:
    """The moving average of rewards, without the pull to zero that one which begins there has: at first it is their
    mean."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._sum = self._weight = 0.0

    @property
    def state(self) -> list[float]:
        """What it holds; assigned, it goes on from there."""
        return [self._sum, self._weight]

    @state.setter
    def state(self, given: Sequence[float]) -> None:
        self._sum, self._weight = given

    def advantage(self, reward: float) -> float:
        """How much better ``reward`` is than those before it, 0 for the first one; which is taken in."""
        gained = reward - self._sum / self._weight if self._weight else 0.0
        self._sum = self._decay * self._sum + reward
        self._weight = self._decay * self._weight + 1.0
        return gained


class Policy:
    """A controller that learns from the rewards of what it drew. It is a function of its beginning and of the updates:
    no random number is drawn here."""

    def __init__(self, controller: Controller, learning: Learning, rng: Generator) -> None:
        controller.begin(rng)
        self.controller, self.baseline = controller, Baseline(learning.baseline_decay)
        self._learning = learning
        self._optimiser = torch.optim.Adam(controller.parameters(), learning.learning_rate, fused=True)

    def sample(self, uniforms: NDArray[np.float64]) -> list[list[int]]:
        """Architectures drawn by ``uniforms`` (b, n), numbers in [0, 1)."""
        with torch.no_grad():
            drawn: list[list[int]] = self.controller.sample(torch.from_numpy(uniforms)).choices.tolist()
        return drawn

    def update(self, choices: Sequence[int], reward: float) -> None:
        """Learn from the reward of one architecture. Its probability is that which the controller gives it now."""
        advantage = torch.tensor([self.baseline.advantage(reward)])
        given = torch.tensor([list(choices)])
        for _ in range(self._learning.steps):
            self._optimiser.zero_grad()
            loss(self.controller(given), advantage, self._learning).backward()
            self._optimiser.step()

    @property
    def state(self) -> dict[str, Any]:
        """What it has learned, as plain values and tensors; assigned, it goes on from there."""
        parts = {"controller": self.controller.state_dict(), "optimiser": self._optimiser.state_dict()}
        return {**parts, "baseline": self.baseline.state}

    @state.setter
    def state(self, given: dict[str, Any]) -> None:
        self.controller.load_state_dict(given["controller"])
        self._optimiser.load_state_dict(given["optimiser"])
        self.baseline.state = given["baseline"]


def loss(walk: Walk, advantages: Tensor, learning: Learning) -> Tensor:
    """What an update descends: the mean over the batch of ``-advantage * log p - w_e * entropy + w_s * skip_penalty``
    (Pham et al. 2018, sections 2.2 and 2.3). advantages: (b,)."""
    losses = -advantages * walk.log_probability
    losses = losses - (learning.entropy_weight or 0.0) * walk.entropy
    return (losses + (learning.skip_weight or 0.0) * walk.skip_penalty).mean()
