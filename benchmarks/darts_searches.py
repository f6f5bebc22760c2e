"""Whole searches of ``benchmarks.darts``: accuracies, and how often a search collapses."""

from __future__ import annotations

import argparse
import math
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from algorithms.darts import train
from algorithms.darts.genotype import COLLAPSED, skip_share
from algorithms.darts.presets import PRESETS, Method
from algorithms.darts.search import Schedule, Search
from algorithms.darts.wiring import SupernetShape
from algorithms.networks.data import Images, load_images
from benchmarks.table import Row
from katib.core.errors import PermanentError

DIGITS = {
    "num_epochs": 15, "init_channels": 8, "num_nodes": 3, "batch_size": 64, "w_lr": 0.1, "alpha_lr": 0.03,
    "retrain_epochs": 45,
}  # fmt: skip
MNIST = {
    "num_epochs": 8, "init_channels": 8, "num_nodes": 3, "batch_size": 96, "w_lr": 0.1, "alpha_lr": 0.01,
    "retrain_epochs": 20, "candidates": 1,
}  # fmt: skip
COLLAPSE_EPOCHS = 4  # of the shorter searches; the longer ones have four times as many
COLLAPSE_OPERATIONS = (
    "separable_convolution_3x3", "dilated_convolution_3x3", "max_pooling_3x3", "skip_connection"
)  # fmt: skip
_ACCURACY = re.compile(r"^accuracy=([\d.]+)", re.MULTILINE)


class _Told(StringIO):
    """What a trial prints; searched: the processor's time when the last epoch of its search was told."""

    searched = 0.0

    def write(self, text: str) -> int:
        if text.startswith("epoch="):
            self.searched = time.process_time()
        return super().write(text)


def digits(options: argparse.Namespace) -> list[Row]:
    """Three cells, eight channels, three nodes, seven operations; the default method, three candidates. The limit of
    180 seconds is for all of it."""
    search, rest, accuracy = _searched("digits", options, [f"--set={name}={value}" for name, value in DIGITS.items()])
    whole = [sum(pair) for pair in zip(search, rest, strict=True)]
    return [
        _row("digits: search", search, "s"),
        _row("digits: search, retraining, export", whole, "s", most=180),
        _row("digits: test accuracy", accuracy, "", least=0.98),
    ]


def mnist(options: argparse.Namespace) -> list[Row]:
    """10,000 training images; the limit of 1,200 seconds is for the search."""
    more = [f"--set={name}={value}" for name, value in MNIST.items()]
    if options.data_folder:
        more.append(f"--data-folder={options.data_folder}")
    search, rest, accuracy = _searched("mnist", options, ["--examples=10000", *more])
    return [
        _row("mnist: search", search, "s", most=1200),
        _row("mnist: retraining, export", rest, "s"),
        _row("mnist: test accuracy", accuracy, "", least=0.99),
    ]


def _searched(data: str, options: argparse.Namespace, more: Sequence[str]) -> tuple[list[float], ...]:
    """The trial's program, once a seed: seconds of the search, those of retraining and export, accuracies."""
    found: tuple[list[float], ...] = ([], [], [])
    for seed in range(options.seeds or 1):
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(_Told()) as output:
            common = [f"--checkpoint={folder}", f"--export={Path(folder) / 'network.py'}", f"--seed={seed}"]
            began = time.process_time()
            status = train.main(["--num-layers=3", f"--data={data}", *common, *more])
            ended = time.process_time()
        accuracy = _ACCURACY.search(output.getvalue())
        if status or not accuracy:
            raise PermanentError(f"{data}: the trial failed: {output.getvalue()}")
        run = output.searched - began, ended - output.searched, float(accuracy[1])
        for values, value in zip(found, run, strict=True):
            values.append(value)
    return found


def _row(case: str, values: list[float], unit: str, *, most: float = math.inf, least: float = -math.inf) -> Row:
    """The mean; the bound is for each value."""
    target = f"<= {most:g}" if most < math.inf else f">= {least:g}" if least > -math.inf else ""
    met = least <= min(values) and max(values) <= most if target else None
    return Row(case, statistics.mean(values), unit, target, met, tuple(values))


def collapse(options: argparse.Namespace) -> list[Row]:
    """Searches on digits with few channels, at one length and at four times that: the strongest operations, and what is
    selected, which has two skips at most by the default method."""
    images = load_images("digits", validation=0.5)
    found: dict[tuple[str, int], list[tuple[float, float]]] = {
        (name, times): [] for name in options.presets for times in (1, 4)
    }
    for seed in range(options.seeds or 10):
        for (name, times), shares in found.items():
            shares.append(_skip_shares(PRESETS[name], images, times * COLLAPSE_EPOCHS, seed))
            print(f"{name}, {times} times, seed {seed}: skips {shares[-1][0]:.2f}, selected {shares[-1][1]:.2f}")
    rows = []
    for (name, times), shares in found.items():
        for what, values in zip(("strongest", "selected"), zip(*shares, strict=True), strict=True):
            count = sum(share > COLLAPSED for share in values)
            target, met = ("0", count == 0) if (name, what) == ("robust", "selected") else ("", None)
            case = f"{name}, {times} times, {what}: collapsed of {len(values)}"
            rows.append(Row(case, count, "", target, met, tuple(values)))
    return rows


def _skip_shares(method: Method, images: Images, epochs: int, seed: int) -> tuple[float, float]:
    """Of the genotype of the strongest operations of one search, and of what the method selects."""
    shape = SupernetShape(
        COLLAPSE_OPERATIONS, 3, 3, 4, images.shape, images.classes,
        partial=method.partial_channels, auxiliary_skip=method.auxiliary_skip,
    )  # fmt: skip
    schedule = Schedule(epochs, 64, w_lr=0.1, alpha_lr=0.05, seed=seed)
    search = Search(shape, method, schedule, images.train, images.validation)
    for _ in range(epochs * search.steps_per_epoch):
        search.step()
    strengths = search.strengths()
    strongest, selected = (each.strongest(strengths) for each in (search.unlimited, search.selection))
    return skip_share(strongest), skip_share(selected)
