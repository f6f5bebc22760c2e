"""DARTS, measured: ``python -m benchmarks.darts [CASE ...] [--out FILE]``. Needs the extra nas.

* ``grouped``: a first-order step of the grouped supernet beside that of the plain one, which gives the same numbers;
* ``order``: a second-order step beside a first-order one;
* ``digits``: search, retraining of three genotypes and export on scikit-learn's digits, to test accuracy;
* ``collapse``: how many of the genotypes of 20 searches are mostly skip connections, plain and with the default method;
* ``mnist``: search on 10,000 images of MNIST, and retraining;
* ``gpu``: a step at 16 channels, 8 cells and batches of 64 on a GPU.

Times of processors are processor time of one thread, alternating between what is compared, medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from algorithms.darts.alphas import Alphas
from algorithms.darts.architect import first_order, gradients
from algorithms.darts.presets import PRESETS, Method
from algorithms.darts.sampling import Moment, mix
from algorithms.darts.search import Schedule, Search
from algorithms.darts.supernet import Supernet
from algorithms.darts.train import OPERATIONS
from algorithms.darts.wiring import SupernetShape
from algorithms.networks.data import Examples
from benchmarks.darts_gpu import gpu
from benchmarks.darts_searches import collapse, digits, mnist
from benchmarks.table import Row, show, write

BATCH = 64


def small(method: Method) -> SupernetShape:
    """Three cells of three nodes and eight channels, for images of digits."""
    return SupernetShape(
        OPERATIONS, 3, 3, 8, (1, 8, 8), 10, partial=method.partial_channels, auxiliary_skip=method.auxiliary_skip
    )


@dataclass(frozen=True)
class Contestant:
    """A supernet whose steps are timed."""

    supernet: Supernet
    channels_last: bool
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, shape: SupernetShape, *, fused: bool, channels_last: bool) -> Contestant:
        """With the weights that all have."""
        torch.manual_seed(0)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        return cls(Supernet(shape, fused=fused).to(memory_format=layout), channels_last)

    def step(self, alphas: Alphas, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Gradients of the architecture, then of the weights, and a step of these."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        images, weights = images.contiguous(memory_format=layout), list(self.supernet.parameters())
        began = time.thread_time()
        first_order(
            lambda: _loss(self.supernet, images, labels, mix(alphas, "softmax", Moment(skip=0.5))),
            list(alphas.parameters()),
        )
        with torch.no_grad():
            mixed = mix(alphas, "softmax", Moment(skip=0.5))
        found = gradients(_loss(self.supernet, images, labels, mixed), weights)
        with torch.no_grad():
            torch._foreach_add_(weights, found, alpha=-0.001)
        self.seconds.append(time.thread_time() - began)


def _loss(supernet: Supernet, images: torch.Tensor, labels: torch.Tensor, mixed: Any) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(supernet(images, mixed), labels)


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, 1, 8, 8, generator=generator), torch.randint(10, (BATCH,), generator=generator)


def grouped(options: argparse.Namespace) -> list[Row]:
    """All channels, as plain DARTS; and the default method, with partial channels and auxiliary skips."""
    rows = []
    for name, method in (("darts", PRESETS["darts"]), ("robust", PRESETS["robust"])):
        shape = small(method)
        alphas = Alphas(shape, edge_normalisation=method.edge_normalisation, seed=0)
        images, labels = _batch()
        kinds = {"plain": (False, False), "plain, channels last": (False, True), "grouped": (True, True)}
        found = {key: Contestant.of(shape, fused=fused, channels_last=last) for key, (fused, last) in kinds.items()}
        for _ in range(options.repeats + 2):  # the first two warm up
            for contestant in found.values():
                contestant.step(alphas, images, labels)
        times = {key: contestant.seconds[2:] for key, contestant in found.items()}
        rows += [_milliseconds(f"{name}: {key}", seconds) for key, seconds in times.items()]
        for key in list(kinds)[:2]:
            rows.append(_ratio(f"{name}: {key} over grouped", times[key], times["grouped"], ">= 2", 2.0))
        rows.append(Row(f"{name}: largest difference of outputs, float64", _difference(shape, alphas), "", "<= 1e-10"))
    return rows


def _difference(shape: SupernetShape, alphas: Alphas) -> float:
    outputs = []
    mixed = mix(alphas.double(), "softmax", Moment(skip=0.5))
    for fused in (False, True):
        torch.manual_seed(0)
        outputs.append(Supernet(shape, fused=fused).double()(_batch()[0].double(), mixed))
    return float((outputs[0] - outputs[1]).detach().abs().max())


def order(options: argparse.Namespace) -> list[Row]:
    """Steps of whole searches."""
    images, labels = _batch()
    given = Examples(images, labels)
    shape = small(Method())
    searches = [Search(shape, Method(order=each), Schedule(epochs=10_000), given, given) for each in (1, 2)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(options.repeats + 2):
        for search, seconds in zip(searches, times, strict=True):
            began = time.thread_time()
            search.step()
            seconds.append(time.thread_time() - began)
    first, second = (seconds[2:] for seconds in times)
    rows = [_milliseconds("first-order step", first), _milliseconds("second-order step", second)]
    ratio = statistics.median(second) / statistics.median(first)
    return [*rows, Row("second over first order", ratio, "times", "<= 2.2", ratio <= 2.2)]


def _milliseconds(case: str, seconds: Sequence[float]) -> Row:
    return Row(case, 1000 * statistics.median(seconds), "ms", samples=tuple(seconds))


def _ratio(case: str, slow: Sequence[float], quick: Sequence[float], target: str, least: float) -> Row:
    ratio = statistics.median(slow) / statistics.median(quick)
    return Row(case, ratio, "times", target, ratio >= least)


CASES: Mapping[str, Callable[[argparse.Namespace], list[Row]]] = {
    "grouped": grouped, "order": order, "digits": digits, "collapse": collapse, "mnist": mnist, "gpu": gpu,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; the first three if none")
    parser.add_argument("--repeats", type=int, default=15, help="steps whose median is taken")
    parser.add_argument(
        "--seeds", type=int, help="searches of a kind; 1 for digits and mnist, 10 for collapse if left out"
    )
    parser.add_argument("--presets", nargs="+", default=["darts", "robust"], choices=PRESETS, help="of collapse")
    parser.add_argument("--data-folder", help="where mnist lies; else what KATIB_DATA says")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/darts.json"))
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - CASES.keys():
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are: {', '.join(CASES)}")
    torch.set_num_threads(1)
    rows = [row for case in options.cases or list(CASES)[:3] for row in CASES[case](options)]
    show(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
