"""Whole searches of ``benchmarks.darts``: accuracies, and how often a search collapses."""

from __future__ import annotations

import argparse
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
    "retrain_epochs": 12, "candidates": 1,
}  # fmt: skip
COLLAPSE_EPOCHS = 4  # of the shorter searches; the longer ones have four times as many
COLLAPSE_OPERATIONS = (
    "separable_convolution_3x3", "dilated_convolution_3x3", "max_pooling_3x3", "skip_connection"
)  # fmt: skip
_ACCURACY = re.compile(r"^accuracy=([\d.]+)", re.MULTILINE)


def digits(options: argparse.Namespace) -> list[Row]:
    """Three cells, eight channels, three nodes, seven operations; the default method, three candidates."""
    return _searched("digits", options, [f"--set={name}={value}" for name, value in DIGITS.items()], (180, 0.98))


def mnist(options: argparse.Namespace) -> list[Row]:
    """10,000 training images; the time is that of search and retraining."""
    more = [f"--set={name}={value}" for name, value in MNIST.items()]
    if options.data_folder:
        more.append(f"--data-folder={options.data_folder}")
    return _searched("mnist", options, ["--examples=10000", *more], (1200, 0.99))


def _searched(data: str, options: argparse.Namespace, more: Sequence[str], targets: tuple[float, float]) -> list[Row]:
    """Search, retraining and export of the trial's program, once a seed."""
    seconds, accuracies = [], []
    for seed in range(options.seeds or 1):
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()) as output:
            common = [f"--checkpoint={folder}", f"--export={Path(folder) / 'network.py'}", f"--seed={seed}"]
            began = time.process_time()
            status = train.main(["--num-layers=3", f"--data={data}", *common, *more])
            seconds.append(time.process_time() - began)
        found = _ACCURACY.search(output.getvalue())
        if status or not found:
            raise PermanentError(f"{data}: the trial failed: {output.getvalue()}")
        accuracies.append(float(found[1]))
    time_row, accuracy_row = (
        Row(f"{data}: {name}", statistics.mean(values), unit, f"{sign} {target:g}", met, tuple(values))
        for name, values, unit, sign, target, met in (
            ("search, retraining, export", seconds, "s", "<=", targets[0], max(seconds) <= targets[0]),
            ("test accuracy", accuracies, "", ">=", targets[1], min(accuracies) >= targets[1]),
        )
    )
    return [time_row, accuracy_row]


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
