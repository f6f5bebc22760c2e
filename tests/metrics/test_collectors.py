"""The table of collectors: kinds, formats and what is refused."""

from __future__ import annotations

import pytest

from katib.core.errors import SpecError, UnknownNameError
from katib.core.experiment import CollectorSpec
from katib.core.objective import Objective
from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics import create_collector

OBJECTIVE = Objective("loss", additional=("accuracy", "loss"))


@pytest.mark.parametrize("kind", ["StdOut", "File"])
@pytest.mark.parametrize(("format", "line"), [("TEXT", b"loss=0.5\n"), ("JSON", b'{"loss": 0.5}\n')])
def test_kinds_and_formats(kind: str, format: str, line: bytes) -> None:
    collector = create_collector(CollectorSpec(kind=kind, format=format), OBJECTIVE)
    (measurement,) = collector(Chunk("source", Cursor(), line, 7.0)).measurements
    assert (measurement.metric, measurement.value, measurement.time) == ("loss", 0.5, 7.0)


@pytest.mark.parametrize("kind", ["TensorFlowEvent", "PrometheusMetric", "Custom", "Push", "stdout", ""])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(SpecError, match=r"File, StdOut"):
        create_collector(CollectorSpec(kind=kind), OBJECTIVE)


def test_other_formats_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'JSON'"):
        create_collector(CollectorSpec(format="JSONL"), OBJECTIVE)


def test_filters_with_json_are_refused() -> None:
    with pytest.raises(SpecError, match="TEXT"):
        create_collector(CollectorSpec(format="JSON", filters=(r"(\w+)=(\d+)",)), OBJECTIVE)


def test_bad_filters_are_refused_at_creation() -> None:
    with pytest.raises(SpecError, match="metricsFormat"):
        create_collector(CollectorSpec(filters=("(",)), OBJECTIVE)
