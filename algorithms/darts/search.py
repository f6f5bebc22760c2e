"""The search: steps of the weights on one half of the training images and of the architecture on the other, in turn
(Liu, Simonyan & Yang 2019, "DARTS", algorithm 1).

All random numbers are drawn by (seed, epoch or step), and a checkpoint holds the rest, so a search that was interrupted
after any step ends as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from algorithms.architecture.cells import Genotype
from algorithms.darts.alphas import Alphas
from algorithms.darts.architect import VirtualStep, first_order, gradients, second_order
from algorithms.darts.genotype import Selection, Strengths, entropy
from algorithms.darts.presets import GUMBEL, Method
from algorithms.darts.sampling import Moment, mix, strengths, zero_one
from algorithms.darts.supernet import Supernet
from algorithms.darts.wiring import SupernetShape
from algorithms.networks.data import Examples
from katib.core.errors import PermanentError

TEMPERATURES = (10.0, 0.1)  # of the softmax with noise, at the beginning and at the end (Dong & Yang 2019, section 4)
_WEIGHTS, _ARCHITECTURE, _NOISE, _SUPERNET, _ALPHAS = range(5)  # streams of random numbers
_PARTS = ("supernet", "alphas", "w_optimiser", "alpha_optimiser")  # whose states are kept


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, and in what steps. Katib's settings of the same names say what they mean; clip is ``w_grad_clip``.
    compiled: whether the supernet is compiled, on a GPU and in first order with its calls recorded as a graph.
    bfloat16: whether convolutions are computed in it."""

    epochs: int = 50
    batch_size: int = 64
    w_lr: float = 0.025
    w_lr_min: float = 0.001
    w_momentum: float = 0.9
    w_weight_decay: float = 3e-4
    clip: float = 5.0
    alpha_lr: float = 3e-4
    alpha_weight_decay: float = 1e-3
    seed: int = 0
    compiled: bool = False
    bfloat16: bool = False


@dataclass(frozen=True, slots=True)
class EpochReport:
    """epoch: from 1 on. losses are means over the images, accuracies shares from 0 to 1, of the supernet. entropy: mean
    of the edges, in nats. genotype: that of the strongest operations, with any number of skips."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    entropy: float
    genotype: Genotype


class Search:
    """A search that goes on by one step at a time."""

    def __init__(
        self,
        shape: SupernetShape,
        method: Method,
        schedule: Schedule,
        train: Examples,
        validation: Examples,
        *,
        fused: bool = True,
    ) -> None:
        """train: images for the weights. validation: for the architecture; both on the device to search on. fused: as
        of ``Supernet``, where operations are not sampled. Raises PermanentError if there are no images."""
        if min(len(train), len(validation)) < 2:
            raise PermanentError(f"got {len(train)} and {len(validation)} images, expected at least 2 of each")
        self.shape, self.method, self.schedule = shape, method, schedule
        self.train, self.validation = train, validation
        self.device = train.inputs.device
        alphas = Alphas(shape, edge_normalisation=method.edge_normalisation, seed=self._number(_ALPHAS))
        self.alphas = alphas.to(self.device)
        fused = fused and method.sampling != GUMBEL
        self.layout = torch.channels_last if fused else torch.contiguous_format  # as ``_formatted`` says
        self.supernet = self._new_supernet(fused=fused).to(self.device, memory_format=self.layout)
        self.forward: Callable[..., Tensor] = self.supernet
        if schedule.compiled:
            graph = self.device.type == "cuda" and method.order == 1  # a graph's results live until its next call
            self.forward = torch.compile(self.supernet, mode="reduce-overhead" if graph else None)
        self.weights = list(self.supernet.parameters())
        self.w_optimiser = torch.optim.SGD(
            self.weights, schedule.w_lr, schedule.w_momentum, weight_decay=schedule.w_weight_decay, foreach=True
        )
        self.alpha_optimiser = torch.optim.Adam(
            self.alphas.parameters(), schedule.alpha_lr, (0.5, 0.999), weight_decay=schedule.alpha_weight_decay
        )
        self.selection = Selection(shape.operations, shape.nodes, method.most_skips)
        self.unlimited = Selection(shape.operations, shape.nodes)
        self.batch = min(schedule.batch_size, len(train), len(validation))
        self.steps_per_epoch = len(train) // self.batch
        self.done = 0  # steps
        self.sums = torch.zeros(2, device=self.device)  # of the epoch: losses, and images that were classified right
        self._orders: dict[tuple[int, int], Tensor] = {}

    @property
    def epoch(self) -> int:
        """Epochs that are over."""
        return self.done // self.steps_per_epoch

    @property
    def progress(self) -> float:
        """The share of the steps that are done, 0 to 1."""
        return self.done / (self.steps_per_epoch * self.schedule.epochs)

    @property
    def warm(self) -> bool:
        """Whether the architecture is trained by now."""
        return self.epoch >= math.ceil(self.method.warm_up * self.schedule.epochs)

    def step(self) -> None:
        """One step of the architecture, behind the warm-up, and one of the weights. Second order looks ahead by the
        gradient that the weights then move by, so in place of the step that follows the architecture's it is the one
        beside it: a pass less, for a difference of the order of ``alpha_lr``."""
        if self.done % self.steps_per_epoch == 0:
            self.sums.zero_()
        inputs, labels = self._batch(self.train, _WEIGHTS)
        moment = self.moment(noise=True)
        if self.warm and self.method.order == 2:
            ahead = self._training_gradients(inputs, labels, moment)
            self._architecture_step(inputs, labels, moment, ahead)
            self._move_weights(ahead)
        else:
            if self.warm:
                self._architecture_step(inputs, labels, moment)
            self.weight_step(inputs, labels, moment)
        self.done += 1

    def tune(self, moment: Moment) -> None:
        """One step of the weights alone, at the learning rate that they ended with, while a genotype is selected."""
        self.weight_step(*self._batch(self.train, _WEIGHTS), moment)
        self.done += 1

    def weight_step(self, inputs: Tensor, labels: Tensor, moment: Moment) -> None:
        """One step of the weights, the architecture as it is."""
        self._move_weights(self._training_gradients(inputs, labels, moment))

    def report(self) -> EpochReport:
        """Of the epoch that ended with the last step. Raises PermanentError if the loss is no longer finite."""
        loss, right = (self.sums / (self.batch * self.steps_per_epoch)).tolist()
        if not math.isfinite(loss):
            raise PermanentError(f"epoch {self.epoch}: the loss is {loss}; a smaller w_lr may help")
        now = self.strengths()
        return EpochReport(
            self.epoch, loss, right, *self.evaluate(self.moment()), entropy(now), self.unlimited.strongest(now)
        )

    def evaluate(self, moment: Moment) -> tuple[float, float]:
        """Loss and accuracy of the supernet on the validation images."""
        sums = torch.zeros(2, device=self.device)
        with torch.no_grad():
            mixed = mix(self.alphas, self.method.sampling, moment)
            count = max(1, len(self.validation) // self.batch)  # batches are normalised by themselves: whole ones only
            for number in range(count):
                part = slice(number * self.batch, (number + 1) * self.batch)
                labels = self.validation.labels[part]
                with self._precision():
                    scores = self.supernet(self._formatted(self.validation.inputs[part]), mixed)
                loss = functional.cross_entropy(scores.float(), labels, reduction="sum")
                sums += torch.stack([loss, (scores.argmax(dim=1) == labels).sum()])
        loss, right = (sums / (self.batch * count)).tolist()
        return loss, right

    def strengths(self) -> Strengths:
        """Of each operation on each edge, as ``genotype`` takes them."""
        return {kind: rows.tolist() for kind, rows in strengths(self.alphas, self.method.sampling).items()}

    def moment(self, *, noise: bool = False, allowed: Mapping[str, Tensor] | None = None) -> Moment:
        """What the weights of operations depend on at this step."""
        high, low = TEMPERATURES
        seed = self._number(_NOISE, self.done) if noise else None
        return Moment(
            seed, high + (low - high) * self.progress, max(0.0, 1 - self.progress / self.method.skip_until), allowed
        )

    def state(self) -> dict[str, Any]:
        """All that a checkpoint has to hold, as ``restore`` takes it."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        return {"identity": self._identity(), "done": self.done, "sums": self.sums, **parts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from there. Raises PermanentError for the state of another search."""
        if state.get("identity") != self._identity():
            raise PermanentError(f"the checkpoint is another search's: {state.get('identity')}")
        self.done = int(state["done"])
        self.sums.copy_(state["sums"])
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])

    def _training_gradients(self, inputs: Tensor, labels: Tensor, moment: Moment) -> list[Tensor]:
        """Of the weights; the loss goes into the epoch's sums."""
        with torch.no_grad():
            mixed = mix(self.alphas, self.method.sampling, moment)
        with self._precision():
            scores = self.forward(inputs, mixed)
        loss = functional.cross_entropy(scores.float(), labels)
        found = gradients(loss, self.weights)
        with torch.no_grad():
            self.sums += torch.stack([loss * len(labels), (scores.argmax(dim=1) == labels).sum()])
        return found

    def _move_weights(self, by: Sequence[Tensor]) -> None:
        for weight, gradient in zip(self.weights, by, strict=True):
            weight.grad = gradient
        nn.utils.clip_grad_norm_(self.weights, self.schedule.clip)
        for group in self.w_optimiser.param_groups:
            group["lr"] = self._rate()
        self.w_optimiser.step()

    def _architecture_step(self, inputs: Tensor, labels: Tensor, moment: Moment, ahead: Sequence[Tensor] = ()) -> None:
        """ahead: gradients of the weights, which second order needs."""
        alphas, seen = list(self.alphas.parameters()), self._batch(self.validation, _ARCHITECTURE)

        def loss(images: Tensor, classes: Tensor) -> Tensor:
            with self._precision():
                scores = self.forward(images, mix(self.alphas, self.method.sampling, moment))
            return functional.cross_entropy(scores.float(), classes)

        def judged() -> Tensor:
            weight = self.method.zero_one
            return loss(*seen) + weight * zero_one(self.alphas) if weight else loss(*seen)

        if self.method.order == 1:
            found = first_order(judged, alphas)
        else:
            states = (self.w_optimiser.state.get(weight, {}) for weight in self.weights)
            velocities = [
                state["momentum_buffer"] if state.get("momentum_buffer") is not None else torch.zeros_like(weight)
                for weight, state in zip(self.weights, states, strict=True)
            ]
            schedule = self.schedule
            step = VirtualStep(ahead, self._rate(), schedule.w_momentum, schedule.w_weight_decay, velocities)
            found = second_order(lambda: loss(inputs, labels), judged, alphas, self.weights, step)
        for alpha, gradient in zip(alphas, found, strict=True):
            alpha.grad = gradient
        self.alpha_optimiser.step()

    def _rate(self) -> float:
        """The learning rate of the weights: half a cosine over the epochs."""
        low, high = self.schedule.w_lr_min, self.schedule.w_lr
        return low + (high - low) * (1 + math.cos(math.pi * min(1.0, self.epoch / self.schedule.epochs))) / 2

    def _batch(self, examples: Examples, stream: int) -> tuple[Tensor, Tensor]:
        """The images of this step, in the epoch's order; a last batch that is not full is left out."""
        number = self.done % self.steps_per_epoch
        order = self._order(len(examples), stream)
        chosen = order[torch.arange(number * self.batch, (number + 1) * self.batch, device=self.device) % len(order)]
        return self._formatted(examples.inputs[chosen]), examples.labels[chosen]

    def _order(self, count: int, stream: int) -> Tensor:
        key = (stream, self.epoch)
        if key not in self._orders:
            self._orders = {each: order for each, order in self._orders.items() if each[1] == self.epoch}
            generator = torch.Generator().manual_seed(self._number(*key))
            self._orders[key] = torch.randperm(count, generator=generator).to(self.device)
        return self._orders[key]

    def _formatted(self, images: Tensor) -> Tensor:
        """Channels last, which is quicker on processors too; but where edges are not joined, 1x1 convolutions may have
        strides, which do not go with it (``thinned``)."""
        return images.contiguous(memory_format=self.layout)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.schedule.bfloat16)

    def _new_supernet(self, *, fused: bool) -> Supernet:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._number(_SUPERNET))
            return Supernet(self.shape, fused=fused)

    def _number(self, *stream: int) -> int:
        """A seed for one use of random numbers."""
        return int(np.random.SeedSequence([self.schedule.seed, *stream]).generate_state(1)[0])

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must have been made with."""
        shape = asdict(self.shape) | {"operations": list(self.shape.operations), "image": list(self.shape.image)}
        schedule = {name: value for name, value in asdict(self.schedule).items() if name != "compiled"}
        counts = [len(self.train), len(self.validation)]
        return {"shape": shape, "method": asdict(self.method), "schedule": schedule, "images": counts}
