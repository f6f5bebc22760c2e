"""A layered layout of a directed graph without cycles, from left to right (Sugiyama, Tagawa & Toda 1981, "Methods for
visual understanding of hierarchical system structures"): layers by the longest path, bends where an edge passes a
layer, an order with few crossings by the barycentre rule, and heights as near to those of the neighbours as the order
and the distances allow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SWEEPS = 12  # over all layers, for the order and for the heights


@dataclass(frozen=True, slots=True)
class Box:
    """A vertex. width, height: in pixels. late: whether it stands right before what follows it, not right behind what
    comes before."""

    name: str
    width: float
    height: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """places: the middle of each vertex, pixels. bends: where each edge enters and leaves a layer that it passes, from
    left to right."""

    places: Mapping[str, tuple[float, float]]
    bends: Mapping[tuple[str, str], Sequence[tuple[float, float]]]
    width: float
    height: float


def lay_out(boxes: Sequence[Box], edges: Sequence[tuple[str, str]], gap: float = 14, space: float = 34) -> Layout:
    """gap: between two vertices of a layer; half as much beside an edge that passes. space: between two layers.

    boxes: in an order in which each stands behind all that lead to it.
    """
    layer_of = _layers(boxes, edges)
    segments, chains = _segments(edges, layer_of)
    sizes = {box.name: box for box in boxes} | {
        name: Box(name, 0, 0) for names in chains.values() for name in names
    }  # fmt: skip
    layers: list[list[str]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for name in sizes:
        layers[layer_of[name]].append(name)
    neighbours = _Neighbours(segments)
    layers = _ordered(layers, neighbours)
    heights = _heights(layers, neighbours, sizes, gap)
    widths = [max(sizes[name].width for name in layer) for layer in layers]
    x, middles = 0.0, []
    for width in widths:
        middles.append(x + width / 2)
        x += width + space
    places = {name: (middles[layer_of[name]], heights[name]) for name in sizes}
    bends = {
        edge: [
            (places[name][0] + side * widths[layer_of[name]] / 2, places[name][1]) for name in names for side in (-1, 1)
        ]
        for edge, names in chains.items()
    }
    bottom = max(heights[name] + sizes[name].height / 2 for name in sizes)
    return Layout({box.name: places[box.name] for box in boxes}, bends, x - space, bottom)


class _Neighbours:
    """The vertices that edges between neighbouring layers join."""

    def __init__(self, segments: Iterable[tuple[str, str]]) -> None:
        self.before: dict[str, list[str]] = {}
        self.behind: dict[str, list[str]] = {}
        for source, target in segments:
            self.behind.setdefault(source, []).append(target)
            self.before.setdefault(target, []).append(source)


def _layers(boxes: Sequence[Box], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    layer: dict[str, int] = {}
    for box in boxes:
        layer[box.name] = max((layer[source] + 1 for source, target in edges if target == box.name), default=0)
    for box in reversed(boxes):
        if box.late:
            layer[box.name] = min((layer[t] for s, t in edges if s == box.name), default=layer[box.name] + 1) - 1
    return layer


def _segments(
    edges: Sequence[tuple[str, str]], layer_of: dict[str, int]
) -> tuple[list[tuple[str, str]], dict[tuple[str, str], list[str]]]:
    """Edges as steps of one layer, and the bends of each that passes some, which get a layer too."""
    segments: list[tuple[str, str]] = []
    chains = {}
    for source, target in edges:
        passed = range(layer_of[source] + 1, layer_of[target])
        names = [f"{source}\0{target}\0{layer}" for layer in passed]
        layer_of.update(zip(names, passed, strict=True))
        chains[source, target] = names
        segments += itertools.pairwise([source, *names, target])
    return segments, chains


def _ordered(layers: list[list[str]], neighbours: _Neighbours) -> list[list[str]]:
    """The order with the fewest crossings that some sweeps there and back come by."""
    best, fewest = layers, _crossings(layers, neighbours)
    for sweep in range(SWEEPS):
        towards = neighbours.before if sweep % 2 == 0 else neighbours.behind
        ordered = list(layers)
        numbers = range(len(layers)) if sweep % 2 == 0 else reversed(range(len(layers)))
        for number in numbers:
            other = number - 1 if sweep % 2 == 0 else number + 1
            if 0 <= other < len(layers):
                ordered[number] = _by_barycentre(layers[number], ordered[other], towards)
        layers = ordered
        if (found := _crossings(layers, neighbours)) < fewest:
            best, fewest = layers, found
    return best


def _by_barycentre(layer: list[str], other: list[str], towards: Mapping[str, list[str]]) -> list[str]:
    place = {name: number for number, name in enumerate(other)}

    def middle(name: str) -> float:
        joined = [place[each] for each in towards.get(name, ())]
        return sum(joined) / len(joined) if joined else layer.index(name)

    return sorted(layer, key=middle)


def _crossings(layers: list[list[str]], neighbours: _Neighbours) -> int:
    total = 0
    for layer, following in itertools.pairwise(layers):
        place = {name: number for number, name in enumerate(following)}
        ends = [sorted(place[target] for target in neighbours.behind.get(name, ())) for name in layer]
        for above, below in itertools.combinations(ends, 2):
            total += sum(one > other for one in above for other in below)
    return total


def _heights(
    layers: list[list[str]], neighbours: _Neighbours, sizes: Mapping[str, Box], gap: float
) -> dict[str, float]:
    """The height of each vertex's middle; the topmost edge of all is at 0."""
    heights = {name: 0.0 for layer in layers for name in layer}
    for sweep in range(2 * SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_mean_height(name, neighbours, heights, sweep) for name in layer]
            distances = [_distance(sizes[one], sizes[other], gap) for one, other in itertools.pairwise(layer)]
            heights.update(zip(layer, _apart(wanted, distances), strict=True))
    top = min(height - sizes[name].height / 2 for name, height in heights.items())
    return {name: height - top for name, height in heights.items()}


def _mean_height(name: str, neighbours: _Neighbours, heights: Mapping[str, float], sweep: int) -> float:
    before, behind = neighbours.before.get(name, []), neighbours.behind.get(name, [])
    joined = [*before, *behind] if sweep >= SWEEPS else (before if sweep % 2 == 0 else behind)
    return sum(heights[each] for each in joined) / len(joined) if joined else heights[name]


def _distance(one: Box, other: Box, gap: float) -> float:
    passing = one.height == 0 or other.height == 0
    return (one.height + other.height) / 2 + (gap / 2 if passing else gap) + (4 if passing else 0)


def _apart(wanted: Sequence[float], distances: Sequence[float]) -> list[float]:
    """Numbers as near as possible to ``wanted`` (least squares) that are at least ``distances`` apart: the isotonic
    regression of what is wanted without the distances, by pooling adjacent violators."""
    offsets = [0.0, *itertools.accumulate(distances)]
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, others = pools.pop()
            total, count = total + before, count + others
        pools.append((total, count))
    level = [total / count for total, count in pools for _ in range(count)]
    return [value + offset for value, offset in zip(level, offsets, strict=True)]
