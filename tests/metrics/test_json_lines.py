"""Times and steps of the JSON format; what counts as a report is in the corpus."""

from __future__ import annotations

import pytest

from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics.json_lines import json_collector

ARRIVAL = 100.0


def collect(line: str, metrics: tuple[str, ...] = ("loss",)):
    return json_collector(metrics)(Chunk("stdout", Cursor(), line.encode(), ARRIVAL, final=True)).measurements


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        pytest.param('"2024-05-01T12:00:00Z"', 1714564800.0, id="rfc 3339"),
        pytest.param('"2024-05-01T12:00:00.25+02:00"', 1714557600.25, id="fraction and offset"),
        pytest.param("1714564800", 1714564800.0, id="whole seconds"),
        pytest.param("1714564800.28721", 1714564800.28721, id="fraction of a second"),
        pytest.param('"1714564800.5"', 1714564800.5, id="seconds as text"),
        pytest.param('"yesterday"', ARRIVAL, id="no time"),
        pytest.param("NaN", ARRIVAL, id="nan"),
        pytest.param("null", ARRIVAL, id="null"),
        pytest.param("[1]", ARRIVAL, id="list"),
    ],
)
def test_time(stamp: str, time: float) -> None:
    (measurement,) = collect(f'{{"timestamp": {stamp}, "loss": 0.5}}')
    assert measurement.time == pytest.approx(time, abs=1e-6)


def test_other_keys_are_seen() -> None:
    line = b'{"timestamp": 1, "epoch": 2, "step": 3, "loss": 1, "acc": 1, "lr": null, "a\x1bb": {}}\n'
    collected = json_collector(["loss"])(Chunk("stdout", Cursor(), line + line, ARRIVAL))
    assert collected.seen == ("acc", "lr", "a")


@pytest.mark.parametrize(
    ("keys", "metrics", "step"),
    [
        pytest.param('"epoch": 3', ("loss",), 3, id="epoch"),
        pytest.param('"step": "30"', ("loss",), 30, id="step as text"),
        pytest.param('"epoch": 3, "step": 30', ("loss",), 30, id="step before epoch"),
        pytest.param('"epoch": 3, "step": 0.5', ("loss",), 3, id="step is no whole number"),
        pytest.param('"epoch": 3, "step": 30', ("loss", "step"), 3, id="step is a metric"),
        pytest.param('"epoch": 3.0', ("loss",), None, id="fraction"),
        pytest.param('"epoch": -1', ("loss",), None, id="negative"),
        pytest.param('"epoch": true', ("loss",), None, id="true"),
        pytest.param('"lr": 1', ("loss",), None, id="none"),
    ],
)
def test_step(keys: str, metrics: tuple[str, ...], step: int | None) -> None:
    found = [m for m in collect(f'{{{keys}, "loss": 0.5}}', metrics) if m.metric == "loss"]
    assert [m.step for m in found] == [step]
