"""Architectures as a Gaussian process sees them: by their choices, and by the paths from input to output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from algorithms.architecture.spaces import ArchitectureSpace
from algorithms.architecture.wiring import Path, Wiring, paths, signature, size
from algorithms.bayesian.kernels import Floats
from katib.core.space import Choice
from katib.core.trial import Parameters, Value

LONGEST = 6  # operations of a path; where there are longer ones, those up to _SHORT are looked at
_SHORT = 4
_REMEMBERED = 8_192  # descriptions, of some kilobytes each where cells have many paths

Row = NDArray[np.intp]  # place of each parameter's value among its choices


class Description(NamedTuple):
    """What is known of an architecture without a trial. signature: the same for equivalent ones. row: (d,) its choices.
    paths: how many there are of each, by (number of the graph, path). size: of its operations, as ``wiring.size`` has
    it."""

    signature: str
    row: Row
    paths: Mapping[tuple[int, Path], int]
    size: float


class Describer:
    """Describes points of an architecture space; what was described once stays, which changes no answer.

    counts: (d,) values of each choice. truncated: whether there are paths that are too long to be looked at.
    """

    def __init__(self, architectures: ArchitectureSpace, *, sized: bool = False) -> None:
        """sized: whether sizes are asked for; 0 otherwise."""
        self._architectures = architectures
        self.truncated = architectures.depth > LONGEST
        self._longest = _SHORT if self.truncated else LONGEST
        self._weights = architectures.weights if sized else {}
        self._choices = [each for each in architectures.space if isinstance(each, Choice)]
        self.counts = np.array([len(each.values) for each in self._choices], dtype=np.intp)
        self._known: dict[bytes, Description] = {}
        self._points: dict[tuple[Value, ...], Description] = {}

    def of_point(self, point: Parameters) -> Description:
        """The architecture of a point, whatever else it has."""
        key = tuple(point[each.name] for each in self._choices)
        known = self._points.get(key)
        if known is None:
            row = np.array([each.index(value) for each, value in zip(self._choices, key, strict=True)], dtype=np.intp)
            known = self._points[key] = self.of(row)
            _forget(self._points)
        return known

    def point(self, row: Row) -> dict[str, Value]:
        """The point of some choices."""
        return {each.name: each.values[i] for each, i in zip(self._choices, row, strict=True)}

    def of(self, row: Row) -> Description:
        """The architecture of some choices."""
        key = row.tobytes()
        known = self._known.get(key)
        if known is None:
            wirings = self._architectures.wirings(self.point(row))
            found = {
                (graph, path): count
                for graph, wiring in enumerate(wirings)
                for path, count in paths(wiring, self._longest).items()
            }
            known = Description(signature(wirings), row, found, self._size(wirings))
            _forget(self._known)
            self._known[key] = known
        return known

    def _size(self, wirings: Sequence[Wiring]) -> float:
        return sum(size(wiring, self._weights) for wiring in wirings) if self._weights else 0.0


def _forget(known: dict[Any, Description]) -> None:
    """All of it, when it is too much."""
    if len(known) >= _REMEMBERED:
        known.clear()


class Encoding:
    """Features of architectures: their paths, and the single choices where there are paths too long to be looked at.

    owner: (p,) kind of each feature. Distances from the architectures that it is made for are exact; paths that none of
    these has lie in one column, for they are as far from each of them.
    """

    def __init__(self, describer: Describer, known: Sequence[Description]) -> None:
        counts = describer.counts if describer.truncated else describer.counts[:0]
        self._firsts = np.cumsum(counts) - counts
        self._width = int(counts.sum())
        names = sorted({path for each in known for path in each.paths}, key=repr)
        self._columns = {path: self._width + place for place, path in enumerate(names)}
        self.owner = np.array([1] * self._width + [0] * (len(names) + 1), dtype=np.intp)

    def features(self, described: Sequence[Description]) -> Floats:
        """(n, p): roots of the numbers of paths, which keep cells with many paths from being far from everything; the
        choices, two of which that differ lie 1 apart."""
        found = np.zeros((len(described), len(self.owner)))
        for line, each in zip(found, described, strict=True):
            line[self._firsts + each.row[: len(self._firsts)]] = 0.5**0.5
            others = 0
            for path, count in each.paths.items():
                column = self._columns.get(path)
                if column is None:
                    others += count
                else:
                    line[column] = count**0.5
            line[-1] = others**0.5
        return found
