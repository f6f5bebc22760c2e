"""A result as HTML, for notebooks: one element that needs nothing from elsewhere, and takes the page's own colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from algorithms.architecture.pictures import Titled, draw_beside
from katib.architectures import Found
from katib.core.experiment import Experiment, ExperimentSpec
from katib.core.trial import Trial
from katib.engine.summary import Incumbent
from katib.sdk.table import seconds

ROWS = 10
_WIDTH, _HEIGHT = 320, 64
_MOST_POINTS = 1000


def page(
    experiment: Experiment,
    ranked: Sequence[Trial],
    total: int,
    path: Sequence[Incumbent],
    found: Sequence[Found] = (),
) -> str:
    """ranked: the trials to show, the best first. total: how many there are. path: each improvement in order. found:
    the best architectures, which are drawn beside each other."""
    spec, verdict = experiment.spec, experiment.status.verdict
    shown = ranked[:ROWS]
    objective = spec.objective
    kind = "Front" if objective.others else "Best trials"
    best = f"best {objective.metric} {path[-1].value:.6g}" if path else "no trial has a value"
    facts = f"{total} trials · {best} · {verdict.value if verdict else 'interrupted'}"
    caption = f"{kind}: {len(shown)} of {len(ranked)}" if len(ranked) > len(shown) else kind
    return (
        f'<div class="katib-result"><p><strong>{escape(experiment.key.name)}</strong><br>{escape(facts)}</p>'
        f"{_curve(path, total)}{_drawing(found)}{_table(spec, shown, caption) if shown else ''}</div>"
    )


def _drawing(found: Sequence[Found]) -> str:
    return draw_beside([Titled(each.title, each.architecture) for each in found]) if found else ""


def _table(spec: ExperimentSpec, trials: Sequence[Trial], caption: str) -> str:
    metrics = [target.metric for target in spec.objective.targets]
    parameters = list(dict.fromkeys(name for trial in trials for name in trial.parameters))
    head = _row("th", ["trial", *metrics, *parameters, "seconds"])
    body = "".join(_row("td", _cells(spec, trial, metrics, parameters)) for trial in trials)
    return f"<table><caption>{escape(caption)}</caption><thead>{head}</thead><tbody>{body}</tbody></table>"


def _cells(spec: ExperimentSpec, trial: Trial, metrics: Iterable[str], parameters: Iterable[str]) -> list[Any]:
    values = [spec.objective.value_of(metric, trial.observation) for metric in metrics]
    chosen = [trial.parameters.get(name, "") for name in parameters]
    took = seconds(trial)
    return [trial.number, *values, *chosen, "" if took is None else f"{took:.1f}"]


def _row(tag: str, cells: Iterable[Any]) -> str:
    texts = (f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in cells)
    return f"<tr>{''.join(f'<{tag}>{escape(text)}</{tag}>' for text in texts)}</tr>"


def _curve(path: Sequence[Incumbent], total: int) -> str:
    """The best value so far over the finished trials, as a line of steps."""
    values = [each.value for each in path[-_MOST_POINTS:]]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    places = [(each.completed / max(total, 1) * _WIDTH) for each in path[-_MOST_POINTS:]]
    heights = [4 + (high - value) / span * (_HEIGHT - 8) for value in values]
    steps = [f"M{places[0]:.1f} {heights[0]:.1f}"]
    steps += [f"H{x:.1f}V{y:.1f}" for x, y in zip(places[1:], heights[1:], strict=True)]
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="best value so far"><path d="{"".join(steps)}H{_WIDTH}" fill="none" '
        f'stroke="currentColor" stroke-width="1.5"/></svg>'
    )
