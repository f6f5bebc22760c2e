"""Pictures of a result: the one module of the Python door that needs matplotlib.

Each function returns Matplotlib's axes, which a notebook shows by itself and ``axes.figure.savefig`` writes to a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator, PercentFormatter

from katib.core.errors import SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.parameters import Integer, Parameter, Real
from katib.core.trial import Trial
from katib.engine.summary import Incumbent

_BLUE, _ORANGE, _RED, _GREY = "#3b6fb6", "#d9822b", "#c23b3b", "#8a8f98"
_MOST_LINES = 1000
_TICKS = 5


class Shown(NamedTuple):
    """What is drawn. good: trials with a value, by number. values: theirs, of the first objective. failed: numbers of
    those without. path: each improvement in order. front: trials that no other beats."""

    spec: ExperimentSpec
    good: Sequence[Trial]
    values: Sequence[float]
    failed: Sequence[int]
    path: Sequence[Incumbent]
    front: Sequence[Trial]


def history(shown: Shown) -> Axes:
    """The value of each trial, and the best so far."""
    axes = _axes()
    axes.scatter(
        [t.number for t in shown.good], shown.values, s=18, color=_BLUE, alpha=0.6, linewidths=0, label="trial"
    )
    if shown.path:
        last = max([t.number for t in shown.good], default=0)
        numbers = [each.trial.number for each in shown.path]
        values = [each.value for each in shown.path]
        axes.step([*numbers, last], [*values, values[-1]], where="post", color=_ORANGE, lw=1.8, label="best so far")
    if shown.failed:
        bottom = np.zeros(len(shown.failed)) + 0.015
        place = axes.get_xaxis_transform()
        axes.scatter(shown.failed, bottom, s=24, marker="x", color=_RED, lw=1.2, transform=place, label="no value")
    _scale(axes, "y", shown.values)
    axes.set_xlabel("trial")
    axes.set_ylabel(shown.spec.objective.metric)
    axes.legend(frameon=False)
    return axes


def front(shown: Shown) -> Axes:
    """Two objectives against each other: all trials, and those that no other beats."""
    first, second = shown.spec.objective.targets[:2]
    axes = _axes()
    for trials, color, label in ((shown.good, _GREY, "trial"), (shown.front, _ORANGE, "front")):
        pairs = [
            [shown.spec.objective.value_of(t.metric, each.observation) for t in (first, second)] for each in trials
        ]
        known = np.array([pair for pair in pairs if None not in pair], dtype=float).reshape(-1, 2)
        axes.scatter(known[:, 0], known[:, 1], s=26, color=color, alpha=0.8, linewidths=0, label=label)
    axes.set_xlabel(f"{first.metric} ({first.direction.value})")
    axes.set_ylabel(f"{second.metric} ({second.direction.value})")
    axes.legend(frameon=False)
    return axes


def slices(shown: Shown) -> list[Axes]:
    """The value of each trial over each parameter; later trials are darker."""
    parameters = [p for p in shown.spec.space if any(_takes_part(p, trial) for trial in shown.good)]
    width = max(len(parameters), 1)
    _, rows = plt.subplots(1, width, figsize=(2.9 * width + 0.6, 3.4), sharey=True, squeeze=False, layout="constrained")
    for axes, parameter in zip(rows[0], parameters, strict=False):
        pairs = [(t, v) for t, v in zip(shown.good, shown.values, strict=True) if _takes_part(parameter, t)]
        places = [_place(parameter, trial) for trial, _ in pairs]
        numbers = [trial.number for trial, _ in pairs]
        axes.scatter(
            places, [value for _, value in pairs], c=numbers, cmap="Blues", vmin=-0.4 * max([*numbers, 1]), s=18, lw=0
        )
        _parameter_axis(axes, parameter)
        _plain(axes)
    _scale(rows[0][0], "y", shown.values)
    rows[0][0].set_ylabel(shown.spec.objective.metric)
    return list(rows[0])


def parallel(shown: Shown) -> Axes:
    """A line a trial over one upright a parameter, coloured by its value; a line ends where a parameter has no part."""
    space, axes = shown.spec.space, _axes(width=1.6 * len(shown.spec.space) + 2.5)
    order = np.argsort([shown.spec.objective.loss(value) for value in shown.values])[::-1][-_MOST_LINES:]
    norm = _norm(shown)
    colors = plt.get_cmap("viridis_r" if norm.better_low else "viridis")
    for row in order:
        trial, value = shown.good[row], shown.values[row]
        heights = [p.to_unit(trial.parameters[p.name]) if _takes_part(p, trial) else math.nan for p in space]
        axes.plot(range(len(space)), heights, color=colors(norm.scale(value)), lw=1.2, alpha=0.8, marker=".", ms=4)
    for place, parameter in enumerate(space):
        axes.axvline(place, color=_GREY, lw=0.8, zorder=0)
        for u in _marks(parameter):
            value = parameter.from_unit(u)
            text = f"{value:.3g}" if isinstance(parameter, Real) else parameter.format(value)
            _note(axes, text, place, u)
    axes.set_xticks(range(len(space)), [p.name for p in space])
    axes.set_yticks([])
    axes.set_xlim(-0.2, max(len(space) - 1, 0) + 0.45)
    axes.spines["left"].set_visible(False)
    axes.figure.colorbar(ScalarMappable(norm.scale, colors), ax=axes, label=shown.spec.objective.metric, pad=0.02)
    return axes


def importance(shares: Mapping[str, float]) -> Axes:
    """A bar a parameter, the greatest on top, with its share in percent."""
    _, axes = plt.subplots(figsize=(6.4, 1.0 + 0.32 * len(shares)), layout="constrained")
    _plain(axes)
    bars = axes.barh(list(shares), list(shares.values()), color=_BLUE, height=0.65)
    axes.bar_label(bars, [f"{share:.0%}" for share in shares.values()], padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * max([*shares.values(), 0.1]))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("importance")
    return axes


class _Norm(NamedTuple):
    scale: Normalize
    better_low: bool


def _norm(shown: Shown) -> _Norm:
    """Colours from the best to the third quartile, so that a few very bad values do not flatten the rest."""
    low_is_better = shown.spec.objective.loss(1.0) > 0
    values = np.array(shown.values) if shown.values else np.zeros(1)
    worst = float(np.quantile(values, 0.75 if low_is_better else 0.25))
    best = float(values.min() if low_is_better else values.max())
    low, high = sorted((best, worst))
    return _Norm(Normalize(low, high if high > low else low + 1.0, clip=True), low_is_better)


def _axes(width: float = 6.4) -> Axes:
    _, axes = plt.subplots(figsize=(width, 3.8), layout="constrained")
    _plain(axes)
    return axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _scale(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Logarithmic where positive values spread over three magnitudes."""
    if values and min(values) > 0 and max(values) / min(values) > 1000:
        getattr(axes, f"set_{which}scale")("log")


def _takes_part(parameter: Parameter, trial: Trial) -> bool:
    """Whether the trial has a value of it that the space has still."""
    if parameter.name not in trial.parameters:
        return False
    try:
        parameter.check(trial.parameters[parameter.name])
    except SpecError:
        return False
    return True


def _place(parameter: Parameter, trial: Trial) -> float:
    """Where a trial stands on the parameter's axis: its number, or its place in the list, shaken a little so that
    points do not hide each other."""
    value = trial.parameters[parameter.name]
    if isinstance(parameter, Real | Integer):
        return float(parameter.check(value))
    return parameter.index(value) + (trial.number * 0.618034 % 1 - 0.5) * 0.3


def _parameter_axis(axes: Axes, parameter: Parameter) -> None:
    axes.set_xlabel(parameter.name)
    if isinstance(parameter, Real | Integer):
        if parameter.distribution.log:
            axes.set_xscale("log")
        elif isinstance(parameter, Integer):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return
    texts = [parameter.format(value) for value in parameter.values]
    axes.set_xticks(range(len(texts)), texts, rotation=0 if len("".join(texts)) < 24 else 45)
    axes.set_xlim(-0.5, len(texts) - 0.5)


def _note(axes: Axes, text: str, x: float, y: float) -> None:
    """Small text to the right of a place, readable over lines."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", fontsize=7.5, va="center", bbox=box)


def _marks(parameter: Parameter) -> list[float]:
    """Coordinates whose values are written beside an upright."""
    if parameter.count <= _TICKS:
        return [parameter.to_unit(parameter.value_at(i)) for i in range(int(parameter.count))]
    return [float(u) for u in np.linspace(0, 1, _TICKS)]
