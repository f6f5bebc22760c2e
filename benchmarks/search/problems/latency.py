"""Accuracy against latency: the design of a convolutional network for a small device, by formulas.

Accuracy follows power laws in depth, width and resolution with a floor (as in J. Kaplan et al.: Scaling Laws for Neural
Language Models, 2020, and the compound scaling of M. Tan, Q. V. Le: EfficientNet, 2019); latency is arithmetic over
throughput plus an overhead for each layer (the roofline of S. Williams et al., 2009). The figures are made up. All
values are listed, so the front is known by exhaustion.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.search.problem import Evaluation
from benchmarks.search.problems.parts import exact, numbers
from katib.core.objective import Direction, Objective, Target
from katib.core.space import Choice, Integer, Ordinal, SearchSpace
from katib.core.trial import Parameters

_WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128)
_RESOLUTIONS = (96, 128, 160, 192, 224)
_KERNELS = (3, 5, 7)
_EXPANSIONS = (1, 2, 4, 6)
# Bits of arithmetic: (share of the time that 32 bits take, points of accuracy lost, ms a block to convert).
_PRECISIONS = {"float32": (1.0, 0.0, 0.0), "float16": (0.55, 0.1, 0.05), "int8": (0.3, 1.2, 0.15)}

NETWORK = SearchSpace(
    (
        Integer("blocks", 1, 8),
        Ordinal("width", _WIDTHS),
        Ordinal("resolution", _RESOLUTIONS),
        Ordinal("kernel", _KERNELS),
        Ordinal("expansion", _EXPANSIONS),
        Choice("precision", tuple(_PRECISIONS)),
        Choice("attention", (False, True)),
    )
)
NETWORK_OBJECTIVE = Objective("accuracy", Direction.MAXIMIZE, others=(Target("latency"),))
NETWORK_WORST = (-50.0, 30.0)  # every other answer wrong, or slower than a video: what nobody would use


def _accuracy(blocks: Any, width: Any, resolution: Any, kernel: Any, expansion: Any) -> Any:
    """Per cent; numbers or arrays of them."""
    field = blocks * (kernel - 1) * 8 / resolution  # how much of the image a unit sees: too little, or too much, hurts
    missing = 14 * blocks**-0.6 + 90 * (width * expansion**0.6) ** -0.55 + 10 * (96 / resolution) ** 1.5
    return 94 - missing - 3 * np.log(field / 0.8) ** 2 / (1 + np.log(field / 0.8) ** 2)


def _latency(blocks: Any, width: Any, resolution: Any, kernel: Any, expansion: Any) -> Any:
    """Milliseconds with 32 bits, without overheads; numbers or arrays of them."""
    pixels = (resolution / 8) ** 2
    operations = blocks * pixels * width * expansion * (2 * width + kernel**2)  # two dense layers, one depthwise
    return operations / 4e6


def _network(shape: tuple[Any, ...], precision: str, attention: bool) -> tuple[Any, Any]:
    """Accuracy and latency. shape: blocks, width, resolution, kernel and expansion, numbers or arrays."""
    share, lost, conversion = _PRECISIONS[precision]
    accuracy = _accuracy(*shape) - lost * (1 + 8 / shape[1]) + (1.5 if attention else 0.0)
    overhead = 0.2 + conversion + (0.25 if attention else 0.0)
    return np.maximum(accuracy, 10.0), share * _latency(*shape) + shape[0] * overhead


def network(parameters: Parameters, rng: Generator) -> Evaluation:
    """A design; slow ones are trained longer."""
    n = numbers(parameters)
    shape = (n["blocks"], n["width"], n["resolution"], n["kernel"], n["expansion"])
    accuracy, latency = _network(shape, str(parameters["precision"]), bool(parameters["attention"]))
    return exact({"accuracy": float(accuracy), "latency": float(latency)}, rng, 1 + float(latency) / 10)


def network_losses() -> NDArray[np.float64]:
    """(-accuracy, latency) of every design, shape (n, 2)."""
    axes = np.meshgrid(np.arange(1.0, 9), _WIDTHS, _RESOLUTIONS, _KERNELS, _EXPANSIONS, indexing="ij")
    shape = tuple(axis.ravel() for axis in axes)
    found = [_network(shape, precision, attention) for precision, attention in product(_PRECISIONS, (False, True))]
    return np.vstack([np.column_stack((-accuracy, latency)) for accuracy, latency in found])
