"""What becomes of scrapes: which sample is which metric, and when a report is one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.core.collector import CollectorSpec
from katib.core.errors import SpecError
from katib.core.objective import Objective
from katib.core.ports import Chunk, Collected
from katib.core.trial import Cursor
from katib.metrics import create_collector


def collect(*records: object, metrics: tuple[str, ...] = ("loss",)) -> Collected:
    collector = create_collector(CollectorSpec("PrometheusMetric"), Objective(metrics[0], additional=metrics[1:]))
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    return collector(Chunk("collector", Cursor(), data, 7.0))


@pytest.mark.parametrize(
    ("metric", "new", "same", "expected"),
    [
        pytest.param("loss", ["loss 0.5"], [], [(0.5, "0.5", 5.0)], id="gauge"),
        pytest.param("loss", ["loss 1e-05"], [], [(1e-05, "1e-05", 5.0)], id="text is kept"),
        pytest.param("loss", ["loss 0.5 1700000000123"], [], [(0.5, "0.5", 1700000000.123)], id="own time"),
        pytest.param("loss", ["loss NaN"], [], [(None, "NaN", 5.0)], id="nan"),
        pytest.param("loss", ["loss +Inf"], [], [(None, "+Inf", 5.0)], id="infinity"),
        pytest.param("steps", ["steps_total 3"], [], [(3.0, "3", 5.0)], id="counter without its suffix"),
        pytest.param("steps_total", ["steps_total 3"], [], [(3.0, "3", 5.0)], id="counter with its suffix"),
        pytest.param("t_sum", ["t_sum 3"], [], [(3.0, "3", 5.0)], id="sum of a summary"),
        pytest.param("loss", ['loss{split="a} b"} 0.5'], [], [(0.5, "0.5", 5.0)], id="the only one, with labels"),
        pytest.param("loss", ['loss{split="a"} 0.5', 'loss{split="b"} 1'], [], [], id="two"),
        pytest.param("loss", ['loss{split="a"} 0.5'], ['loss{split="b"} 1'], [], id="two, of which one changed"),
        pytest.param(
            'loss{split="b"}', ['loss{split="a"} 0.5', 'loss{split="b"} 1'], [], [(1.0, "1", 5.0)], id="labels"
        ),
        pytest.param(
            'loss{split="b"}',
            ['loss{split="b",rank="0"} 1'],
            ['loss{split="a"} 2'],
            [(1.0, "1", 5.0)],
            id="some labels",
        ),
        pytest.param(
            'loss{split="b"}', ['loss{split="b",rank="0"} 1', 'loss{split="b",rank="1"} 2'], [], [], id="too few labels"
        ),
        pytest.param('loss{split="b"}', ['loss{split="a"} 0.5'], ['loss{split="b"} 1'], [], id="unchanged"),
        pytest.param("loss", ["loss"], [], [], id="no value"),
        pytest.param("loss", ["loss x", "loss 0.5"], [], [(0.5, "0.5", 5.0)], id="a bad line costs itself"),
        pytest.param("loss", ["# HELP loss 3", "lossy 1"], [], [], id="none"),
    ],
)
def test_samples(metric: str, new: list[str], same: list[str], expected: list[tuple]) -> None:
    found = collect({"time": 5.0, "new": new, "same": same}, metrics=(metric,)).measurements
    assert [(m.value, m.text, m.time) for m in found] == expected
    assert all(m.metric == metric for m in found)


def test_each_scrape_that_changed_something_is_a_report() -> None:
    scrapes = [{"time": 1.0, "new": ["loss 3", "acc 1"]}, {"time": 2.0, "new": ["loss 2"]}, {"time": 3.0, "names": []}]
    found = collect(*scrapes, metrics=("loss", "acc")).measurements
    assert [(m.metric, m.value, m.time) for m in found] == [("loss", 3.0, 1.0), ("acc", 1.0, 1.0), ("loss", 2.0, 2.0)]


def test_what_else_there_is_is_seen() -> None:
    collected = collect({"names": ["acc", "lr"]}, {"new": ['loss{s="a"} 1', 'loss{s="b"} 2'], "same": []})
    assert collected.seen == ("acc", "lr", 'loss{s="a"}', 'loss{s="b"}')


@pytest.mark.parametrize("metric", ["val-loss", "a b", "loss 1", 'loss{split="a"', "loss{", "3d", "# loss"])
def test_a_name_that_prometheus_cannot_have(metric: str) -> None:
    with pytest.raises(SpecError, match="cannot look for"):
        create_collector(CollectorSpec("PrometheusMetric"), Objective("loss", additional=(metric,)))


@pytest.mark.parametrize(
    "record",
    [[], 1, None, {}, {"new": "loss 1"}, {"new": [1, None]}, {"time": "now", "new": ["loss 1"]}, {"new": [""]}],
)
def test_other_lines_do_no_harm(record: object) -> None:
    assert all(m.time == 7.0 for m in collect(record).measurements)


@given(lines=st.lists(st.text(max_size=30), max_size=5), data=st.binary(max_size=200))
def test_any_answer_never_raises(lines: list[str], data: bytes) -> None:
    collect({"time": 1.0, "new": lines, "same": lines})
    collector = create_collector(CollectorSpec("PrometheusMetric"), Objective("loss"))
    assert collector(Chunk("collector", Cursor(), data, 7.0, final=True)).end.offset <= len(data)
