"""When hyperparameters are fitted anew: at fixed numbers of finished trials, to what had finished by then.

So they are a function of the finished prefix, whoever asks and whatever was asked before: a process that has just
started fits once and comes to the same numbers as one that has fitted at every anchor. What was fitted is remembered,
as an optimisation alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import blake2b

import numpy as np

from algorithms.bayesian.kernels import Floats
from algorithms.bayesian.regression import Hyperparameters

_EACH = 20  # up to so many points, hyperparameters are fitted at each
_GROWTH = 1.05
_REMEMBERED = 64


def anchor(count: int, each: int = _EACH, growth: float = _GROWTH) -> int:
    """The largest anchor that is at most ``count``: 1, 2, ..., ``each``, then ``growth`` times as many (at least one
    more)."""
    if count <= each:
        return count
    reached = each
    while (after := max(reached + 1, int(reached * growth))) <= count:
        reached = after
    return reached


class Memory:
    """What was fitted to which data. For several threads at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, Hyperparameters] = OrderedDict()

    def recall(self, way: Hashable, data: tuple[Floats, ...], fit: Callable[[], Hyperparameters]) -> Hyperparameters:
        """What ``fit`` gives for ``data``, from memory if it was fitted before. way: how it prepares them."""
        key = way, blake2b(b"".join(np.ascontiguousarray(part).tobytes() for part in data)).digest()
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        result = fit()
        with self._lock:
            self._found[key] = result
            while len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return result
