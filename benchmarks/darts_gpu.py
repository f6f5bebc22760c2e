"""The GPU's part of ``benchmarks.darts``: a first-order step at 16 channels, 8 cells and batches of 64."""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from algorithms.darts.presets import Method
from algorithms.darts.search import Schedule, Search
from algorithms.darts.supernet import Supernet
from algorithms.darts.train import OPERATIONS
from algorithms.darts.wiring import SupernetShape
from algorithms.networks.data import Examples
from benchmarks.table import Row
from katib.core.errors import PermanentError

BATCH = 64
STEPS = 19_550  # of 50 epochs over half of CIFAR-10


def gpu(options: argparse.Namespace) -> list[Row]:
    """Ours beside the plain supernet in float32. Raises PermanentError without a GPU."""
    if not torch.cuda.is_available():
        raise PermanentError("gpu: there is no GPU here")
    device = torch.device("cuda")
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4 * BATCH, 3, 32, 32, generator=generator).to(device)
    given = Examples(images, torch.randint(10, (4 * BATCH,), generator=generator).to(device))
    shape = SupernetShape(OPERATIONS, 4, 8, 16, (3, 32, 32), 10)
    rows, medians = [], {}
    for name, compiled, half in (("plain float32", False, False), ("grouped", True, True)):
        search = Search(shape, Method(), Schedule(10_000, BATCH, compiled=compiled, bfloat16=half), given, given)
        if not compiled:
            _make_plain(search, device)
        torch.cuda.reset_peak_memory_stats()
        seconds = [_step(search) for _ in range(options.repeats + 10)][10:]
        medians[name] = statistics.median(seconds)
        rows.append(Row(f"{name}: step", 1000 * medians[name], "ms", samples=tuple(seconds)))
        rows.append(Row(f"{name}: peak memory", torch.cuda.max_memory_allocated() / 2**20, "MiB"))
    ratio = medians["plain float32"] / medians["grouped"]
    rows.append(Row("plain over grouped", ratio, "times", ">= 8", ratio >= 8))
    minutes = medians["grouped"] * STEPS / 60
    return [*rows, Row("50 epochs of CIFAR-10, by the step", minutes, "min", "<= 8", minutes <= 8)]


def _make_plain(search: Search, device: torch.device) -> None:
    """The supernet as DARTS is usually written, in the same search."""
    search.supernet = Supernet(search.shape, fused=False).to(device)
    search.forward, search.weights = search.supernet, list(search.supernet.parameters())
    search.w_optimiser = torch.optim.SGD(search.weights, 0.025, 0.9, weight_decay=3e-4)


def _step(search: Search) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    search.step()
    torch.cuda.synchronize()
    return time.perf_counter() - began
