"""The GPU's part of ``benchmarks.darts``: a first-order search at 16 channels, 8 cells and batches of 64.

*Plain* is the supernet as DARTS is usually written, a module for each operation of each edge, in float32, call by call.
*Grouped* is ours: edges joined, bfloat16, channels last, and the supernet's calls as a graph. Both begin with the same
weights, and see the same images in the same order.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field

import torch

from algorithms.darts.device import prepared_device
from algorithms.darts.presets import Method
from algorithms.darts.search import Schedule, Search
from algorithms.darts.train import OPERATIONS
from algorithms.darts.wiring import SupernetShape
from algorithms.networks.data import Examples
from benchmarks.table import Row
from katib.core.errors import PermanentError

BATCH = 64
BATCHES = 20  # of an epoch
EPOCHS = 10
STEPS = 19_550  # of 50 epochs over half of CIFAR-10
SHAPE = SupernetShape(OPERATIONS, 4, 8, 16, (3, 32, 32), 10)


@dataclass
class Course:
    """A search, epoch by epoch. seconds: of each step. losses: mean of each epoch. memory: MiB at most, of a GPU."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    memory: float = 0.0

    @property
    def step(self) -> float:
        """Seconds of a step, without the first epoch, in which graphs are recorded and kernels chosen."""
        return statistics.median(self.seconds[BATCHES:])


def gpu(_options: argparse.Namespace) -> list[Row]:
    """Ours beside the plain supernet. Raises PermanentError without a GPU."""
    if not torch.cuda.is_available():
        raise PermanentError("gpu: there is no GPU here")
    rows, plain = [], course(SHAPE, torch.device("cuda"), plain=True)
    ours = course(SHAPE, prepared_device("cuda", threads=1), plain=False)
    for name, found in (("plain float32", plain), ("grouped", ours)):
        samples = tuple(found.seconds[BATCHES:])
        rows.append(Row(f"{name}: step", 1000 * found.step, "ms", samples=samples))
        rows.append(Row(f"{name}: peak memory", found.memory, "MiB"))
        rows.append(Row(f"{name}: loss of the last epoch", found.losses[-1], "", samples=tuple(found.losses)))
    ratio, minutes, apart = plain.step / ours.step, ours.step * STEPS / 60, distance(plain, ours)
    rows.append(Row("plain over grouped", ratio, "times", ">= 8", ratio >= 8))
    rows.append(Row("largest difference of an epoch's loss", apart, "", "<= 0.1", apart <= 0.1))
    return [*rows, Row("50 epochs of CIFAR-10, by the step", minutes, "min", "<= 8", minutes <= 8)]


def course(shape: SupernetShape, device: torch.device, *, plain: bool, epochs: int = EPOCHS) -> Course:
    """A search on images that can be learned. plain: as DARTS is usually written, else as ours is on a GPU."""
    given = images(shape, device)
    compiled = device.type == "cuda" and not plain
    schedule = Schedule(epochs, BATCH, compiled=compiled, bfloat16=not plain)
    search = Search(shape, Method(), schedule, given, given, fused=not plain)
    found = Course()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(epochs):
        found.seconds += [_step(search) for _ in range(search.steps_per_epoch)]
        found.losses.append(search.report().train_loss)
    if device.type == "cuda":
        found.memory = torch.cuda.max_memory_allocated() / 2**20
    return found


def distance(one: Course, other: Course) -> float:
    """The largest difference of the two losses of an epoch."""
    return max(abs(a - b) for a, b in zip(one.losses, other.losses, strict=True))


def images(shape: SupernetShape, device: torch.device) -> Examples:
    """For each class a random picture, and noise upon it."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(shape.classes, (BATCHES * BATCH,), generator=generator)
    pictures = torch.randn(shape.classes, *shape.image, generator=generator)
    noise = torch.randn(len(labels), *shape.image, generator=generator)
    return Examples((pictures[labels] / 2 + noise).to(device), labels.to(device))


def _step(search: Search) -> float:
    waits = search.device.type == "cuda"
    if waits:
        torch.cuda.synchronize()
    began = time.perf_counter()
    search.step()
    if waits:
        torch.cuda.synchronize()
    return time.perf_counter() - began
