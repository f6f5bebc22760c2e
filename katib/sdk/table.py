"""The trials of a result as columns: what a frame and a page show of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from katib.core.experiment import ExperimentSpec
from katib.core.trial import Trial

FIXED = ("number", "name", "state")
TIMES = ("started", "seconds", "reason")


def columns(spec: ExperimentSpec, trials: Sequence[Trial]) -> dict[str, list[Any]]:
    """Number, name and state, the metrics, the parameters, and when it began, how long it took and what went wrong; a
    list with an item a trial each, None where a trial has none.

    A metric or a parameter whose name is taken is called ``metric.NAME`` or ``parameter.NAME``.
    """
    metrics = dict.fromkeys([*spec.objective.metrics, *(name for t in trials for name in t.observation)])
    parameters = dict.fromkeys([*(p.name for p in spec.space), *(name for t in trials for name in t.parameters)])
    table: dict[str, list[Any]] = {
        "number": [t.number for t in trials],
        "name": [t.name for t in trials],
        "state": [t.state.value for t in trials],
    }
    taken = {*FIXED, *TIMES}
    for kind, names, values in (
        ("metric", metrics, [_metrics(spec, trial, metrics) for trial in trials]),
        ("parameter", parameters, [trial.parameters for trial in trials]),
    ):
        for name in names:
            table[_free(f"{kind}.{name}" if name in taken else name, taken)] = [each.get(name) for each in values]
    table["started"] = [t.started for t in trials]
    table["seconds"] = [seconds(t) for t in trials]
    table["reason"] = [t.reason for t in trials]
    return table


def seconds(trial: Trial) -> float | None:
    """How long its last attempt took, None as long as it has not ended."""
    return None if trial.started is None or trial.finished is None else trial.finished - trial.started


def _metrics(spec: ExperimentSpec, trial: Trial, names: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: spec.objective.value_of(name, trial.observation) for name in names}


def _free(name: str, taken: set[str]) -> str:
    """``name``, which is taken then; with an underscore more where it was before."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
