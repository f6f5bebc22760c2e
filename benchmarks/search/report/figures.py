"""Pictures of a report. Needs matplotlib; nothing is drawn on a screen.

Each is drawn once and comes as SVG without a background, whose text and axes take the colour of the page around, and as
PNG on white with a legend of its own.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import NullFormatter

from benchmarks.search.report.document import Figure
from benchmarks.search.report.runs import Floats
from benchmarks.search.report.separability import Friedman, cliques
from benchmarks.search.report.styles import Style

_INK = "#1b1c1e"  # text and axes; the colour of the page in SVG
_FAINT = "#8a8d91"
_SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
}
_AXIS_INCHES, _RANK_INCHES = 3.4, 0.7  # of a critical-difference picture
Styles = Mapping[str, Style]


def regret_curves(name: str, title: str, curves: Mapping[str, Floats], styles: Styles) -> Figure:
    """Regret against trials, a line for each algorithm, on a logarithmic scale."""
    with mpl.rc_context(_settings(name)):
        drawing = Drawing(figsize=(5.2, 3.4), layout="constrained")
        axes = drawing.subplots()
        _lines(axes, curves, styles)
        axes.set(xlabel="trials", ylabel="regret", yscale="log")
        axes.yaxis.set_major_formatter(_plain)
        axes.yaxis.set_minor_formatter(NullFormatter())
        return _pictures(drawing, axes, Figure(name, title, "", "", b""))


def rank_curves(name: str, title: str, curves: Mapping[str, Floats], styles: Styles) -> Figure:
    """Mean rank against trials; the best is on top."""
    with mpl.rc_context(_settings(name)):
        drawing = Drawing(figsize=(5.8, 3.8), layout="constrained")
        axes = drawing.subplots()
        _lines(axes, curves, styles)
        axes.set(xlabel="trials", ylabel="mean rank")
        axes.invert_yaxis()
        return _pictures(drawing, axes, Figure(name, title, "", "", b""))


def seconds_curves(name: str, title: str, known: Sequence[int], curves: Mapping[str, Floats], styles: Styles) -> Figure:
    """Seconds per suggestion against finished trials, both on logarithmic scales."""
    with mpl.rc_context(_settings(name)):
        drawing = Drawing(figsize=(5.8, 3.8), layout="constrained")
        axes = drawing.subplots()
        for algorithm, values in _back_to_front(curves, styles):
            style = styles[algorithm]
            axes.plot(
                known, values, label=algorithm, color=style.colour, ls=style.dash, lw=style.width, marker="o", ms=3.5
            )
        axes.set(xlabel="finished trials", ylabel="seconds per suggestion", xscale="log", yscale="log")
        axes.set_xticks(known, [f"{n:,}" for n in known])
        axes.yaxis.set_major_formatter(_plain)
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.minorticks_off()
        return _pictures(drawing, axes, Figure(name, title, "", "", b""))


def critical_differences(name: str, title: str, test: Friedman, algorithms: Sequence[str], styles: Styles) -> Figure:
    """Demšar 2006, figure 1: mean ranks on an axis, best to the left; bars join what Nemenyi's test cannot separate."""
    order = np.argsort(test.mean, kind="stable")
    bars = cliques(test.mean, test.critical)
    half = (len(order) + 1) // 2
    top = 0.55 + 0.28 * len(bars)
    with mpl.rc_context(_settings(name)):
        drawing = Drawing()
        axes = _between_labels(drawing, [algorithms[a] for a in order], half, top)
        _scale(axes, test, len(order))
        for row, (first, last) in enumerate(bars):
            ends = [test.mean[order[first]] - 0.04, test.mean[order[last]] + 0.04]
            axes.plot(ends, [0.45 + 0.28 * row] * 2, color=_INK, lw=3, solid_capstyle="round")
        for place, algorithm in enumerate(order):
            left = place < half
            rank, depth = test.mean[algorithm], top + (place if left else len(order) - 1 - place)
            _mark(axes, rank, depth, left, len(order))
            words, style = [algorithms[algorithm], f"{rank:.2f}"], styles[algorithms[algorithm]]
            axes.annotate(
                "  ".join(words if left else words[::-1]),
                (1.0 if left else len(order), depth),
                xytext=(-8 if left else 8, 0),
                textcoords="offset points",
                ha="right" if left else "left",
                va="center",
                color=style.colour,
                weight="bold" if style.ours else "normal",
            )
        return _pictures(drawing, None, Figure(name, title, "", "", b""))


def _between_labels(drawing: Drawing, names: Sequence[str], half: int, top: float) -> Axes:
    """Axes of ranks, the first ``half`` names to their left and the others to their right, with room for the longest
    in bold letters and for the rank beside it. Downward it has ``half`` labels from ``top`` on."""
    left, right = (_RANK_INCHES + max(map(_inches, side)) for side in (names[:half], names[half:]))
    width, height = left + _AXIS_INCHES + right, 0.3 * (half + top + 2.5)
    drawing.set_size_inches(width, height)
    axes = drawing.add_axes((left / width, 0, _AXIS_INCHES / width, 1))
    axes.set_axis_off()
    axes.set(xlim=(1, len(names)), ylim=(top + half - 0.4, -2.9))
    return axes


def _inches(text: str) -> float:
    """Its width in bold letters, a tenth more for a reader whose font is wider."""
    size = mpl.rcParams["font.size"]
    return 1.1 * float(TextPath((0, 0), text, size=size, prop=FontProperties(weight="bold")).get_extents().width) / 72


def _plain(value: float, _: float) -> str:
    """A power of ten as people write it."""
    return f"{value:g}"


def _scale(axes: Axes, test: Friedman, count: int) -> None:
    """The axis of ranks, and the critical difference above it."""
    axes.plot([1, count], [0, 0], color=_INK, lw=1)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [0, -0.18], color=_INK, lw=1)
        axes.annotate(str(rank), (rank, -0.3), ha="center", va="bottom")
    end = min(1 + test.critical, count)
    axes.plot([1, end], [-1.35, -1.35], color=_INK, lw=1.6)
    axes.annotate(f"critical difference {test.critical:.2f}", (1, -1.5), ha="left", va="bottom")


def _mark(axes: Axes, rank: float, depth: float, left: bool, count: int) -> None:
    """The line from a mean rank down and to its label's side."""
    axes.plot([rank, rank, 1 if left else count], [0, depth, depth], color=_FAINT, lw=0.9)


def _lines(axes: Axes, curves: Mapping[str, Floats], styles: Styles) -> None:
    for algorithm, values in _back_to_front(curves, styles):
        style = styles[algorithm]
        trials = np.arange(1, len(values) + 1)
        axes.plot(trials, values, label=algorithm, color=style.colour, ls=style.dash, lw=style.width)
    axes.margins(x=0.01)


def _back_to_front(curves: Mapping[str, Floats], styles: Styles) -> list[tuple[str, Floats]]:
    """Thin lines first, so ours lie above."""
    return sorted(curves.items(), key=lambda item: (styles[item[0]].width, item[0]))


def _settings(name: str) -> dict[Any, Any]:
    """With ids that depend on the figure's name alone: the same logs give the same file."""
    return {**_SETTINGS, "svg.hashsalt": name}


def _pictures(drawing: Drawing, axes: Axes | None, figure: Figure) -> Figure:
    """The figure with its pictures."""
    FigureCanvasAgg(drawing)
    vector = io.StringIO()
    drawing.savefig(vector, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    if axes is not None:
        axes.set_title(figure.title, fontsize=10, loc="left")
        drawing.set_size_inches(drawing.get_figwidth() + 2.2, drawing.get_figheight())
        drawing.legend(loc="outside right upper", frameon=False, fontsize=8)
    raster = io.BytesIO()
    drawing.savefig(raster, format="png", dpi=120, facecolor="white", metadata={"Software": None})
    svg = _inline(vector.getvalue(), figure.name, figure.title)
    return Figure(figure.name, figure.title, figure.about, svg, raster.getvalue())


def _inline(svg: str, name: str, title: str) -> str:
    """As part of a page: no prologue, ids of its own, ink in the page's colour, a name for who cannot see it."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = body.replace(_INK, "currentColor").replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    return body.replace("<svg ", f'<svg role="img" aria-label="{html.escape(title)}" ', 1)
