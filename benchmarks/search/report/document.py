"""What a report consists of, whatever it is written as."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Cell:
    """note: a second line in small letters. best: shown in bold. algorithm: whose name it is, for its colour."""

    text: str
    note: str = ""
    best: bool = False
    algorithm: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """about: one plain sentence or two, shown above. The first column holds words, the others numbers. folded: shown
    only when a reader opens it. words: columns beside the first that hold words."""

    title: str
    about: str
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False
    words: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture. name: of its file, without an ending. svg: with colours that follow the page; png: for elsewhere."""

    name: str
    title: str
    about: str
    svg: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures side by side."""

    about: str
    figures: tuple[Figure, ...]
    title: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """What it is about, if that has to be said, and sentences on it."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """A list."""

    items: tuple[Item, ...]


Block = Table | Gallery | Points


@dataclass(frozen=True, slots=True)
class Section:
    """A part with a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the legend. dash: as ``stroke-dasharray``, empty of a solid line."""

    name: str
    colour: str
    dash: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. lead: what was measured, in a sentence or two."""

    title: str
    lead: str
    legend: tuple[Entry, ...]
    sections: tuple[Section, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All of them, in order."""
        galleries = [block for section in self.sections for block in section.blocks if isinstance(block, Gallery)]
        return tuple(figure for gallery in galleries for figure in gallery.figures)


def with_best(cells: Sequence[Cell], values: Sequence[float]) -> tuple[Cell, ...]:
    """The cells, those with the smallest value marked; NaN is none, and nothing is best where all are alike."""
    there = [value for value in values if not math.isnan(value)]
    if not there or min(there) == max(there):
        return tuple(cells)
    least = min(there)
    return tuple(replace(cell, best=value == least) for cell, value in zip(cells, values, strict=True))


def columns_with_best(columns: Sequence[tuple[Sequence[Cell], Sequence[float]]]) -> tuple[tuple[Cell, ...], ...]:
    """Columns of (cells, values) -> rows, in each column the smallest value marked."""
    return tuple(zip(*(with_best(cells, values) for cells, values in columns), strict=True))


def name_cell(algorithm: str) -> Cell:
    """The name of an algorithm."""
    return Cell(algorithm, algorithm=algorithm)


def slug(title: str) -> str:
    """As a name of a file or an anchor: letters and digits, in words joined by hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def heads(*texts: str) -> tuple[Cell, ...]:
    """Headings without notes."""
    return tuple(Cell(text) for text in texts)
