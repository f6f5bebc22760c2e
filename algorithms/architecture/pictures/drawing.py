"""Cells and chains as pictures: operations are boxes, coloured by their kind; states are dots."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from algorithms.architecture.cells import CELLS, INPUTS, Cell, Genotype
from algorithms.architecture.pictures.layered import Box, Layout, lay_out
from algorithms.architecture.pictures.svg import (
    Picture,
    colour,
    curve,
    described,
    framed,
    headed,
    in_a_row,
    indexed,
    pill,
    short,
    stacked,
    text,
    text_width,
)
from algorithms.architecture.reading import Architecture, BenchmarkCell, Chain

LINE = 'stroke="currentColor" stroke-opacity="0.6" stroke-width="1.3"'
FAINT = 'stroke="currentColor" stroke-opacity="0.22" stroke-width="1.3"'
DASHED = 'stroke="currentColor" stroke-opacity="0.3" stroke-width="1.3" stroke-dasharray="4 3"'
DOT = 22
_TITLES = {"normal": "Normal cell", "reduce": "Reduction cell"}


class Titled(NamedTuple):
    """An architecture and a line about it."""

    title: str
    architecture: Architecture


class _Applied(NamedTuple):
    """An operation between two states of a cell."""

    label: str
    source: str
    target: str


def draw(architecture: Architecture, title: str = "") -> str:
    """The picture as SVG."""
    return draw_beside([Titled(title, architecture)])


def draw_beside(shown: Sequence[Titled]) -> str:
    """Architectures beside each other, the best first. What another one has and the first has not is ringed."""
    first = _parts(shown[0].architecture) if shown else frozenset()
    pictures = []
    for titled in shown:
        picture = _picture(titled.architecture, _parts(titled.architecture) - first)
        pictures.append(headed(picture, titled.title, big=True) if titled.title else picture)
    return framed(in_a_row(pictures)).document(
        "; ".join(filter(None, (each.title for each in shown))) or "architecture"
    )


def _picture(architecture: Architecture, marked: Collection[object]) -> Picture:
    if isinstance(architecture, Genotype):
        concats = (architecture.normal_concat, architecture.reduce_concat)
        return stacked(
            headed(_genotype_cell(name, cell, concat, marked), _TITLES[name])
            for name, cell, concat in zip(CELLS, architecture[:2], concats, strict=True)
        )
    if isinstance(architecture, BenchmarkCell):
        return _benchmark_cell(architecture, marked)
    return _chain(architecture, marked)


def _parts(architecture: Architecture) -> frozenset[object]:
    """What two architectures may have in common, to be compared."""
    if isinstance(architecture, Chain):
        return frozenset((number, each.operation) for number, each in enumerate(architecture.layers))
    return frozenset(applied for name, cell in _cells(architecture) for applied in _keys(name, cell))


def _cells(architecture: Genotype | BenchmarkCell) -> Iterator[tuple[str, Cell]]:
    if isinstance(architecture, BenchmarkCell):
        yield "", architecture.nodes
    else:
        yield from zip(CELLS, architecture[:2], strict=True)


def _keys(name: str, cell: Cell) -> Iterator[object]:
    return ((name, node, edge) for node, edges in enumerate(cell) for edge in edges)


def _genotype_cell(name: str, cell: Cell, concat: Iterable[int], marked: Collection[object]) -> Picture:
    states = ["c_k-2", "c_k-1", *(str(node) for node in range(len(cell)))]
    applied, rings = [], set()
    for node, edges in enumerate(cell):
        for edge in edges:
            label, source = edge
            applied.append(_Applied(label, states[source], states[INPUTS + node]))
            if (name, node, edge) in marked:
                rings.add(applied[-1])
    joined = [states[number] for number in concat] or states[INPUTS:]
    return _graph(states, applied, rings, [*((each, "c_k") for each in joined)])


def _benchmark_cell(cell: BenchmarkCell, marked: Collection[object]) -> Picture:
    states = ["in", *(str(node) for node in range(1, len(cell.nodes))), "out"]
    applied, rings = [], set()
    for node, edges in enumerate(cell.nodes):
        for edge in edges:
            applied.append(_Applied(edge[0], states[edge[1]], states[node + 1]))
            if ("", node, edge) in marked:
                rings.add(applied[-1])
    return _graph(states, applied, rings, [])


def _graph(
    states: Sequence[str], applied: Sequence[_Applied], rings: Collection[_Applied], joined: Sequence[tuple[str, str]]
) -> Picture:
    """States with the operations between them. joined: (state, output) of states that are joined to an output."""
    names = {each: f"{number} {each.label}" for number, each in enumerate(applied)}
    boxes: list[Box] = []
    edges: list[tuple[str, str]] = []
    for state in (*states, *dict.fromkeys(output for _, output in joined)):
        for each in (each for each in applied if each.target == state):
            boxes.append(Box(names[each], text_width(short(each.label)) + 20, 22, late=True))
            edges += [(each.source, names[each]), (names[each], state)]
        boxes.append(Box(state, max(DOT, text_width(state) + 12), DOT))
    layout = lay_out(boxes, [*edges, *joined])
    sizes = {box.name: box for box in boxes}
    unused = {names[each] for each in applied if each.label == "none"}
    lines = [_edge(layout, sizes, edge, DASHED if unused & set(edge) else LINE) for edge in edges]
    lines = [*(_edge(layout, sizes, edge, FAINT) for edge in joined), *lines]
    pills = [
        pill(*layout.places[names[each]], sizes[names[each]].width, short(each.label), colour(each.label),
             marked=each in rings)
        for each in applied
    ]  # fmt: skip
    dots = [_state(*layout.places[box.name], box.width, box.name) for box in boxes if not box.late]
    return framed(Picture("".join([*lines, *pills, *dots]), layout.width, layout.height), 4)


def _edge(layout: Layout, sizes: dict[str, Box], edge: tuple[str, str], style: str) -> str:
    source, target = edge
    (x, y), (end_x, end_y) = layout.places[source], layout.places[target]
    start, end = (x + sizes[source].width / 2, y), (end_x - sizes[target].width / 2, end_y)
    return curve([start, *layout.bends[edge], end], style)


def _state(x: float, y: float, width: float, name: str) -> str:
    box = f'x="{x - width / 2:.1f}" y="{y - DOT / 2:.1f}" width="{width:.1f}" height="{DOT}" rx="{DOT / 2}"'
    words, _, index = name.partition("_")
    label = indexed(x, y, words, index) if index else text(x, y, name)
    return f'<rect {box} fill="none" stroke="currentColor" stroke-width="1.3"/>{label}'


def _chain(chain: Chain, marked: Collection[object]) -> Picture:
    """Layers from top to bottom; skips are arcs beside them, longer ones farther out."""
    step, left, top = 42, 30, DOT / 2 + 2
    labels = [described(each.operation) for each in chain.layers]
    width = max(map(text_width, labels)) + 24
    middle, right = left + width / 2, left + width
    heights = [top + step * (number + 1) for number in range(len(labels))]
    arcs = [
        _arc(right, heights[source], heights[number], number - source)
        for number, each in enumerate(chain.layers)
        for source in each.skips
    ]
    ends = [top, *heights, heights[-1] + step]
    lines = [_down(middle, one + 11, other - 11) for one, other in itertools.pairwise(ends)]
    pills = [
        pill(middle, y, width, label, colour(str(dict(each.operation.parameters).get("reduction_type",
             each.operation.type))), marked=(number, each.operation) in marked)
        for number, (y, label, each) in enumerate(zip(heights, labels, chain.layers, strict=True))
    ]  # fmt: skip
    numbers = [text(left - 10, y, str(number), anchor="end", style=SMALL) for number, y in enumerate(heights)]
    dots = [_state(middle, top, 54, "image"), _state(middle, ends[-1], 54, "classes")]
    longest = max((number - s for number, each in enumerate(chain.layers) for s in each.skips), default=0)
    body = "".join([*arcs, *lines, *pills, *numbers, *dots])
    return Picture(body, right + 12 + _reach(longest), ends[-1] + DOT / 2 + 2)


SMALL = 'fill="currentColor" fill-opacity="0.6" font-size="11"'


def _reach(span: int) -> float:
    """How far out an arc over so many layers goes."""
    return 14 + 15 * span if span else 0


def _arc(x: float, start: float, end: float, span: int) -> str:
    """From the side of one layer to the side of a later one, with an arrow's head."""
    out, start, end = x + 4 / 3 * _reach(span), start + 4, end - 4
    head = f'<path d="M{x + 7:.1f} {end - 4:.1f}L{x + 1:.1f} {end:.1f}L{x + 7.5:.1f} {end + 3:.1f}Z" {HEAD}/>'
    path = f"M{x:.1f} {start:.1f}C{out:.1f} {start:.1f} {out:.1f} {end:.1f} {x:.1f} {end:.1f}"
    return f'<path d="{path}" fill="none" {LINE}/>{head}'


HEAD = 'fill="currentColor" fill-opacity="0.6"'


def _down(x: float, start: float, end: float) -> str:
    return f'<path d="M{x:.1f} {start:.1f}V{end:.1f}" {LINE}/>'
