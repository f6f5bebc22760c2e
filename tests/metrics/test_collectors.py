"""The table of collectors: kinds, formats and what is refused."""

from __future__ import annotations

import pytest

from katib.core.collector import CollectorSpec
from katib.core.errors import PermanentError, SpecError, UnknownNameError
from katib.core.objective import Objective
from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics import COLLECTORS, create_collector
from katib.resources.shared_types import COLLECTORS as KINDS

OBJECTIVE = Objective("loss", additional=("accuracy", "loss"))


@pytest.mark.parametrize("kind", ["StdOut", "File", "Custom"])
@pytest.mark.parametrize(("format", "line"), [("TEXT", b"loss=0.5\n"), ("JSON", b'{"loss": 0.5}\n')])
def test_kinds_and_formats(kind: str, format: str, line: bytes) -> None:
    collector = create_collector(CollectorSpec(kind=kind, format=format), OBJECTIVE)
    (measurement,) = collector(Chunk("source", Cursor(), line, 7.0)).measurements
    assert (measurement.metric, measurement.value, measurement.time) == ("loss", 0.5, 7.0)


def test_every_kind_of_katib_can_be_made() -> None:
    assert set(COLLECTORS) == set(KINDS)
    for kind in KINDS:
        assert create_collector(CollectorSpec(kind=kind), OBJECTIVE)(Chunk("x", Cursor(), b"", 7.0)).measurements == ()


def test_pushed_lines_are_read_whatever_the_other_kinds_would_be_told() -> None:
    collector = create_collector(CollectorSpec("Push", format="TEXT", filters=(r"(\w+):(\d)",)), OBJECTIVE)
    (measurement,) = collector(Chunk("metrics", Cursor(), b'{"loss": "0.5"}\n', 7.0)).measurements
    assert measurement.value == 0.5


@pytest.mark.parametrize("kind", ["stdout", "", "os:getcwd"])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(PermanentError, match="StdOut"):
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
