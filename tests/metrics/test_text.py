"""Times, steps and filters of the TEXT format; what the default rule finds is in the corpus."""

from __future__ import annotations

import pytest

from katib.core.objective import Measurement
from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics.text import text_collector

NOON = 1714564800.0  # 2024-05-01T12:00:00Z
ARRIVAL = 100.0


def collect(line: str, metrics: tuple[str, ...] = ("loss",), filters: tuple[str, ...] = ()) -> tuple[Measurement, ...]:
    return text_collector(metrics, filters)(Chunk("stdout", Cursor(), line.encode(), ARRIVAL, final=True)).measurements


@pytest.mark.parametrize(
    ("line", "time"),
    [
        pytest.param("2024-05-01T12:00:00Z loss=1", NOON, id="utc"),
        pytest.param("2024-05-01t12:00:00z loss=1", NOON, id="small letters"),
        pytest.param("2024-05-01T14:00:00+02:00 loss=1", NOON, id="offset east"),
        pytest.param("2024-05-01T06:30:00-05:30 loss=1", NOON, id="offset west"),
        pytest.param("2024-05-01T12:00:00.5Z loss=1", NOON + 0.5, id="tenths"),
        pytest.param("2024-05-01T12:00:00.123456789Z loss=1", NOON + 0.123456789, id="nanoseconds"),
        pytest.param("  2024-05-01T12:00:00Z\tloss=1", NOON, id="first word after spaces"),
        pytest.param("0001-01-01T00:00:00Z loss=1", -62135596800.0, id="zero time of Go"),
        pytest.param("\x1b[2m2024-05-01T12:00:00Z\x1b[0m loss=1", NOON, id="coloured"),
        pytest.param("loss=1", ARRIVAL, id="none"),
        pytest.param("loss=1 2024-05-01T12:00:00Z", ARRIVAL, id="not the first word"),
        pytest.param("2024-05-01T12:00:00 loss=1", ARRIVAL, id="no zone"),
        pytest.param("2024-05-01 12:00:00Z loss=1", ARRIVAL, id="space for T"),
        pytest.param("2024-05-01 loss=1", ARRIVAL, id="day only"),
        pytest.param("20240501T120000Z loss=1", ARRIVAL, id="basic form"),
        pytest.param("2024-02-30T12:00:00Z loss=1", ARRIVAL, id="no such day"),
        pytest.param("2024-05-01T12:00:60Z loss=1", ARRIVAL, id="leap second"),
        pytest.param("2024-05-01T12:00:00+99:00 loss=1", ARRIVAL, id="no such offset"),
    ],
)
def test_time(line: str, time: float) -> None:
    (measurement,) = collect(line)
    assert measurement.time == pytest.approx(time, abs=1e-6)


@pytest.mark.parametrize(
    ("line", "metrics", "step"),
    [
        pytest.param("epoch=3 loss=1", ("loss",), 3, id="epoch"),
        pytest.param("loss=1 step = 30", ("loss",), 30, id="step, behind, with spaces"),
        pytest.param("epoch=3 step=30 loss=1", ("loss",), 30, id="step before epoch"),
        pytest.param("epoch=3/10 loss=1", ("loss",), 3, id="out of ten"),
        pytest.param("epoch=3. loss=1", ("loss",), 3, id="full stop"),
        pytest.param("epoch=3 step=30 loss=1", ("loss", "step"), 3, id="step is a metric"),
        pytest.param("loss=1", ("loss",), None, id="none"),
        pytest.param("epoch=3.5 loss=1", ("loss",), None, id="fraction"),
        pytest.param("epoch=-3 loss=1", ("loss",), None, id="negative"),
        pytest.param("epoch=1e3 loss=1", ("loss",), None, id="exponent"),
        pytest.param("my_epoch=3 loss=1", ("loss",), None, id="longer name"),
        pytest.param("epoch=9999999999999999999 loss=1", ("loss",), None, id="too large"),
    ],
)
def test_step(line: str, metrics: tuple[str, ...], step: int | None) -> None:
    found = [m for m in collect(line, metrics) if m.metric == "loss"]
    assert [m.step for m in found] == [step]


@pytest.mark.parametrize(
    ("line", "metrics", "filters", "expected"),
    [
        pytest.param("loss: 0.5", ("loss",), (r"(\w+): (\S+)",), [("loss", 0.5, "0.5")], id="colon"),
        pytest.param("loss: 0.5 loss=0.4", ("loss",), (r"(\w+): (\S+)",), [("loss", 0.5, "0.5")], id="default is off"),
        pytest.param(
            "loss: 0.5 loss=0.4",
            ("loss",),
            (r"(\w+): (\S+)", r"(\w+)=(\S+)"),
            [("loss", 0.5, "0.5"), ("loss", 0.4, "0.4")],
            id="two filters",
        ),
        pytest.param(
            "Best-Genotype=Genotype(normal=[('conv', 0)])",
            ("Best-Genotype",),
            (r"([\w-]+)=(Genotype.*)",),
            [("Best-Genotype", None, "Genotype(normal=[('conv', 0)])")],
            id="text",
        ),
        pytest.param(
            "accuracy=0.5 Best-Genotype=Genotype(normal=[('conv', 0)])",
            ("accuracy", "Best-Genotype"),
            (r"([\w-]+)=(Genotype.*)", r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"),
            [("Best-Genotype", None, "Genotype(normal=[('conv', 0)])"), ("accuracy", 0.5, "0.5")],
            id="text and number",
        ),
        pytest.param(
            "val loss is 0.5", ("val loss",), (r"(val loss) is (\S+)",), [("val loss", 0.5, "0.5")], id="space"
        ),
        pytest.param("loss: 95%", ("loss",), (r"(\w+): (\S+)",), [("loss", None, "95%")], id="no number as a whole"),
        pytest.param("loss:  0.5  ", ("loss",), (r"(\w+):(.*)",), [("loss", 0.5, "0.5")], id="trimmed"),
        pytest.param("gain: 0.5 loss", ("loss",), (r"(\w+): (\S+)",), [], id="another metric"),
        pytest.param("loss", ("loss",), (r"(\w+)(=.*)?",), [("loss", None, "")], id="group without a match"),
        pytest.param(
            "{metricName: loss, metricValue: -0.5}",
            ("loss",),
            (r"\{metricName: ([\w|-]+), metricValue: ((-?\d+)(\.\d+)?)\}",),
            [("loss", -0.5, "-0.5")],
            id="more groups",
        ),
        pytest.param(
            "x" * 100_000 + " loss: 0.5", ("loss",), (r"(\w+): (\S+)",), [("loss", 0.5, "0.5")], id="far behind"
        ),
    ],
)
def test_filters(line: str, metrics: tuple[str, ...], filters: tuple[str, ...], expected: list[tuple]) -> None:
    assert [(m.metric, m.value, m.text) for m in collect(line, metrics, filters)] == expected


def test_longer_metric_name_wins() -> None:
    found = collect("train/loss=1 loss=2", ("loss", "train/loss"))
    assert [(m.metric, m.value) for m in found] == [("train/loss", 1.0), ("loss", 2.0)]


def test_collector_keeps_no_state() -> None:
    collector = text_collector(("loss",))
    chunk = Chunk("stdout", Cursor(), b"loss=0.5\nloss=0.4\n", ARRIVAL)
    assert collector(chunk) == collector(chunk)
