"""Every line of the corpus: the reports found in it, and a value or a reason at the end of a trial that printed it."""

from __future__ import annotations

import math

import pytest

from katib.core.collector import CollectorSpec
from katib.core.objective import Objective, observe
from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics import create_collector, unavailable_reason
from tests.metrics.corpus import CASES, METRICS, Case, Report

OBJECTIVE = Objective(METRICS[0], additional=METRICS[1:])
EVERY_CASE = pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.kind}-{index}") for index, case in enumerate(CASES)]
)


def collect(case: Case):
    collector = create_collector(CollectorSpec(format=case.format), OBJECTIVE)
    return collector(Chunk("stdout", Cursor(), case.data, time=100.0, final=True))


@EVERY_CASE
def test_reports_are_found(case: Case) -> None:
    found = [Report(m.value, m.text, m.metric) for m in collect(case).measurements]
    assert found == list(case.reports)
    assert [math.copysign(1, r.value) for r in found if r.value == 0] == [
        math.copysign(1, r.value) for r in case.reports if r.value == 0
    ]


@EVERY_CASE
def test_all_bytes_are_used(case: Case) -> None:
    assert collect(case).end.offset == len(case.data)


@EVERY_CASE
def test_a_trial_has_a_value_or_a_reason(case: Case) -> None:
    observation = observe({}, collect(case).measurements)
    value, reason = OBJECTIVE.value(observation), unavailable_reason(OBJECTIVE, observation)
    assert (value is None) == bool(reason)
    assert value is None or math.isfinite(value)
    assert not reason or "'loss'" in reason


def test_corpus_is_as_large_as_promised() -> None:
    assert len(CASES) >= 200
    assert len({case.kind for case in CASES}) >= 25
