"""Why an objective metric has no value: one sentence with what was reported and what would have been read."""

from __future__ import annotations

import pytest

from katib.core.collector import CollectorSpec
from katib.core.objective import Measurement, Objective, Strategy, observe
from katib.metrics import unavailable_reason

LOSS = Objective("loss")
LATEST = Objective("loss", strategies={"loss": Strategy.LATEST})


def reported(*texts: str, metric: str = "loss"):
    numbers = {"0.5": 0.5}
    return observe({}, [Measurement(metric, numbers.get(text), text, float(i)) for i, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("objective", "observation", "reason"),
    [
        pytest.param(
            LOSS,
            {},
            "the trial ended without a report of 'loss'; expected a line like loss=0.123; "
            "other forms, such as 'loss: 0.123', need a metricsFormat filter",
            id="silence",
        ),
        pytest.param(LOSS, reported("nan"), "the last report of 'loss' was 'nan', no finite number", id="nan"),
        pytest.param(LOSS, reported(""), "the last report of 'loss' was empty", id="empty"),
        pytest.param(
            LOSS,
            reported("nan", "inf"),
            "the last report of 'loss' was 'inf', no finite number, and none of its 2 reports was a finite number",
            id="several",
        ),
        pytest.param(
            LATEST,
            reported("0.5", "nan"),
            "the last report of 'loss' was 'nan', no finite number; the strategy 'latest' takes no earlier one",
            id="latest",
        ),
        pytest.param(LOSS, reported("0.5", "nan"), "", id="an earlier one counts"),
        pytest.param(LATEST, reported("nan", "0.5"), "", id="the latest counts"),
    ],
)
def test_reason(objective: Objective, observation, reason: str) -> None:
    assert unavailable_reason(objective, observation) == reason


def test_other_metrics_are_named() -> None:
    assert "(it did report acc, f1)" in unavailable_reason(
        LOSS, reported("0.5", metric="f1") | reported("x", metric="acc")
    )


def test_what_was_seen_and_where_is_told() -> None:
    reason = unavailable_reason(LOSS, reported("1", metric="acc"), seen=("val/acc", "lr"), looked="the moon was full")
    assert "(it did report acc, val/acc, lr); the moon was full; expected a line" in reason


def test_long_texts_are_cut() -> None:
    assert len(unavailable_reason(LOSS, reported("x" * 4000))) < 200


@pytest.mark.parametrize(
    ("collector", "expected"),
    [
        pytest.param(CollectorSpec(format="JSON"), '{"loss": 0.123}', id="json"),
        pytest.param(CollectorSpec(filters=(r"(\w+): (\d+)",)), r"(\w+): (\d+)", id="filters"),
        pytest.param(CollectorSpec(kind="File", path="/tmp/m.log"), "loss=0.123 in /tmp/m.log", id="file"),
        pytest.param(CollectorSpec("Custom"), "loss=0.123 from the collector's command", id="custom"),
        pytest.param(CollectorSpec("Push"), 'expected a call of katib.report_metrics({"loss": 0.123})', id="push"),
        pytest.param(CollectorSpec("TensorFlowEvent", "/tf"), "tag 'loss' in an event file below /tf", id="events"),
        pytest.param(CollectorSpec("PrometheusMetric"), 'give its labels: loss{label="value"}', id="prometheus"),
    ],
)
def test_what_was_expected(collector: CollectorSpec, expected: str) -> None:
    assert expected in unavailable_reason(LOSS, {}, collector)
