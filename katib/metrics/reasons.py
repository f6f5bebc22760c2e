"""Says in one sentence why a trial that ended has no value of its objective, where it was looked for, what was there
instead, and what would have been read as one."""

from __future__ import annotations

from collections.abc import Sequence

from katib.core.collector import CollectorSpec
from katib.core.objective import MetricSummary, Objective, Observation

_SHOWN = 80


def unavailable_reason(
    objective: Objective,
    observation: Observation,
    collector: CollectorSpec = CollectorSpec(),
    *,
    seen: Sequence[str] = (),
    looked: str = "",
) -> str:
    """Why the objective metric has no value, given all that the trial reported; empty if it has one.

    seen: names that were reported and not asked for. looked: what the runner says of the place that it read.
    """
    metric = objective.metric
    summary = observation.get(metric)
    if summary is None or summary.count == 0:
        others = ", ".join((*sorted(name for name, metric in observation.items() if metric.count), *seen))
        reported = f" (it did report {others})" if others else ""
        sentences = (f"the trial ended without a report of {metric!r}{reported}", looked, _expected(metric, collector))
        return "; ".join(filter(None, sentences))
    if objective.value(observation) is not None:
        return ""
    last = _last_report(metric, summary)
    if summary.minimum is None:
        return f"{last}, and none of its {summary.count} reports was a finite number" if summary.count > 1 else last
    return f"{last}; the strategy {objective.strategy(metric).value!r} takes no earlier one"


def _last_report(metric: str, summary: MetricSummary) -> str:
    text = summary.latest_text
    if not text:
        return f"the last report of {metric!r} was empty"
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"the last report of {metric!r} was {shown!r}, no finite number"


def _expected(metric: str, collector: CollectorSpec) -> str:
    if collector.kind == "TensorFlowEvent":
        return f"expected a scalar with the tag {metric!r} in an event file below {collector.path}"
    if collector.kind == "PrometheusMetric":
        return f"expected one sample {metric}; where a name has several, give its labels: {_labelled(metric)}"
    if collector.kind == "Push":
        return f'expected a call of katib.report_metrics({{"{metric}": 0.123}})'
    place = f" in {collector.path}" if collector.kind == "File" and collector.path else ""
    place = " from the collector's command" if collector.kind == "Custom" else place
    if collector.format == "JSON":
        return f'expected a line like {{"{metric}": 0.123}}{place}'
    if collector.filters:
        return f"expected a line{place} in which a metricsFormat filter finds it: {', '.join(collector.filters)}"
    return (
        f"expected a line like {metric}=0.123{place}; "
        f"other forms, such as '{metric}: 0.123', need a metricsFormat filter"
    )


def _labelled(metric: str) -> str:
    return metric if "{" in metric else f'{metric}{{label="value"}}'
