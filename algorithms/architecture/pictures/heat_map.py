"""How the weights of the operations on each edge went over the epochs of a search, as SVG: a row of panels for each
node, one panel for each state before it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algorithms.architecture.pictures.svg import Picture, framed, headed, moved, short, stacked, text, text_width
from katib.core.errors import NotFoundError, PermanentError

RECORD = "alphas.jsonl"  # in the folder of a trial that searches
CELLS = (("normal", "Normal cell"), ("reduce", "Reduction cell"))
COLUMNS = 50  # of a panel at most; of more epochs some are left out
LEVELS = 16  # of darkness
ROW, PANEL, GAP = 9, 150, 20
INK = "#0a5f9e"

Weights = tuple[tuple[float, ...], ...]  # a row for each edge, a number for each operation


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """operations: labels. epochs: their numbers, ascending. cells: by name (normal, reduce) the weights, 0 to 1, of
    each epoch."""

    operations: tuple[str, ...]
    epochs: tuple[int, ...]
    cells: dict[str, tuple[Weights, ...]]


def read_record(file: Path) -> SearchRecord:
    """The record in a file of JSON lines; a last line that is not whole yet is left out, and of an epoch that was done
    twice the later one counts. Raises NotFoundError, and PermanentError for a file that is something else."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise NotFoundError(f"{file}: no record of a search there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(f"{file}: {error}") from None
    rows: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = json.loads(line)
            rows[int(row["epoch"])] = {name: _weights(row[name]) for name, _ in CELLS if row.get(name)} | {
                "operations": tuple(map(str, row["operations"]))
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PermanentError(f"{file}:{number}: expected an epoch's operations and weights: {error!r}") from None
    if not rows:
        raise NotFoundError(f"{file}: no epoch in it yet")
    return _joined(file, rows)


def draw_weights(record: SearchRecord, title: str = "") -> str:
    """The picture as SVG. The darker, the more weight; the operation with most of it at the end is named."""
    darkest = max(max(map(max, weights)) for each in record.cells.values() for weights in each)
    cells = [headed(_cell(record, record.cells[name], darkest), words) for name, words in CELLS if name in record.cells]
    whole = stacked([*cells, _legend(record, darkest)])
    return framed(headed(whole, title, big=True) if title else whole).document(title or "weights of the operations")


def _joined(file: Path, rows: dict[int, dict[str, Any]]) -> SearchRecord:
    epochs = tuple(sorted(rows))
    shapes = {(row["operations"], *(len(row.get(name, ())) for name, _ in CELLS)) for row in rows.values()}
    operations, *_ = next(iter(shapes))
    cells = {
        name: tuple(rows[epoch][name] for epoch in epochs) for name, _ in CELLS if all(name in r for r in rows.values())
    }
    widths = {len(edge) for each in cells.values() for weights in each for edge in weights}
    if len(shapes) > 1 or widths != {len(operations)}:
        raise PermanentError(f"{file}: expected in every epoch the same edges, with a weight for each operation")
    return SearchRecord(operations, epochs, cells)


def _weights(rows: Any) -> Weights:
    weights = tuple(tuple(float(each) for each in row) for row in rows)
    if not all(0 <= each <= 1 for row in weights for each in row):
        raise ValueError("a weight is not between 0 and 1")
    return weights


def _inputs(edges: int) -> int:
    """States that a cell begins with: n (n + 1) / 2 edges belong to n nodes behind one, one edge less to n - 1 nodes
    behind two."""
    root = (math.isqrt(8 * edges + 1) - 1) // 2
    return 1 if root * (root + 1) // 2 == edges else 2


def _cell(record: SearchRecord, epochs: Sequence[Weights], darkest: float) -> Picture:
    labels = [short(each) for each in record.operations]
    left = max(map(text_width, labels)) * 0.8 + 10
    edges, inputs = len(epochs[0]), _inputs(len(epochs[0]))
    height = ROW * len(labels)
    parts, edge, node, y = [], 0, 0, 0.0
    while edge < edges:
        states = min(inputs + node, edges - edge)
        parts += [text(left - 6, y + 22 + ROW * (n + 0.5), label, anchor="end", style=SMALL)
                  for n, label in enumerate(labels)]  # fmt: skip
        for state in range(states):
            panel = _panel([weights[edge + state] for weights in epochs], labels, darkest)
            words = f"{_state(state, inputs)} → {node if inputs == 2 else node + 1}"
            parts.append(moved(headed_panel(panel, words), left + state * (PANEL + GAP), y))
        edge, node, y = edge + states, node + 1, y + height + 22 + GAP
    widest = inputs + node - 1
    return Picture("".join(parts), left + widest * (PANEL + GAP) - GAP, y - GAP)


def _state(number: int, inputs: int) -> str:
    if inputs == 1:
        return str(number)
    return ("cₖ₋₂", "cₖ₋₁")[number] if number < inputs else str(number - inputs)


SMALL = 'font-size="9.5"'


def headed_panel(panel: tuple[Picture, str], words: str) -> Picture:
    """A panel below the name of its edge, with the operation that leads at the end."""
    picture, leader = panel
    heading = text(0, 8, words, anchor="start", style='font-size="11" font-weight="600"')
    heading += text(PANEL, 8, leader, anchor="end", style='font-size="11"')
    return Picture(heading + moved(picture, 0, 22), picture.width, picture.height + 22)


def _panel(weights: Sequence[Sequence[float]], labels: Sequence[str], darkest: float) -> tuple[Picture, str]:
    """weights: of one edge, by epoch and operation."""
    chosen = _columns(len(weights))
    width, levels = PANEL / len(chosen), dict[int, list[str]]()
    for column, epoch in enumerate(chosen):
        for row, weight in enumerate(weights[epoch]):
            if level := round(LEVELS * weight / darkest) if darkest else 0:
                levels.setdefault(level, []).append(
                    f"M{column * width:.1f} {row * ROW}h{width:.2f}v{ROW}h-{width:.2f}z"
                )
    height = ROW * len(labels)
    parts = [f'<path d="{"".join(boxes)}" fill="{INK}" fill-opacity="{level / LEVELS:.2f}"/>'
             for level, boxes in sorted(levels.items())]  # fmt: skip
    frame = f'<rect width="{PANEL}" height="{height}" fill="none" stroke="currentColor" stroke-opacity="0.35"/>'
    last = list(weights[-1])
    return Picture("".join([*parts, frame]), PANEL, height), labels[last.index(max(last))]


def _columns(epochs: int) -> list[int]:
    """Positions of the epochs that are shown, the first and the last among them."""
    if epochs <= COLUMNS:
        return list(range(epochs))
    return [round(column * (epochs - 1) / (COLUMNS - 1)) for column in range(COLUMNS)]


def _legend(record: SearchRecord, darkest: float) -> Picture:
    first, last = record.epochs[0], record.epochs[-1]
    steps = "".join(
        f'<rect x="{60 + 8 * level}" y="2" width="8" height="12" fill="{INK}" fill-opacity="{level / LEVELS:.2f}"/>'
        for level in range(LEVELS + 1)
    )
    words = f"{darkest:.2f}; from left to right: epochs {first} to {last}; at the right: what leads at the end"
    return Picture(text(54, 8, "weight 0", anchor="end") + steps + text(204, 8, words, anchor="start"), 660, 18)
