"""PrometheusMetric: what a trial's ``/metrics`` said, scraped by its runner while it ran.

The runner hands over lines of JSON: ``{"time": ..., "new": [...], "same": [...]}`` are samples in Prometheus' text
format (0.0.4), all that the endpoint has of each name that changed since the scrape before; those in ``new`` changed
themselves. So a report is a change of value. ``{"names": [...]}`` tells what else there is; other lines are skipped.

A metric is named as in a query: ``loss`` takes a sample of that name (or of ``loss_total``, as client libraries call
counters) if there is exactly one; ``loss{split="val"}`` takes the one that has this label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from katib.core.collector import CollectorSpec
from katib.core.errors import SpecError
from katib.core.objective import Measurement, Objective
from katib.core.ports import Chunk, Collected, Collector
from katib.metrics.lines import clean, frame
from katib.metrics.values import measure


class _Sample(NamedTuple):
    """time: the endpoint's own, None where it gave none."""

    name: str
    labels: Mapping[str, str]
    text: str
    time: float | None

    @property
    def title(self) -> str:
        """Its name in a query."""
        labels = ",".join(f'{name}="{value}"' for name, value in sorted(self.labels.items()))
        return f"{self.name}{{{labels}}}" if labels else self.name


def prometheus_collector(spec: CollectorSpec, objective: Objective) -> Collector:
    """A collector of the objective's metrics. Raises SpecError on a metric that Prometheus cannot name."""
    wanted = {metric: _selector(metric) for metric in dict.fromkeys(objective.metrics)}

    def collect(chunk: Chunk) -> Collected:
        lines, end = frame(chunk)
        found: list[Measurement] = []
        seen: dict[str, None] = {}
        for line in lines:
            scrape = _parse(line)
            seen.update(dict.fromkeys(clean(name) for name in _texts(scrape, "names")))
            new, same = (list(_samples(_texts(scrape, key))) for key in ("new", "same"))
            used = set()
            for metric, selector in wanted.items():
                sample = _the_one(selector, new, same)
                if sample is not None:
                    time = _time(scrape, chunk.time) if sample.time is None else sample.time
                    found.append(measure(metric, sample.text, time, None))
                    used.add(sample.title)
            seen.update(dict.fromkeys(clean(sample.title) for sample in new if sample.title not in used))
        return Collected(tuple(found), end, tuple(seen))

    return collect


def _selector(metric: str) -> _Sample:
    samples = list(_samples([f"{metric} 0"]))
    if len(samples) != 1 or samples[0].time is not None:
        expected = 'expected a Prometheus metric such as val_loss or loss{split="val"}'
        raise SpecError(f"the collector PrometheusMetric cannot look for {metric!r}: {expected}")
    return samples[0]


def _the_one(selector: _Sample, new: Sequence[_Sample], same: Sequence[_Sample]) -> _Sample | None:
    """The new sample that ``selector`` names, if it names no other one, new or not."""
    for name in (selector.name, f"{selector.name}_total"):
        matching = [
            sample
            for sample in (*new, *same)
            if sample.name == name and selector.labels.items() <= sample.labels.items()
        ]
        if matching:
            return matching[0] if len(matching) == 1 and matching[0] in new else None
    return None


def _samples(lines: Sequence[str]) -> Iterator[_Sample]:
    """The samples that lines of the text format hold; one that cannot be read costs itself alone."""
    for line in lines:
        try:
            for family in text_string_to_metric_families(f"{line}\n"):
                for sample in family.samples:
                    text = line[line.rfind("}") + 1 :] if "}" in line else line.partition(sample.name)[2]
                    stamp = None if sample.timestamp is None else float(sample.timestamp)
                    yield _Sample(sample.name, sample.labels, text.split()[0], stamp)
        except (ValueError, IndexError, KeyError):
            continue


def _parse(line: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _texts(scrape: Mapping[str, Any], key: str) -> list[str]:
    texts = scrape.get(key)
    return [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []


def _time(scrape: Mapping[str, Any], arrival: float) -> float:
    time = scrape.get("time")
    return float(time) if isinstance(time, int | float) and not isinstance(time, bool) else arrival
