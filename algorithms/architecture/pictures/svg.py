"""Elements of SVG, and how operations look in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from algorithms.architecture.operations import Operation

FONT = "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\""
CHARACTER = 6.3  # mean width of a character at the size of labels
SIZE = 12  # of labels

# Okabe & Ito's colours, which people who see few colours tell apart, somewhat darkened for white text.
_COLOURS = (
    (re.compile("none"), "#9a9a9a"),
    (re.compile("skip"), "#5f6b7a"),
    (re.compile("pool|reduction"), "#b85c00"),
    (re.compile("dil"), "#8a4f8f"),
    (re.compile("sep|depthwise"), "#00785a"),
    (re.compile("conv"), "#0a5f9e"),
)
_OTHER = "#7a6a00"
_SHORT = (
    ("nor_conv", "conv"),
    ("skip_connection", "skip"),
    ("skip_connect", "skip"),
    ("separable_convolution", "sep conv"),
    ("dilated_convolution", "dil conv"),
    ("depthwise_convolution", "dw conv"),
    ("convolution", "conv"),
    ("max_pooling", "max pool"),
    ("avg_pooling", "avg pool"),
    ("avg_pool", "avg pool"),
)
_SIDES = re.compile(r"[_ ](\d+)x(\d+)$")


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, in a frame of its own. width, height: in pixels."""

    body: str
    width: float
    height: float

    def document(self, title: str) -> str:
        """A file of its own, or an element of a page. title: for those who cannot see it."""
        size = f'width="{self.width:.0f}" height="{self.height:.0f}" viewBox="0 0 {self.width:.0f} {self.height:.0f}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {FONT} font-size="{SIZE}">'
            f"<title>{escape(title)}</title>{self.body}</svg>\n"
        )


def colour(operation: str) -> str:
    """The colour of an operation, by its kind."""
    return next((value for pattern, value in _COLOURS if pattern.search(operation)), _OTHER)


def short(label: str) -> str:
    """``sep conv 3×3`` for ``separable_convolution_3x3``."""
    for long, name in _SHORT:
        if label.startswith(long):
            label = name + label[len(long) :]
            break
    return _SIDES.sub(r" \1×\2", label).replace("_", " ")


def described(operation: Operation) -> str:
    """An operation with all its parameters: ``conv 3×3 · 32 filters · stride 2``."""
    given = dict(operation.parameters)
    size, kind = given.pop("filter_size", None), given.pop("reduction_type", None)
    parts = [short(str(kind or operation.type)) + (f" {size}×{size}" if size is not None else "")]
    if (pool := given.pop("pool_size", None)) is not None:
        parts[0] += f" {pool}×{pool}"
        parts.append("reduction")
    if (filters := given.pop("num_filter", None)) is not None:
        parts.append(f"{filters} filters")
    parts += [f"{name.replace('_', ' ')} {value}" for name, value in given.items() if (name, value) != ("stride", 1)]
    return " · ".join(parts)


def text_width(text: str) -> float:
    """About how wide a label is, in pixels."""
    return CHARACTER * len(text)


def text(x: float, y: float, words: str, *, anchor: str = "middle", style: str = "") -> str:
    """A text whose middle is at the height ``y``."""
    more = f" {style}" if style else ""
    colour = "" if "fill=" in style else ' fill="currentColor"'
    return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}"{colour}{more}>{escape(words)}</text>'


def indexed(x: float, y: float, words: str, index: str) -> str:
    """A text with an index, its middle at (x, y)."""
    low = 5.2 * len(index)
    left = x - (text_width(words) + low) / 2
    style = 'font-size="9" fill="currentColor"'
    return text(left, y, words, anchor="start") + text(
        left + text_width(words), y + 3, index, anchor="start", style=style
    )


def pill(x: float, y: float, width: float, words: str, fill: str, *, marked: bool = False) -> str:
    """A rounded box with white words, its middle at (x, y). marked: with a ring around it."""
    height = 22
    box = f'x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height}" rx="6"'
    ring = ""
    if marked:
        ring = (
            f'<rect x="{x - width / 2 - 3:.1f}" y="{y - height / 2 - 3:.1f}" width="{width + 6:.1f}" '
            f'height="{height + 6}" rx="9" fill="none" stroke="{fill}" stroke-width="1.5"/>'
        )
    return f'<rect {box} fill="{fill}"/>{ring}{text(x, y, words, style=WHITE)}'


WHITE = 'fill="#fff" font-weight="500"'


def curve(points: Sequence[tuple[float, float]], style: str) -> str:
    """A smooth line through points from left to right, level at each of them."""
    (x, y), *others = points
    path = f"M{x:.1f} {y:.1f}"
    for next_x, next_y in others:
        middle = (x + next_x) / 2
        path += f"C{middle:.1f} {y:.1f} {middle:.1f} {next_y:.1f} {next_x:.1f} {next_y:.1f}"
        x, y = next_x, next_y
    return f'<path d="{path}" fill="none" {style}/>'


def moved(picture: Picture, x: float, y: float) -> str:
    """The picture at another place."""
    return f'<g transform="translate({x:.1f} {y:.1f})">{picture.body}</g>'


def stacked(pictures: Iterable[Picture], gap: float = 24) -> Picture:
    """One below the other."""
    parts, width, y = [], 0.0, 0.0
    for picture in pictures:
        parts.append(moved(picture, 0, y))
        width, y = max(width, picture.width), y + picture.height + gap
    return Picture("".join(parts), width, max(y - gap, 0))


def in_a_row(pictures: Iterable[Picture], gap: float = 48) -> Picture:
    """One beside the other."""
    parts, height, x = [], 0.0, 0.0
    for picture in pictures:
        parts.append(moved(picture, x, 0))
        height, x = max(height, picture.height), x + picture.width + gap
    return Picture("".join(parts), max(x - gap, 0), height)


def headed(picture: Picture, words: str, *, big: bool = False) -> Picture:
    """With a heading."""
    size = 15 if big else 13
    style = f'font-size="{size}" font-weight="600"'
    width = max(picture.width, text_width(words) * size / SIZE * 1.05)
    return Picture(text(0, 10, words, anchor="start", style=style) + moved(picture, 0, 28), width, picture.height + 28)


def framed(picture: Picture, margin: float = 16) -> Picture:
    """With room around it."""
    return Picture(moved(picture, margin, margin), picture.width + 2 * margin, picture.height + 2 * margin)
