"""Training of a network from scratch, resumable, and its accuracy over several seeds.

The recipe of Liu, Simonyan & Yang 2019 (section 3.2): SGD with momentum, the learning rate falling along half a cosine
(Loshchilov & Hutter 2017, "SGDR"); cutout (DeVries & Taylor 2017), drop path and an auxiliary head where asked for.
All random numbers are drawn by (seed, epoch), so training that was interrupted ends as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from algorithms.networks.cell_network import CellNetwork
from algorithms.networks.data import Examples
from algorithms.networks.files import written_aside
from katib.core.confidence import half_width
from katib.core.errors import PermanentError

_EVALUATED = 512  # images of a batch that is not trained on


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    epochs: at least 1. batch_size: images of a step, at least 1. learning_rate: at the beginning; it falls to 0.
    momentum, weight_decay: of SGD. gradient_clip: largest norm of the gradient. label_smoothing: 0 to below 1. cutout:
    side in pixels of a square that is blanked in each image; 0: none. flip: whether half of the images are mirrored.
    shift: pixels by which images are moved at most, to each side. drop_path: at the end, growing from 0.
    auxiliary_weight: of the auxiliary head's loss, where there is one.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 3e-4
    gradient_clip: float = 5.0
    label_smoothing: float = 0.0
    cutout: int = 0
    flip: bool = False
    shift: int = 0
    drop_path: float = 0.0
    auxiliary_weight: float = 0.4

    def __post_init__(self) -> None:
        """Raises PermanentError for what is out of range."""
        least = {"epochs": 1, "batch_size": 1, "learning_rate": 0, "cutout": 0, "shift": 0, "weight_decay": 0}
        problems = [f"{name} {getattr(self, name)}, at least {low}" for name, low in least.items()
                    if not getattr(self, name) >= low]  # fmt: skip
        shares = ("label_smoothing", "drop_path", "momentum")
        problems += [f"{name} {getattr(self, name)}, from 0 to below 1" for name in shares
                     if not 0 <= getattr(self, name) < 1]  # fmt: skip
        if problems:
            raise PermanentError(f"training: out of range: {'; '.join(problems)}")


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """epoch: from 1 on. loss: mean over the training images as they were trained on. accuracy: share of the held-out
    images that are classified right, 0 to 1."""

    epoch: int
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Interval:
    """mean of some values, and the half width of its confidence interval of 95 % (Student's t); None for one value."""

    mean: float
    half_width: float | None
    values: tuple[float, ...]

    def __str__(self) -> str:
        """In per cent."""
        margin = "" if self.half_width is None else f" ± {100 * self.half_width:.2f}"
        return f"{100 * self.mean:.2f}{margin} %"


def retrain(  # noqa: PLR0913 - what is trained, on what, and how it is watched
    network: nn.Module,
    train: Examples,
    held_out: Examples,
    recipe: Recipe,
    *,
    seed: int = 0,
    checkpoint: Path | None = None,
    report: Callable[[EpochMetrics], None] | None = None,
) -> list[EpochMetrics]:
    """Train ``network`` in place on the device that ``train`` lies on; the metrics of all epochs.

    held_out: images whose accuracy is measured after each epoch. checkpoint: a file that is written after each epoch,
    and gone on from if it is there. report: called after each epoch, also for those of a checkpoint.

    Raises PermanentError for a checkpoint of other training, and if the loss is no longer finite.
    """
    device = train.inputs.device
    network.to(device)
    optimiser = torch.optim.SGD(
        network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
    )
    identity = {"recipe": asdict(recipe), "seed": seed, "images": len(train)}
    done = _resume(checkpoint, network, optimiser, identity)
    for metrics in done:
        if report is not None:
            report(metrics)
    for epoch in range(len(done), recipe.epochs):
        with _seeded(device, seed, epoch):
            loss = _epoch(network, train, recipe, optimiser, epoch)
        if not math.isfinite(loss):
            raise PermanentError(f"epoch {epoch + 1}: the loss is {loss}; a smaller learning rate may help")
        done.append(EpochMetrics(epoch + 1, loss, accuracy(network, held_out)))
        if checkpoint is not None:
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "identity": identity}
            save_tensors(checkpoint, {**state, "metrics": [asdict(each) for each in done]})
        if report is not None:
            report(done[-1])
    return done


def accuracy(network: nn.Module, examples: Examples) -> float:
    """The share of the examples that are classified right, 0 to 1; nan without examples."""
    training = network.training
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=examples.inputs.device)
    for inputs, labels in zip(examples.inputs.split(_EVALUATED), examples.labels.split(_EVALUATED), strict=True):
        with torch.no_grad(), _precision(inputs.device):
            right += (network(inputs).argmax(dim=1) == labels).sum()
    network.train(training)
    return int(right) / len(examples) if len(examples) else math.nan


def interval(values: Sequence[float]) -> Interval:
    """Mean and confidence interval of at least one value."""
    return Interval(float(np.mean(values)), half_width(values), tuple(values))


def save_tensors(file: Path, state: Any) -> None:
    """Write tensors and plain values, aside and renamed, as ``torch.load(..., weights_only=True)`` reads them."""
    with written_aside(file) as aside:
        torch.save(state, aside)


def load_tensors(file: Path, device: torch.device | str = "cpu") -> Any:
    """What ``save_tensors`` wrote; nothing in the file is run. Raises PermanentError for a file that is something
    else."""
    try:
        return torch.load(file, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise PermanentError(f"{file}: there is no such file") from None
    except Exception as error:  # torch has no class for what it does not read
        raise PermanentError(f"{file}: not a file of tensors: {error}") from None


def _resume(
    file: Path | None, network: nn.Module, optimiser: torch.optim.Optimizer, identity: dict[str, Any]
) -> list[EpochMetrics]:
    """The metrics of the epochs that are behind; network and optimiser are as they were then."""
    if file is None or not file.is_file():
        return []
    state = load_tensors(file)
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise PermanentError(f"{file}: a checkpoint of other training: {state.get('identity')}, expected {identity}")
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return [EpochMetrics(**each) for each in state["metrics"]]


@contextmanager
def _seeded(device: torch.device, seed: int, epoch: int) -> Iterator[None]:
    """Random numbers of their own for one epoch; the process's are as before, behind it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        yield


def _epoch(network: nn.Module, train: Examples, recipe: Recipe, optimiser: torch.optim.Optimizer, epoch: int) -> float:
    """One pass over all images in a drawn order; the mean loss. A last batch of one image is left out: there is
    nothing to normalise over."""
    network.train()
    if isinstance(network, CellNetwork):
        network.set_drop_path(recipe.drop_path * epoch / recipe.epochs)
    device = train.inputs.device
    batches = [each for each in torch.randperm(len(train)).to(device).split(recipe.batch_size) if len(each) > 1]
    total, seen = torch.zeros((), device=device), 0
    for step, batch in enumerate(batches):
        progress = (epoch + step / len(batches)) / recipe.epochs
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * progress)) / 2
        inputs, labels = _augmented(train.inputs[batch], recipe), train.labels[batch]
        optimiser.zero_grad(set_to_none=True)
        with _precision(device):
            loss = _loss(network, inputs, labels, recipe)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
        optimiser.step()
        total += loss.detach() * len(batch)
        seen += len(batch)
    return float(total) / max(seen, 1)


def _loss(network: nn.Module, inputs: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    scores, branch = network.outputs(inputs) if isinstance(network, CellNetwork) else (network(inputs), None)
    loss = nn.functional.cross_entropy(scores, labels, label_smoothing=recipe.label_smoothing)
    if branch is None:
        return loss
    other = nn.functional.cross_entropy(branch, labels, label_smoothing=recipe.label_smoothing)
    return loss + recipe.auxiliary_weight * other


def _precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where a GPU has it; weights and loss stay float32."""
    wanted = device.type == "cuda" and torch.cuda.is_bf16_supported()
    context: AbstractContextManager[Any] = torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted)
    return context


def _augmented(inputs: Tensor, recipe: Recipe) -> Tensor:
    """Mirrored, moved and blanked images, each by numbers of its own, drawn alike on every device. 0 is the mean."""
    number, device = len(inputs), inputs.device
    if recipe.flip:
        mirrored = (torch.rand(number) < 0.5).to(device)
        inputs = torch.where(mirrored[:, None, None, None], inputs.flip(3), inputs)
    if recipe.shift:
        inputs = _moved(inputs, torch.randint(2 * recipe.shift + 1, (number, 2)).to(device), recipe.shift)
    return _blanked(inputs, torch.rand(number, 2).to(device), recipe.cutout) if recipe.cutout else inputs


def _moved(inputs: Tensor, corners: Tensor, most: int) -> Tensor:
    """Images cut out of ones with ``most`` pixels of 0 around them. corners: (number, 2), 0 to 2 most."""
    number, _, height, width = inputs.shape
    padded = nn.functional.pad(inputs, (most,) * 4)
    rows = corners[:, :1] + torch.arange(height, device=inputs.device)
    columns = corners[:, 1:] + torch.arange(width, device=inputs.device)
    images = torch.arange(number, device=inputs.device)[:, None, None]
    return padded[images, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _blanked(inputs: Tensor, centres: Tensor, side: int) -> Tensor:
    """Images with a square of 0 in them, as far as it lies inside. centres: (number, 2), 0 to 1."""
    _, _, height, width = inputs.shape
    rows, columns = (
        (torch.arange(size, device=inputs.device) + 0.5 - size * centre[:, None]).abs() < side / 2
        for size, centre in ((height, centres[:, 0]), (width, centres[:, 1]))
    )
    return inputs.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)
