"""How each algorithm is drawn: the same in every picture, ours in warm colours and thick, plain baselines in grey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from algorithms import ALGORITHMS
from benchmarks.search.report.runs import Run

FLAGSHIPS = ("bayesianoptimization", "auto")  # first among ours, so they keep their colours
BASELINES = ("random", "sobol", "grid")
PACKAGE = "katib-engine"  # in the versions of what is ours

Dash = str | tuple[int, tuple[float, ...]]  # as matplotlib takes it

# Middle tones: they stand out from white and from black.
_WARM = ("#e8590c", "#d6336c", "#c99700", "#b5651d", "#f06595", "#c92a2a")
_COLD = ("#1c7ed6", "#0ca678", "#7950f2", "#66a80f", "#1098ad", "#5c7cfa", "#2f9e44", "#ae3ec9", "#3b8ea5", "#9775fa")
_GREY = ("#868e96", "#a39e93", "#7d8597")
_DASHES: tuple[Dash, ...] = ("solid", (0, (5, 1.2)), (0, (2, 1)), (0, (5, 1, 1, 1)))


@dataclass(frozen=True, slots=True)
class Style:
    """Of one algorithm. ours: it is one of this project's, and no plain baseline."""

    colour: str
    dash: Dash
    width: float
    ours: bool

    @property
    def dasharray(self) -> str:
        """As SVG says it; empty of a solid line."""
        return "" if isinstance(self.dash, str) else " ".join(f"{2 * length:g}" for length in self.dash[1])


def is_ours(algorithm: str, runs: Iterable[Run]) -> bool:
    """Whether it is one of this project's: its name without settings says so, or the versions of any of its runs."""
    return _base(algorithm) in ALGORITHMS or any(PACKAGE in run.versions for run in runs if run.algorithm == algorithm)


def styles_of(ours: Mapping[str, bool]) -> dict[str, Style]:
    """A style for each algorithm; ``ours``: whether it is."""
    plain = sorted(n for n in ours if ours[n] and _base(n) in BASELINES)
    own = sorted((n for n in ours if ours[n] and n not in plain), key=lambda n: (_flagship(n), n))
    rivals = sorted(n for n in ours if not ours[n])
    return {
        **{name: _style(_WARM, i, 2.4, ours=True) for i, name in enumerate(own)},
        **{name: _style(_COLD, i, 1.4, ours=False) for i, name in enumerate(rivals)},
        **{name: _style(_GREY, i, 1.2, ours=False) for i, name in enumerate(plain)},
    }


def _flagship(name: str) -> int:
    return FLAGSHIPS.index(_base(name)) if _base(name) in FLAGSHIPS else len(FLAGSHIPS)


def _base(name: str) -> str:
    """The name without settings."""
    return name.partition(":")[0]


def _style(colours: tuple[str, ...], place: int, width: float, *, ours: bool) -> Style:
    return Style(colours[place % len(colours)], _DASHES[place % len(_DASHES)], width, ours)
