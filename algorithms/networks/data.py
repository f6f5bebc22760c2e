"""Images by name, as normalised tensors: ``digits`` is bundled with scikit-learn, ``mnist`` and ``cifar10`` are read
from a folder of the user's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from algorithms.networks.image_files import PUBLISHED, VARIABLE, RawImages, read_published
from katib.core.errors import MissingExtraError, PermanentError, UnknownNameError
from katib.core.naming import load

try:
    import torch
    from torch import Tensor
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "nas") from error

DIGITS = "digits"
NAMES = (DIGITS, *PUBLISHED)
CLASSES = 10  # of each of them
_DIGITS_TRAINED = 1347  # of its 1797 images
_ORDER_SEED = 0  # of the order of training images, the same in every run


@dataclass(frozen=True, slots=True)
class Examples:
    """inputs: float, (number, channels, height, width), normalised. labels: (number,), classes from 0 on."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Images:
    """A data set in three parts. mean, deviation: of each channel, by which pixels were normalised."""

    name: str
    train: Examples
    validation: Examples
    test: Examples
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    classes: int = CLASSES

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        channels, height, width = self.train.inputs.shape[1:]
        return channels, height, width


def load_images(
    name: str,
    *,
    folder: str | Path | None = None,
    examples: int | None = None,
    validation: float = 0.2,
    device: str | torch.device = "cpu",
) -> Images:
    """The data set ``name``, its channels brought to mean 0 and deviation 1 over the training images.

    folder: where ``mnist`` and ``cifar10`` lie, else what the variable KATIB_DATA says. examples: how many of the
    training images are used at most, with those for validation. validation: the share of these that is kept for
    validation, at least 0 and below 1. The split is the same in every run, and so is that of digits into 1347 images
    for training and 450 for testing; MNIST and CIFAR-10 have their own test images.

    Raises UnknownNameError, NotFoundError, which says where a user gets the data, and PermanentError.
    """
    if name not in NAMES:
        raise UnknownNameError("data set", name, NAMES)
    if not 0 <= validation < 1:
        raise PermanentError(f"validation: got {validation}, expected a share, at least 0 and below 1")
    if examples is not None and examples < 2:
        raise PermanentError(f"examples: got {examples}, expected at least 2")
    given = folder if folder is not None else os.environ.get(VARIABLE)
    raw = _digits() if name == DIGITS else read_published(name, Path(given) if given else None)
    order = np.random.RandomState(_ORDER_SEED).permutation(len(raw.train))[:examples]
    train, kept = raw.train[order], round(len(order) * validation)
    mean, deviation = _statistics(train)

    def part(images: np.ndarray, labels: np.ndarray) -> Examples:
        inputs = (torch.tensor(images, dtype=torch.float32) - mean) / deviation
        return Examples(inputs.to(device), torch.tensor(labels.astype(np.int64), device=device))

    labels = raw.train_labels[order]
    trained, held_out = part(train[kept:], labels[kept:]), part(train[:kept], labels[:kept])
    means, deviations = (tuple(each.flatten().tolist()) for each in (mean, deviation))
    return Images(name, trained, held_out, part(raw.test, raw.test_labels), means, deviations)


def _digits() -> RawImages:
    try:  # loaded for this set alone, since to load it takes a while
        bundle = load("data set", "sklearn.datasets:load_digits", {})()
    except MissingExtraError as error:
        raise MissingExtraError("scikit-learn", "nas") from error
    images = bundle.images.astype(np.uint8)[:, None]
    order = np.random.RandomState(_ORDER_SEED).permutation(len(images))
    train, test = order[:_DIGITS_TRAINED], order[_DIGITS_TRAINED:]
    return RawImages(images[train], bundle.target[train], images[test], bundle.target[test])


def _statistics(images: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each channel, (1, channels, 1, 1). A channel that never changes is left at its scale."""
    axes = (0, 2, 3)
    mean, deviation = images.mean(axis=axes, dtype=np.float64), images.std(axis=axes, dtype=np.float64)
    shaped = (torch.tensor(each, dtype=torch.float32).reshape(1, -1, 1, 1) for each in (mean, deviation))
    average, spread = shaped
    return average, torch.where(spread > 0, spread, torch.ones_like(spread))
