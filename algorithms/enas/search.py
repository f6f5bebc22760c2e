"""ENAS with shared weights, within one trial (Pham et al. 2018, section 2.2): in each epoch first the weights of the
supernet are trained, along chains that the controller draws, and then the controller, by the accuracy of what it draws
on images that the weights are not trained on. A supernet does not rank chains well, so at the end the best of some
draws are trained from scratch, and the best of these is the answer.

All random numbers are drawn by (seed, epoch), so a search that was interrupted ends as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from algorithms.architecture.macro import MacroChains
from algorithms.architecture.operations import Operation
from algorithms.architecture.reading import Chain, ChainLayer
from algorithms.architecture.spaces import Graph
from algorithms.enas.controller import controller_of
from algorithms.enas.decisions import Decisions
from algorithms.enas.policy import Policy
from algorithms.enas.replay import learning_of, shape_of
from algorithms.enas.settings import EnasSettings
from algorithms.enas.supernet import ChainSupernet
from algorithms.networks.building import Width, network
from algorithms.networks.data import Examples, Images
from algorithms.networks.training import EpochMetrics, Recipe, accuracy, load_tensors, retrain, save_tensors
from algorithms.randomness import generator, integer_seed
from katib.core.errors import PermanentError

_BEGINNING, _END = 2**62, 2**62 + 1  # beyond every epoch: whose random numbers a search begins and ends with


@dataclass(frozen=True, slots=True)
class Plan:
    """How a search goes.

    epochs: of weights and controller in turn. batch_size: images of a step, and of a reward. channels: width of the
    supernet and of the networks that are trained from scratch. learning_rate: of the weights at first; it falls to 0
    along half a cosine. candidates: chains that are drawn at the end and compared with the shared weights. retrained:
    how many of them are trained from scratch, for retrain_epochs. controller_train_steps of the controller's settings
    are those of an epoch.
    """

    epochs: int = 40
    batch_size: int = 32
    channels: int = 32
    learning_rate: float = 0.1
    candidates: int = 20
    retrained: int = 3
    retrain_epochs: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises PermanentError for what is out of range."""
        least = {"epochs": 1, "batch_size": 2, "channels": 1, "candidates": 1, "retrained": 1, "retrain_epochs": 1}
        wrong = [f"{name} {getattr(self, name)}, at least {low}" for name, low in least.items()
                 if getattr(self, name) < low]  # fmt: skip
        if wrong or not self.learning_rate > 0:
            raise PermanentError(f"search: out of range: {'; '.join(wrong) or 'learning rate, greater than 0'}")


@dataclass(frozen=True, slots=True)
class SearchMetrics:
    """epoch: counted from 1. loss: mean cross-entropy of the chains that were trained. reward: mean accuracy of the
    chains by which the controller learned, 0 to 1. entropy: of these draws, in nats. joined: share of the possible
    joins in them."""

    epoch: int
    loss: float
    reward: float
    entropy: float
    joined: float


class Candidate(NamedTuple):
    """A chain, its accuracy with shared weights, and from scratch, on validation and test images, 0 to 1."""

    chain: Chain
    shared: float
    validation: float
    test: float


RetrainReport = Callable[[int, EpochMetrics], None]  # number of the candidate, metrics of an epoch


class SharedSearch:
    """A search as far as it has come."""

    def __init__(
        self, operations: Sequence[Operation], layers: int, images: Images, plan: Plan, settings: EnasSettings
    ) -> None:
        """Raises PermanentError without images to validate on."""
        if not len(images.validation):
            raise PermanentError("search: the controller learns on validation images, and there are none")
        self._operations, self._images, self._plan, self._settings = tuple(operations), images, plan, settings
        self._chains = MacroChains(Graph(layers), operations)
        self._decisions = Decisions.of(self._chains.space)
        device = images.train.inputs.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(integer_seed(plan.seed, _BEGINNING))
            self.supernet = ChainSupernet(operations, layers, images.classes, images.shape, plan.channels).to(device)
        controller = controller_of(self._decisions.options, self._decisions.layers, shape_of(settings))
        self.policy = Policy(controller, learning_of(settings, steps=1), generator(plan.seed, _BEGINNING))
        self._optimiser = torch.optim.SGD(
            self.supernet.parameters(), plan.learning_rate, momentum=0.9, weight_decay=3e-4, nesterov=True
        )
        self.done: list[SearchMetrics] = []

    def run(self, checkpoint: Path | None = None, report: Callable[[SearchMetrics], None] | None = None) -> None:
        """All epochs. checkpoint: a file that is written after each epoch, and gone on from if it is there. report:
        called after each epoch, also for those of a checkpoint. Raises PermanentError for a checkpoint of another
        search, and if the loss is no longer finite."""
        self._resume(checkpoint)
        if report is not None:
            for metrics in self.done:
                report(metrics)
        for epoch in range(len(self.done), self._plan.epochs):
            rng = generator(self._plan.seed, epoch)
            loss = self._train_weights(rng, epoch)
            if not math.isfinite(loss):
                raise PermanentError(f"epoch {epoch + 1}: the loss is {loss}; a smaller learning rate may help")
            self.done.append(SearchMetrics(epoch + 1, loss, *self._train_controller(rng)))
            if checkpoint is not None:
                save_tensors(checkpoint, self._state())
            if report is not None:
                report(self.done[-1])

    def candidates(self) -> list[tuple[Chain, float]]:
        """Chains that the controller draws, the best one with shared weights first, and their accuracies on the
        validation images; no chain twice."""
        drawn = self._draw(generator(self._plan.seed, _END), self._plan.candidates)
        scored = [(self._shared_accuracy(rows), rows) for rows in drawn]
        best = sorted(scored, key=lambda pair: -pair[0])
        found = dict.fromkeys((self._chain(rows), score) for score, rows in best)
        return list(found)

    def finished(self, folder: Path | None = None, report: RetrainReport | None = None) -> list[Candidate]:
        """The best candidates, trained from scratch, best on the validation images first. folder: of checkpoints.
        report: called with the number of a candidate and the metrics of each epoch."""
        plan, images = self._plan, self._images
        found = []
        for number, (chain, shared) in enumerate(self.candidates()[: plan.retrained]):
            module = network(chain, images.classes, images.shape, Width(channels=plan.channels), seed=plan.seed)
            told = None if report is None else _numbered(report, number)
            kept = None if folder is None else folder / f"candidate-{number}.pt"
            recipe = Recipe(plan.retrain_epochs, plan.batch_size)
            retrain(module, images.train, images.validation, recipe, seed=plan.seed, checkpoint=kept, report=told)
            scores = accuracy(module, images.validation), accuracy(module, images.test)
            found.append(Candidate(chain, shared, *scores))
        return sorted(found, key=lambda each: -each.validation)

    def _train_weights(self, rng: Generator, epoch: int) -> float:
        plan, examples = self._plan, self._images.train
        batches = _batches(len(examples), plan.batch_size, rng)
        total = torch.zeros((), device=examples.inputs.device)
        for step, (batch, rows) in enumerate(zip(batches, self._draw(rng, len(batches)), strict=True)):
            progress = (epoch + step / len(batches)) / plan.epochs
            for group in self._optimiser.param_groups:
                group["lr"] = plan.learning_rate * (1 + math.cos(math.pi * progress)) / 2
            self._optimiser.zero_grad(set_to_none=True)
            loss = cross_entropy(self.supernet(examples.inputs[batch], rows), examples.labels[batch])
            loss.backward()
            nn.utils.clip_grad_norm_(self.supernet.parameters(), 5.0)
            self._optimiser.step()
            total += loss.detach()
        return float(total) / len(batches)

    def _train_controller(self, rng: Generator) -> tuple[float, float, float]:
        """One reward for each chain: its accuracy on a batch of validation images."""
        rewards, entropies, joined = [], [], []
        for _ in range(self._settings.controller_train_steps):
            (choices,) = self.policy.sample(rng.random((1, len(self._decisions.options))))
            rows = self._rows(choices)
            batch = _batches(len(self._images.validation), self._plan.batch_size, rng)[0]
            rewards.append(self._right(self._images.validation, batch, rows) / len(batch))
            entropies.append(float(self.policy.controller(torch.tensor([choices])).entropy.detach()))
            joined += [skip for row in rows for skip in row[1:]]
            self.policy.update(choices, rewards[-1])
        return float(np.mean(rewards)), float(np.mean(entropies)), float(np.mean(joined)) if joined else 0.0

    def _draw(self, rng: Generator, count: int) -> list[list[list[int]]]:
        uniforms = rng.random((count, len(self._decisions.options)))
        return [self._rows(choices) for choices in self.policy.sample(uniforms)]

    def _rows(self, choices: Sequence[int]) -> list[list[int]]:
        return self._chains.rows(self._decisions.point(choices))

    def _chain(self, rows: Sequence[Sequence[int]]) -> Chain:
        layers = ((row[0], tuple(source for source, skip in enumerate(row[1:]) if skip)) for row in rows)
        return Chain(tuple(ChainLayer(self._operations[number], skips) for number, skips in layers))

    def _shared_accuracy(self, rows: Sequence[Sequence[int]]) -> float:
        examples = self._images.validation
        batches = torch.arange(len(examples)).split(self._plan.batch_size)
        return sum(self._right(examples, batch, rows) for batch in batches) / len(examples)

    def _right(self, examples: Examples, batch: Tensor, rows: Sequence[Sequence[int]]) -> int:
        """How many images of a batch are classified right; by the batch's own statistics, as in training."""
        with torch.no_grad():
            scores = self.supernet(examples.inputs[batch], rows)
        return int((scores.argmax(dim=1) == examples.labels[batch]).sum())

    def _identity(self) -> dict[str, Any]:
        labels = [operation.label for operation in self._operations]
        parts = {"plan": asdict(self._plan), "settings": asdict(self._settings), "operations": labels}
        return {**parts, "layers": self._decisions.layers, "data": self._images.name, "images": len(self._images.train)}

    def _state(self) -> dict[str, Any]:
        weights = {"supernet": self.supernet.state_dict(), "optimiser": self._optimiser.state_dict()}
        metrics = [asdict(each) for each in self.done]
        return {**weights, "policy": self.policy.state, "metrics": metrics, "identity": self._identity()}

    def _resume(self, file: Path | None) -> None:
        if file is None or not file.is_file():
            return
        state = load_tensors(file)
        if not isinstance(state, dict) or state.get("identity") != self._identity():
            raise PermanentError(f"{file}: a checkpoint of another search; name another folder")
        self.supernet.load_state_dict(state["supernet"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.policy.state = state["policy"]
        self.done = [SearchMetrics(**each) for each in state["metrics"]]


def _numbered(report: RetrainReport, number: int) -> Callable[[EpochMetrics], None]:
    return lambda metrics: report(number, metrics)


def _batches(count: int, size: int, rng: Generator) -> list[Tensor]:
    """All numbers below ``count`` in a drawn order, in batches. A last one of one image is left out: there is nothing
    to normalise over."""
    split = torch.from_numpy(rng.permutation(count)).split(size)
    return [batch for batch in split if len(batch) > 1]
